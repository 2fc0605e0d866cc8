"""The gate between reading pixels and using them: what may show who the patient is waits for a person.

decoded frame ─ known regions blackened ─ examined ─ used
                                            └─ quarantine ─ released by a person: used from then on
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydicom.dataset import Dataset

from wardround.imaging.burned_in import HEADER_TAGS, OVERLAY_TAGS, Outcome, Rules, blackened, examine
from wardround.imaging.burned_in.regions import known_regions
from wardround.imaging.quarantine import Quarantine, State, content_digest
from wardround.imaging.reading.grey import Grey, Tags, read_stack
from wardround.imaging.reading.header import text
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.settings import IntakeSettings

T = TypeVar("T")

# What a header is read for at the gate, beside what decoding needs.
GATE_TAGS: Tags = (*HEADER_TAGS, *OVERLAY_TAGS)
# So many slices of a series are looked at together: their brightest and their darkest values are two pictures.
_GROUP = 12


@dataclass(frozen=True)
class Gate:
    """What a hospital asks of its images, and where those wait that do not pass."""

    rules: Rules
    store: Quarantine

    def item(self, identifier: str, paths: Sequence[Path]) -> "ItemGate":
        """The gate for one image or series; `identifier` is a keyed hash (hexadecimal)."""
        return ItemGate(self, identifier, tuple(paths))


@dataclass(frozen=True)
class ItemGate:
    """One image or series at the gate."""

    gate: Gate
    identifier: str
    paths: tuple[Path, ...]

    def image(self, grey: Grey) -> Grey:
        """The image with known regions blackened, if it may be used. Raises Refusal (waits, or was rejected)."""
        if not self._released():
            self._look([grey.header], grey.stored)
        return self._covered(grey)

    def slices(self, slices: Iterator[tuple[int, Grey]]) -> Iterator[tuple[int, Grey]]:
        """The slices of a series, each with known regions blackened; raises Refusal once a group does not pass."""
        released = self._released()
        group: list[Grey] = []
        for place, grey in slices:
            yield place, self._covered(grey)
            if released:
                continue
            group.append(grey)
            if len(group) == _GROUP:
                self._look_at(group)
                group = []
        if group:
            self._look_at(group)

    def _look_at(self, group: Sequence[Grey]) -> None:
        self._look([grey.header for grey in group], np.stack([grey.stored for grey in group]))

    def _look(self, headers: list[Dataset], stored: np.ndarray) -> None:
        verdict = examine(headers, stored, self.gate.rules)
        if verdict.outcome is Outcome.QUARANTINED:
            modality, content = text(headers[0], "Modality"), content_digest(self.paths)
            self.gate.store.put(self.identifier, content, verdict, modality, len(self.paths))
            raise Refusal(Reason.BURNED_IN)

    def _released(self) -> bool:
        """Whether a person released this very content. Raises Refusal if it was rejected."""
        store = self.gate.store
        if not store.knows(self.identifier):
            return False
        state = store.state_of(self.identifier, content_digest(self.paths))
        if state is State.REJECTED:
            raise Refusal(Reason.REJECTED)
        return state is State.RELEASED

    def _covered(self, grey: Grey) -> Grey:
        regions = known_regions(grey.header, grey.stored.shape, self.gate.rules.catalogue)
        return replace(grey, stored=blackened(grey.header, grey.stored, regions)) if regions else grey


def check_pixels(path: Path, rules: Rules, max_bytes: int) -> None:
    """Raises Refusal if any frame of an object may show who the patient is, or where something has to be blackened."""
    stack = read_stack(path, max_bytes, GATE_TAGS)
    if known_regions(stack.header, stack.shape, rules.catalogue):
        raise Refusal(Reason.SHOWN)
    for frames in batched(stack, _GROUP):
        headers = [grey.header for grey in frames]
        verdict = examine(headers, np.stack([grey.stored for grey in frames]), rules)
        if verdict.outcome is not Outcome.PASSED:
            raise Refusal(Reason.SHOWN)


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of at most `size` values."""
    left = iter(values)
    while group := list(islice(left, size)):
        yield group


@lru_cache(maxsize=4)
def gate_of(settings: IntakeSettings) -> Gate | None:
    """The gate that an intake's settings describe, made once a process; None where nothing is to be examined."""
    if settings.burned_in == "ignore" or settings.quarantine is None:
        return None
    return Gate(Rules.of(settings.devices, settings.harmless_words), Quarantine(settings.quarantine))
