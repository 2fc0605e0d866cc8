"""The intake: a folder of DICOM files and a label table become a dataset of shards.

    files ─ scan ─ items ─ decode ─ gate ─ shards
              └──────┴───────┴───────┴──── refusals, quarantine

Scan and decode run in chunks over processes and leave one file a chunk, so a killed intake goes on where it was.
Only pixels and the label's class index go into the shards. The first pass keeps keyed hashes of identifiers; the
second reads no attribute that PS3.15 removes or replaces but those that the gate for burned-in text needs.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wardround.errors import ConfigurationError, WardroundError
from wardround.imaging.assignments import Assignments
from wardround.imaging.chunks import (
    Chunk,
    DecodeChunk,
    ScanChunk,
    blamed,
    decoded,
    length,
    run_chunk,
    scanned,
    summary,
    unread,
)
from wardround.imaging.dataset import DatasetInfo, SplitInfo
from wardround.imaging.inventory import Inventory
from wardround.imaging.items import Item, Refused, chunked, digest, make_items, with_splits
from wardround.imaging.labels import read_labels
from wardround.imaging.pool import Crew, Limits
from wardround.imaging.quarantine import Quarantine, State
from wardround.imaging.scan import Found, ScanRule
from wardround.imaging.settings import SPLITS, IntakeSettings
from wardround.imaging.statistics.collect import Intake, summarise
from wardround.imaging.volumes.layout import layout_rule
from wardround.imaging.workspace import REFUSALS, Workspace, workspace, write_refusals
from wardround.private_files import keep_private, tighten

Progress = Callable[[str, int, int], None]

_SCAN_CHUNK = 128
# A small intake has chunks for all workers, and ends with all of them at work.
_CHUNKS = 32
# A chunk's decoded pixels: enough to be worth a file, little enough to be lost and held in memory.
_CHUNK_BYTES = 8 << 20
_CHUNK_ITEMS = 64


class IntakeError(WardroundError):
    """The intake ended without a dataset."""

    code = "intake-empty"


class _Decodes(NamedTuple):
    chunks: dict[str, list[DecodeChunk]]
    refused: list[Refused]


@dataclass(frozen=True)
class Supply:
    """A source whose files need not all be there: what they are, and what brings those (by path) that will be read."""

    inventory: Inventory
    bring: Callable[[set[str]], None] = lambda paths: None


class _Shift(NamedTuple):
    crew: Crew
    progress: Progress
    bring: Callable[[set[str]], None]


def preprocess(
    source: Path,
    labels: Path,
    out: Path,
    settings: IntakeSettings,
    progress: Progress = lambda stage, done, total: None,
    supply: Supply | None = None,
) -> DatasetInfo:
    """Reads every DICOM file below `source`, joins `labels`, and writes a dataset into `out`.

    `progress(stage, done, total)` is called with the stages "scan" (files) and "decode" (images or series).
    A run with the same inputs and settings goes on where a killed one was, and does nothing after a finished one;
    the digest depends on neither the workers nor the order of files. Refused files are counted by reason in the
    result, and listed in `out/refusals.csv`, which must not leave the hospital. With a `supply` the source has the files
    of its inventory, and each is asked for before it is read.

    From here on this process and its children make private files only (`private_files`).

    Raises ConfigurationError (source, labels or key unusable) and IntakeError (nothing to train on).
    """
    if not source.is_dir():
        raise ConfigurationError(
            f"source {source} is not a folder; give the folder that holds the DICOM files"
        )
    keep_private()
    tighten(out)
    settings = settings.for_dataset(out)
    supply = supply or Supply(Inventory.of(source, follow_links=settings.follow_links))
    key, paths = settings.split_key(), supply.inventory.paths
    table = read_labels(labels, settings.labels, settings.label_encoding).hashed(key)
    assignments = Assignments.of(settings.assignment_folder, key, settings.fractions)
    tighten(assignments.path, assignments.path.with_suffix(".lock"))
    space = workspace(out, supply.inventory, labels, settings, key)
    if info := space.finished():
        return info
    space.open()
    with Crew(settings.workers, _limits(settings)) as crew:
        shift = _Shift(crew, progress, supply.bring)
        found = _scan(space, source, paths, _rule(settings, key), shift)
        items, refused = make_items(found, table, layout_rule(settings))
        items = with_splits(items, assignments.place)
        decodes = _decode(space, source, items, settings, shift)
    refused += decodes.refused
    info = _assemble(space, decodes.chunks, refused, settings)
    summarise(info, Intake(found, items, refused, table, _waiting(settings, items))).save(out)
    space.close(info, decodes.chunks)
    return info


def _waiting(settings: IntakeSettings, items: Sequence[Item]) -> Counter[str]:
    """How many files of the items wait in quarantine, by reason."""
    if settings.burned_in == "ignore" or settings.quarantine is None:
        return Counter()
    ours = {item.name for item in items}
    waiting: Counter[str] = Counter()
    for entry in Quarantine(settings.quarantine).entries(State.WAITING):
        if entry.id in ours:
            waiting.update({reason.value: entry.files for reason in entry.reasons})
    return waiting


def _limits(settings: IntakeSettings) -> Limits:
    # A volume is held a few times over while it is resampled; libraries and their threads map much that they never use.
    return Limits(settings.seconds, memory=(4 << 30) + 8 * settings.max_bytes)


def _rule(settings: IntakeSettings, key: bytes) -> ScanRule:
    return ScanRule(
        key=key,
        modality=settings.modality,
        max_bytes=settings.max_bytes,
        volumes=settings.is_volume,
        follow_links=settings.follow_links,
    )


def _scan(space: Workspace, source: Path, paths: Sequence[str], rule: ScanRule, shift: _Shift) -> list[Found]:
    chunks = [
        ScanChunk(space.folder / f"scan-{index:06d}.json", source, part, rule)
        for index, part in enumerate(
            chunked(paths, max(1, min(_SCAN_CHUNK, math.ceil(len(paths) / _CHUNKS))))
        )
    ]
    _run("scan", chunks, shift)
    return [file for chunk in chunks for file in scanned(chunk)]


def _decode(
    space: Workspace, source: Path, items: Sequence[Item], settings: IntakeSettings, shift: _Shift
) -> _Decodes:
    chunks = {split: _decode_chunks(space, source, items, settings, split) for split in SPLITS}
    _run("decode", [chunk for split in SPLITS for chunk in chunks[split]], shift)
    refused = [entry for split in SPLITS for chunk in chunks[split] for entry in summary(chunk).refused]
    return _Decodes(chunks, refused)


def _decode_chunks(
    space: Workspace, source: Path, items: Sequence[Item], settings: IntakeSettings, split: str
) -> list[DecodeChunk]:
    element = settings.bits // 8 * math.prod(settings.size)
    size = max(1, min(_CHUNK_ITEMS, _CHUNK_BYTES // element, math.ceil(len(items) / _CHUNKS)))
    parts = chunked([item for item in items if item.split == split], size)
    return [
        DecodeChunk(space.folder / f"{split}-{index:06d}-{digest(part)}.npz", source, part, settings)
        for index, part in enumerate(parts)
    ]


def _run(stage: str, chunks: Sequence[Chunk], shift: _Shift) -> None:
    total = sum(map(length, chunks))
    left = [chunk for chunk in chunks if not chunk.result.exists()]
    shift.bring({path for chunk in left for path in unread(chunk)})
    finished = total - sum(map(length, left))
    shift.progress(stage, finished, total)

    def done(chunk: Chunk) -> None:
        nonlocal finished
        finished += length(chunk)
        shift.progress(stage, finished, total)

    shift.crew.run(left, run_chunk, done, blamed)


def _assemble(
    space: Workspace, chunks: dict[str, list[DecodeChunk]], refused: list[Refused], settings: IntakeSettings
) -> DatasetInfo:
    write_refusals(space.out, refused)
    reasons = Counter(entry.reason.value for entry in refused)
    splits = {split: _write_split(space.out, split, chunks[split], settings) for split in SPLITS}
    if splits["train"].count == 0:
        raise IntakeError(
            f"no usable image for training; refused: {dict(sorted(reasons.items()))}. "
            f"The files are listed in {space.out / REFUSALS}"
        )
    info = DatasetInfo.create(
        shape=(*settings.size, 1),
        dtype=settings.dtype,
        labels=settings.labels,
        splits=splits,
        refusals=dict(sorted(reasons.items())),
        settings=settings.described(),
    )
    info.save(space.out)
    return info


def _write_split(out: Path, split: str, chunks: Sequence[DecodeChunk], settings: IntakeSettings) -> SplitInfo:
    # TensorFlow is imported where it is needed: worker processes start without it.
    from wardround.imaging.shards import write_split

    count = sum(summary(chunk).images for chunk in chunks)
    batches = map(decoded, chunks)
    return write_split(out, split, batches, count, settings.labels, settings.shard_size)
