"""`deidentify_file`: one file in, one file out, or a refusal; the output is whole or not there."""

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from pydicom.dataset import Dataset

from wardround.errors import ConfigurationError
from wardround.imaging.deid.deidentify import deidentify
from wardround.imaging.deid.rules import Account, Rules
from wardround.imaging.deid.shown import Shown
from wardround.imaging.reading.files import LinkError, SourceFile
from wardround.imaging.reading.header import guarded, quiet, read_object, text
from wardround.imaging.reasons import Reason, Refusal
from wardround.private_files import keep_private

Gate = Callable[[Dataset], Shown]

MAX_BYTES = 2 << 30
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1 << 20


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
    keep_private()
    if target.exists() and os.path.samefile(source, target):
        raise ConfigurationError("source and target are the same file; give another target")
    with quiet():
        output, account = deidentify_object(read_object(source, max_bytes), rules, gate)
        write_object(output, target.parent, target.name)
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


def write_object(output: Dataset, root: Path, name: str) -> None:
    """Writes a Part 10 file with an empty preamble, under its name (a path relative to `root`) only when it is complete.

    No link below `root` is followed, so nothing is written elsewhere. Raises Refusal if another object has the name, or
    if the object can't be encoded; ConfigurationError for a link in the place of a folder; OSError as it comes.
    """
    root.mkdir(parents=True, exist_ok=True)
    part = f".{secrets.token_hex(8)}.part"
    try:
        with SourceFile(root, name).made_folder() as (folder, last):
            try:
                _save(output, part, folder)
                _publish(part, last, folder)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(part, dir_fd=folder)
    except LinkError as error:
        raise ConfigurationError(
            f"a folder below target {str(root)!r} is a symbolic link, and nothing is written through it; remove it"
        ) from error


def _save(output: Dataset, part: str, folder: int) -> None:
    try:
        with open(os.open(part, _NEW, 0o600, dir_fd=folder), "wb") as stream:
            output.save_as(stream, enforce_file_format=True)
    except OSError:
        raise
    except Exception as error:
        raise Refusal(Reason.DAMAGED_HEADER) from error


def _publish(part: str, last: str, folder: int) -> None:
    try:
        # A link never replaces: of two objects with one UID neither is lost silently.
        os.link(part, last, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError as error:
        if not _same(part, last, folder):
            raise Refusal(Reason.DUPLICATE) from error
    except OSError:
        # A file system without links.
        with suppress(FileNotFoundError):
            os.stat(last, dir_fd=folder, follow_symlinks=False)
            raise Refusal(Reason.DUPLICATE) from None
        os.rename(part, last, src_dir_fd=folder, dst_dir_fd=folder)


def _same(part: str, last: str, folder: int) -> bool:
    """Whether two files of a folder have the same content; a link, or what is no file, has none."""
    if not stat.S_ISREG(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb"))
            for name in (part, last)
        )
        while block := one.read(_BLOCK):
            if block != other.read(_BLOCK):
                return False
        return not other.read(1)
