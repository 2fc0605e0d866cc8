"""`deidentify_file`: one file in, one file out, or a refusal; the output is whole or not there."""

import filecmp
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from pydicom.dataset import Dataset

from wardround.errors import ConfigurationError
from wardround.imaging.deid.deidentify import deidentify
from wardround.imaging.deid.rules import Account, Rules
from wardround.imaging.deid.shown import Shown
from wardround.imaging.reading.header import guarded, quiet, read_object, text
from wardround.imaging.reasons import Reason, Refusal

Gate = Callable[[Dataset], Shown]

MAX_BYTES = 2 << 30


def open_gate(dataset: Dataset) -> Shown:
    """Lets every object pass as it is."""
    return Shown(dataset)


def deidentify_file(
    source: Path, target: Path, rules: Rules, gate: Gate = open_gate, max_bytes: int = MAX_BYTES
) -> Account:
    """De-identifies the DICOM file `source` into the new file `target`.

    `gate` sees the object as it was read, before anything is written; it may give it back with parts of the pixels
    blackened, or raise Refusal (for burned-in text).
    Raises Refusal, and ConfigurationError if source and target are the same file. If `target` exists with the same
    content nothing is written; with other content the file is refused as a duplicate.
    """
    if target.exists() and os.path.samefile(source, target):
        raise ConfigurationError("source and target are the same file; give another target")
    with quiet():
        output, account = deidentify_object(read_object(source, max_bytes), rules, gate)
        write_object(output, target)
    return account


def deidentify_object(dataset: Dataset, rules: Rules, gate: Gate = open_gate) -> tuple[Dataset, Account]:
    """`deidentify`, for an object that is to be written: without an instance UID it is refused, as by the gate."""
    shown = gate(dataset)
    with guarded():
        output, account = deidentify(shown.dataset, rules, masked=shown.masked)
        if not text(output, "SOPInstanceUID") or not text(output, "SOPClassUID"):
            raise Refusal(Reason.NO_IDENTITY)
    return output, account


def name_of(output: Dataset) -> str:
    """Where a de-identified object lies, relative to the output folder: patient/study/series/instance.dcm."""
    keywords = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    return "/".join(text(output, keyword).replace("/", "_") or "none" for keyword in keywords) + ".dcm"


def write_object(output: Dataset, target: Path) -> None:
    """Writes a Part 10 file with an empty preamble, under its name only when it is complete.

    Raises Refusal if another object has the name, or if the object can't be encoded; OSError as it comes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        _save(output, part)
        _publish(part, target)
    finally:
        part.unlink(missing_ok=True)


def _save(output: Dataset, part: Path) -> None:
    try:
        output.save_as(part, enforce_file_format=True)
    except OSError:
        raise
    except Exception as error:
        raise Refusal(Reason.DAMAGED_HEADER) from error


def _publish(part: Path, target: Path) -> None:
    try:
        # A link never replaces: of two objects with one UID neither is lost silently.
        os.link(part, target)
    except FileExistsError as error:
        if not filecmp.cmp(part, target, shallow=False):
            raise Refusal(Reason.DUPLICATE) from error
    except OSError:
        # A file system without links.
        if target.exists():
            raise Refusal(Reason.DUPLICATE) from None
        part.rename(target)
