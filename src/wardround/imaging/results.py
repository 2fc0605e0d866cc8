"""The file of a decoded chunk: images and labels of those items that are used, and what was refused of the others."""

import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import TypeAdapter

from wardround.imaging.items import Refused

_EARLIER = ".earlier.npz"
_REFUSED = TypeAdapter(tuple[tuple[int, Refused], ...])


@dataclass(frozen=True)
class Results:
    """What became of a chunk's items.

    items: the first digits of each item's hash, in the chunk's order; images: uint8 or uint16 [n, …, 1]; labels:
    int32 [n]; places: [n], which items of the chunk they are, ascending; refused: files, each with its item's place.
    """

    items: tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    refused: tuple[tuple[int, Refused], ...]

    @classmethod
    def of(
        cls,
        items: Iterable[str],
        images: Mapping[int, tuple[np.ndarray, int]],
        refused: Iterable[tuple[int, Refused]],
    ) -> Self:
        """Results for these items, of an image and a label by place, and of refusals."""
        places = sorted(images)
        return cls(
            tuple(items),
            np.stack([images[place][0] for place in places]) if places else np.empty(0, np.uint8),
            np.array([images[place][1] for place in places], np.int32),
            np.array(places, np.int32),
            tuple(sorted(refused, key=lambda one: one[0])),
        )

    def by_place(self) -> dict[int, tuple[np.ndarray, int]]:
        """Each image and label by its item's place."""
        pairs = zip(self.images, self.labels.tolist(), strict=True)
        return dict(zip(self.places.tolist(), pairs, strict=True))

    def without(self, changed: Container[str]) -> Self:
        """The results but for the items in `changed`; the very same if there are none."""
        again = {place for place, item in enumerate(self.items) if item in changed}
        if not again:
            return self
        images = {place: image for place, image in self.by_place().items() if place not in again}
        return self.of(self.items, images, [one for one in self.refused if one[0] not in again])

    def write(self, path: Path) -> None:
        """Writes the file, which appears when it is complete."""
        reasons = np.frombuffer(_REFUSED.dump_json(self.refused), np.uint8)
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as stream:
            np.savez(
                stream,
                items=np.array(self.items, str),
                images=self.images,
                labels=self.labels,
                places=self.places,
                refused=reasons,
            )
        os.replace(part, path)


def read_results(path: Path, *, images: bool = True) -> Results:
    """Reads a file; without its images if they are not wanted, which takes no memory."""
    with np.load(path, allow_pickle=False) as stored:
        return Results(
            tuple(stored["items"].tolist()),
            stored["images"] if images else np.empty(0, np.uint8),
            stored["labels"],
            stored["places"],
            _REFUSED.validate_json(stored["refused"].tobytes()),
        )


def earlier_path(result: Path) -> Path:
    """Where a part of a chunk's results lies that an earlier intake had."""
    return result.with_suffix(_EARLIER)


def is_earlier(path: Path) -> bool:
    """Whether a file is such a part."""
    return path.name.endswith(_EARLIER)
