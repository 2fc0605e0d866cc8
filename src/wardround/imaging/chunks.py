"""Chunks: the pieces of work that processes take and that survive a kill.

A chunk's result is a file that appears under its name only when it is complete; a chunk whose file exists is
done. What a chunk holds depends on inputs and settings alone, never on the number of workers.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter

from wardround.imaging.busy import begin, culprit, finished
from wardround.imaging.decode import decode_item
from wardround.imaging.gate import gate_of
from wardround.imaging.items import Item, Refused, refuse_all
from wardround.imaging.reading.files import SourceFile
from wardround.imaging.reading.kinds import kind_of
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.results import Results, earlier_path, read_results
from wardround.imaging.scan import Found, ScanRule, scan_file
from wardround.imaging.settings import IntakeSettings

_FOUND = TypeAdapter(tuple[Found, ...])


@dataclass(frozen=True)
class ScanChunk:
    """Files to scan; `fatal` are those (by place) that ended a process before, and how."""

    result: Path
    source: Path
    paths: tuple[str, ...]
    rule: ScanRule
    fatal: tuple[tuple[int, Reason], ...] = ()


@dataclass(frozen=True)
class DecodeChunk:
    """Items of one split to decode; `fatal` are those (by place) that ended a process before, and how."""

    result: Path
    source: Path
    items: tuple[Item, ...]
    settings: IntakeSettings
    fatal: tuple[tuple[int, Reason], ...] = ()


Chunk = ScanChunk | DecodeChunk


class Summary(NamedTuple):
    """How many images a decoded chunk holds, and the files it refused."""

    images: int
    refused: tuple[Refused, ...]


def run_chunk(chunk: Chunk) -> None:
    """Does a chunk's work and writes its result file."""
    if isinstance(chunk, ScanChunk):
        _scan(chunk)
    else:
        _decode(chunk)


def length(chunk: Chunk) -> int:
    """How many files (scan) or items (decode) a chunk holds."""
    return len(chunk.paths if isinstance(chunk, ScanChunk) else chunk.items)


def unread(chunk: Chunk) -> Iterator[str]:
    """The paths of the files that will be read for the chunk's result."""
    if isinstance(chunk, ScanChunk):
        yield from chunk.paths
        return
    for place in _left(chunk, _earlier(chunk, images=False)):
        yield from chunk.items[place].paths


def blamed(chunk: Chunk, reason: Reason) -> Chunk:
    """The chunk again, without what it was busy with when its process ended for that reason."""
    return replace(chunk, fatal=(*chunk.fatal, (culprit(chunk.result, dict(chunk.fatal)), reason)))


def scanned(chunk: ScanChunk) -> tuple[Found, ...]:
    """The result of a scanned chunk."""
    return _FOUND.validate_json(chunk.result.read_bytes())


def decoded(chunk: DecodeChunk) -> tuple[np.ndarray, np.ndarray]:
    """A decoded chunk's images, uint8 or uint16 [n, …, 1], and labels, int32 [n]."""
    done = read_results(chunk.result)
    return done.images, done.labels


def summary(chunk: DecodeChunk) -> Summary:
    """What a decoded chunk holds, read without its images."""
    done = read_results(chunk.result, images=False)
    return Summary(len(done.labels), tuple(one for _, one in done.refused))


def _scan(chunk: ScanChunk) -> None:
    found, fatal = [], dict(chunk.fatal)
    for place, path in enumerate(chunk.paths):
        begin(chunk.result, place, "the intake")
        if place in fatal:
            file = SourceFile(chunk.source, path, chunk.rule.follow_links)
            found.append(Found(path=path, kind=kind_of(file), refused=fatal[place]))
        else:
            found.append(scan_file(chunk.source, path, chunk.rule))
    _finish(chunk, _FOUND.dump_json(tuple(found), exclude_defaults=True))


def _decode(chunk: DecodeChunk) -> None:
    known = _earlier(chunk)
    images, refused, fatal = known.by_place(), list(known.refused), dict(chunk.fatal)
    gate = gate_of(chunk.settings)
    for place in _left(chunk, known):
        item = chunk.items[place]
        begin(chunk.result, place, "the intake")
        files = [SourceFile(chunk.source, path, chunk.settings.follow_links) for path in item.paths]
        try:
            if place in fatal:
                raise Refusal(fatal[place])
            guard = gate.item(item.order, files) if gate else None
            images[place] = decode_item(files, chunk.settings, item.layout, guard), item.label
        except Refusal as refusal:
            refused += [(place, one) for one in refuse_all(files, refusal.reason)]
    Results.of(_names(chunk), images, refused).write(chunk.result)
    finished(chunk.result)
    earlier_path(chunk.result).unlink(missing_ok=True)


def _earlier(chunk: DecodeChunk, images: bool = True) -> Results:
    """What is known of the chunk from before."""
    path = earlier_path(chunk.result)
    return read_results(path, images=images) if path.exists() else Results.of(_names(chunk), {}, [])


def _names(chunk: DecodeChunk) -> list[str]:
    return [item.name for item in chunk.items]


def _left(chunk: DecodeChunk, known: Results) -> list[int]:
    done = {*known.places.tolist(), *(place for place, _ in known.refused)}
    return [place for place in range(len(chunk.items)) if place not in done]


def _finish(chunk: Chunk, content: bytes) -> None:
    part = chunk.result.with_suffix(".part")
    part.write_bytes(content)
    os.replace(part, chunk.result)
    finished(chunk.result)
