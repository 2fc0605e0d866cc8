"""Batches of files for one process. A batch's records appear at once, when all of its files are done."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from pydicom.dataset import Dataset

from wardround.imaging import burned_in
from wardround.imaging.busy import begin, culprit, finished
from wardround.imaging.deid.files import (
    MAX_BYTES,
    deidentify_object,
    name_of,
    open_gate,
    write_object,
)
from wardround.imaging.deid.options import Options
from wardround.imaging.deid.rules import Rules
from wardround.imaging.deid.shown import Shown, looked_at
from wardround.imaging.reading.files import SourceFile
from wardround.imaging.reading.header import quiet, read_object
from wardround.imaging.reasons import Reason, Refusal


class Record(BaseModel):
    """What was done with one file.

    file: a keyed code for its name; output: its name in the target, made of pseudonyms; actions: elements by action;
    refused: a reason code; unchanged: it was this site's output before; masked: regions that are known to hold text
    were blackened. state names file, size and time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    state: str
    output: str | None = None
    actions: dict[str, int] = {}
    refused: Reason | None = None
    unchanged: bool | None = None
    masked: bool | None = None


@dataclass(frozen=True)
class Batch:
    """Files (name and state) to de-identify.

    look: blacken known regions, and refuse objects whose pixels may still show who the patient is. fatal: files (by
    place) that ended a process before, and how.
    """

    result: Path
    source: Path
    target: Path | None
    files: tuple[tuple[str, str], ...]
    options: Options
    key: bytes = field(repr=False)
    look: bool = False
    follow_links: bool = False
    fatal: tuple[tuple[int, Reason], ...] = ()


def run_batch(batch: Batch) -> None:
    """De-identifies a batch's files and writes its records. Raises StoppedError between two files."""
    records = []
    for place, (file, state) in enumerate(batch.files):
        begin(batch.result, place, "de-identification")
        records.append(_one(batch, place, file, state))
    part = batch.result.with_suffix(".part")
    part.write_text("".join(record.model_dump_json(exclude_none=True) + "\n" for record in records))
    os.replace(part, batch.result)
    finished(batch.result)


def blamed(batch: Batch, reason: Reason) -> Batch:
    """The batch again, without the file it was busy with when its process ended for that reason."""
    return replace(batch, fatal=(*batch.fatal, (culprit(batch.result, dict(batch.fatal)), reason)))


def read_records(state: Path) -> Iterator[Record]:
    """The records of all finished batches."""
    for path in sorted(state.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            yield Record.model_validate_json(line)


def _one(batch: Batch, place: int, file: str, state: str) -> Record:
    rules = _rules(batch.options, batch.key)
    code = rules.pseudonyms.name("file", file)
    try:
        if place in (fatal := dict(batch.fatal)):
            raise Refusal(fatal[place])
        with quiet():
            dataset = read_object(SourceFile(batch.source, file, batch.follow_links), MAX_BYTES)
            output, account = deidentify_object(dataset, rules, _look if batch.look else open_gate)
            name = name_of(output)
            if batch.target is not None:
                write_object(output, batch.target, name)
    except Refusal as refusal:
        return Record(file=code, state=state, refused=refusal.reason)
    return Record(
        file=code,
        state=state,
        output=name,
        actions=dict(account.counts),
        unchanged=account.unchanged or None,
        masked=account.masked or None,
    )


@lru_cache(maxsize=4)
def _rules(options: Options, key: bytes) -> Rules:
    return Rules.of(options, key)


def _look(dataset: Dataset) -> Shown:
    return looked_at(dataset, _pixel_rules(), MAX_BYTES)


@lru_cache(maxsize=1)
def _pixel_rules() -> burned_in.Rules:
    return burned_in.Rules()
