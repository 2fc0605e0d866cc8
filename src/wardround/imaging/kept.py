"""What a finished intake leaves for the next one, for when nothing but a person's decisions has changed.

    <out>/.intake/kept/kept.json      which item each record of the shards came from, and what was refused
                       scan-*.json    the first pass

The decoded pixels themselves are in the shards. From both, the chunks of the finished intake can be had again without
those items about which somebody decided otherwise since: only these are read and decoded anew.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from wardround.imaging.begun import Begun, Decisions
from wardround.imaging.chunks import DecodeChunk
from wardround.imaging.items import Refused
from wardround.imaging.results import Results, earlier_path, read_results

FOLDER, NAME = "kept", "kept.json"


class KeptChunk(BaseModel):
    """A chunk: its file's name, the first digits of its items' hashes, which of them are images, what was refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    items: tuple[str, ...]
    images: tuple[int, ...]
    refused: tuple[tuple[int, Refused], ...]


class Kept(Begun):
    """A finished intake, with its chunks by split in order."""

    chunks: dict[str, tuple[KeptChunk, ...]]


def keep(folder: Path, base: str, decisions: Decisions, chunks: Mapping[str, Sequence[DecodeChunk]]) -> None:
    """Leaves what is in a finished intake's folder of chunks beside it."""
    place = folder.parent / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for scan in folder.glob("scan-*.json"):
        scan.rename(place / scan.name)
    described = {split: tuple(map(_described, parts)) for split, parts in chunks.items()}
    kept = Kept(base=base, decisions=decisions, chunks=described)
    (place / NAME).write_text(kept.model_dump_json())


def read_kept(parent: Path) -> Kept | None:
    """What the last intake left in its parent folder, if it is all there."""
    path = parent / FOLDER / NAME
    return Kept.model_validate_json(path.read_bytes()) if path.is_file() else None


def restore(out: Path, kept: Kept, changed: frozenset[str], folder: Path) -> None:
    """Makes an intake's folder of chunks from what was kept and the shards in `out`, without the changed items.

    A chunk that holds one of these gets what is unchanged in a file beside it. Raises DatasetError: a shard is
    missing or altered.
    """
    # TensorFlow is imported where it is needed.
    from wardround.imaging.shards import stream_split

    for scan in (folder.parent / FOLDER).glob("scan-*.json"):
        shutil.copy(scan, folder)
    for split, chunks in kept.chunks.items():
        records = stream_split(out, split) if any(c.images for c in chunks) else iter(())
        for chunk in chunks:
            found = [next(records) for _ in chunk.images]
            _restore(chunk, found, changed, folder)


def _restore(
    chunk: KeptChunk, found: list[tuple[np.ndarray, int]], changed: frozenset[str], folder: Path
) -> None:
    whole = Results.of(chunk.items, dict(zip(chunk.images, found, strict=True)), chunk.refused)
    left, path = whole.without(changed), folder / chunk.name
    left.write(path if left is whole else earlier_path(path))


def _described(chunk: DecodeChunk) -> KeptChunk:
    done = read_results(chunk.result, images=False)
    return KeptChunk(
        name=chunk.result.name,
        items=done.items,
        images=tuple(done.places.tolist()),
        refused=done.refused,
    )
