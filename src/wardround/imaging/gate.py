"""The gate between reading pixels and using them: what may show who the patient is waits for a person.

decoded frame ─ known regions blackened ─ examined ─ used
                                            └─ quarantine ─ released by a person: used from then on
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TypeVar

import numpy as np

from wardround.imaging.burned_in import (
    HEADER_TAGS,
    OVERLAY_TAGS,
    Outcome,
    Rules,
    Verdict,
    blackened,
    examine,
)
from wardround.imaging.burned_in.regions import Known, known_regions
from wardround.imaging.quarantine import Quarantine, State, content_digest
from wardround.imaging.reading.files import LinkError, Openable
from wardround.imaging.reading.grey import Grey, Tags
from wardround.imaging.reading.header import text
from wardround.imaging.reading.stored import refusing
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

    def item(self, identifier: str, paths: Sequence[Openable]) -> "ItemGate":
        """The gate for one image or series; `identifier` is a keyed hash (hexadecimal)."""
        return ItemGate(self, identifier, tuple(paths))


@dataclass(frozen=True)
class ItemGate:
    """One image or series at the gate."""

    gate: Gate
    identifier: str
    paths: tuple[Openable, ...]

    def image(self, grey: Grey) -> Grey:
        """The image with known regions blackened, if it may be used. Raises Refusal (waits, or was rejected)."""
        released = self._released()
        known = self._known(grey)
        covered = _covered(grey, known)
        if not released:
            self._look([covered], [known])
        return covered

    def slices(self, slices: Iterator[tuple[int, Grey]]) -> Iterator[tuple[int, Grey]]:
        """The slices of a series, each with known regions blackened; raises Refusal once a group does not pass."""
        released = self._released()
        for group in batched(slices, _GROUP):
            known = [self._known(grey) for _, grey in group]
            covered = [(place, _covered(grey, places)) for (place, grey), places in zip(group, known)]
            if not released:
                self._look([grey for _, grey in covered], known)
            yield from covered

    def _known(self, grey: Grey) -> Known:
        return known_regions(grey.header, grey.stored.shape, self.gate.rules.catalogue)

    def _look(self, group: Sequence[Grey], known: Sequence[Known]) -> None:
        verdict = look_at(group, known, self.gate.rules)
        if verdict.outcome is Outcome.QUARANTINED:
            modality = text(group[0].header, "Modality")
            self.gate.store.put(self.identifier, self._content(), verdict, modality, len(self.paths))
            raise Refusal(Reason.BURNED_IN)

    def _released(self) -> bool:
        """Whether a person released this very content. Raises Refusal if it was rejected."""
        store = self.gate.store
        if not store.knows(self.identifier):
            return False
        state = store.state_of(self.identifier, self._content())
        if state is State.REJECTED:
            raise Refusal(Reason.REJECTED)
        return state is State.RELEASED

    def _content(self) -> str:
        """What names the content of the files. Raises Refusal for one that is gone, or a link, by now."""
        try:
            return content_digest(self.paths)
        except LinkError as error:
            raise Refusal(Reason.LINK) from error
        except OSError as error:
            raise Refusal(Reason.NOT_A_FILE) from error


def check_frames(frames: Iterable[Grey], known: Known, rules: Rules) -> None:
    """Raises Refusal if any frame of an object, whose known regions are black, may show who the patient is."""
    for group in batched(frames, _GROUP):
        if look_at(group, [known] * len(group), rules).outcome is Outcome.QUARANTINED:
            raise Refusal(Reason.SHOWN)


def look_at(group: Sequence[Grey], known: Sequence[Known], rules: Rules) -> Verdict:
    """The verdict on slices or frames of one size, whose known regions are black. Raises Refusal."""
    # The libraries that look at pictures have errors of their own, and what could not be looked at is not used.
    with refusing(Reason.UNSEEN):
        return examine(
            [grey.header for grey in group], np.stack([grey.stored for grey in group]), rules, known
        )


def _covered(grey: Grey, known: Known) -> Grey:
    if not known.regions:
        return grey
    return replace(grey, stored=blackened(grey.header, grey.stored, known.regions))


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
