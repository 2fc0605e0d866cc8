"""Rectangles that are known to hold text, from the object itself or from a catalogue of devices."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydicom.dataset import Dataset

from wardround.errors import ConfigurationError
from wardround.imaging.burned_in.verdict import Box
from wardround.imaging.reading.header import text
from wardround.limited_files import read_limited

# Of a hospital's own catalogue.
MAX_BYTES = 1 << 20

Edge = Annotated[float, Field(ge=0, le=1)]

_ASKED = {
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "modality": "Modality",
    "rows": "Rows",
    "columns": "Columns",
}
# What is hidden beside ultrasound regions could hold a line of text if it is so high and so long, in pixels.
_LINE_HIGH, _LINE_LONG = 8, 32


class Device(BaseModel):
    """A kind of device whose images have text in the same places.

    manufacturer, model: compared without regard to case or surrounding space; an empty model stands for all.
    rows, columns: the size that the rectangles were measured on; None stands for all sizes.
    blacken: rectangles (left, top, right, bottom) as shares of columns and rows.
    complete: somebody vouches that such a device writes nowhere else, so a header that announces text is answered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    manufacturer: Annotated[str, Field(min_length=1)]
    model: str = ""
    modality: str = ""
    rows: Annotated[int, Field(ge=1)] | None = None
    columns: Annotated[int, Field(ge=1)] | None = None
    blacken: Annotated[tuple[tuple[Edge, Edge, Edge, Edge], ...], Field(min_length=1)]
    complete: bool = False

    def matches(self, said: Mapping[str, str]) -> bool:
        """Whether an object that says this about its origin comes from such a device."""
        wanted = ((name, str(getattr(self, name) or "").strip().casefold()) for name in _ASKED)
        return all(not want or want == said[name] for name, want in wanted)


class Catalogue(BaseModel):
    """Devices, the hospital's own first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    devices: tuple[Device, ...] = ()

    def device_of(self, header: Dataset) -> Device | None:
        """The first device that an object may come from."""
        said = {name: text(header, keyword).casefold() for name, keyword in _ASKED.items()}
        return next((device for device in self.devices if device.matches(said)), None)


class Known(NamedTuple):
    """What is known about the places of text in an image.

    regions: what to blacken, all within the image; answered: whether that answers an announcement of text.
    """

    regions: tuple[Box, ...]
    answered: bool


def load_catalogue(own: Path | None = None) -> Catalogue:
    """The catalogue that comes with Wardround, after the devices of a hospital's own YAML or JSON file.

    Raises ConfigurationError if a file cannot be read or holds something else.
    """
    shipped = _shipped()
    if own is None:
        return shipped
    try:
        content = read_limited(own, MAX_BYTES, "device catalogue").decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"device catalogue {own} cannot be read ({type(error).__name__})") from error
    return Catalogue(devices=(*_parse(content, own.name).devices, *shipped.devices))


def known_regions(header: Dataset, shape: Sequence[int], catalogue: Catalogue) -> Known:
    """What is known about frames of shape (rows, columns).

    To be blackened is what lies outside of ultrasound regions (PS3.3 C.8.5.5), of a rectangular shutter (C.7.6.11) or
    collimator (C.8.7.3), and what the first device that matches says. An announcement of text is answered by a device
    that somebody vouches for, and by ultrasound regions that leave room for a line beside them: a region that is
    the whole screen hides nothing.
    """
    rows, columns = shape
    device = catalogue.device_of(header)
    beside = _outside(_ultrasound(header), rows, columns)
    boxes = [
        *beside,
        *_outside(_edges(header, "Shutter"), rows, columns),
        *_outside(_edges(header, "Collimator"), rows, columns),
        *(_scaled(share, rows, columns) for share in (device.blacken if device else ())),
    ]
    clipped = (box.within(rows, columns) for box in boxes)
    regions = tuple(dict.fromkeys(box for box in clipped if not box.is_empty))
    answered = (device is not None and device.complete) or any(map(_holds_a_line, beside))
    return Known(regions, answered)


def black_out(frames: np.ndarray, regions: Iterable[Box], value: float) -> np.ndarray:
    """A copy of frames [..., rows, columns] with the regions set to `value`; the frames themselves without any."""
    boxes = list(regions)
    if not boxes:
        return frames
    rows, columns = frames.shape[-2:]
    covered = frames.copy()
    for box in boxes:
        left, top, right, bottom = box.within(rows, columns)
        covered[..., top:bottom, left:right] = value
    return covered


@lru_cache(maxsize=1)
def _shipped() -> Catalogue:
    return _parse(files(__package__).joinpath("devices.yaml").read_text("utf-8"), "devices.yaml")


def _parse(content: str, name: str) -> Catalogue:
    try:
        return Catalogue.model_validate(yaml.safe_load(content))
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(f"device catalogue {name} is not valid: {error}") from error


def _holds_a_line(box: Box) -> bool:
    sides = sorted((box.right - box.left, box.bottom - box.top))
    return sides[0] >= _LINE_HIGH and sides[1] >= _LINE_LONG


def _scaled(share: Sequence[float], rows: int, columns: int) -> Box:
    left, top, right, bottom = share
    return Box(
        int(left * columns), int(top * rows), int(np.ceil(right * columns)), int(np.ceil(bottom * rows))
    )


def _ultrasound(header: Dataset) -> list[Box]:
    names = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    boxes = []
    for item in header.get("SequenceOfUltrasoundRegions") or ():
        if all(item.get(name) is not None for name in names):
            left, top, right, bottom = (int(item.get(name)) for name in names)
            boxes.append(Box(left, top, right + 1, bottom + 1))
    return [box for box in boxes if not box.is_empty]


def _edges(header: Dataset, kind: str) -> list[Box]:
    value = header.get(f"{kind}Shape")
    if "RECTANGULAR" not in ([value] if isinstance(value, str) else list(value or ())):
        return []
    sides = ("LeftVertical", "UpperHorizontal", "RightVertical", "LowerHorizontal")
    given = [header.get(f"{kind}{side}Edge") for side in sides]
    if any(edge is None for edge in given):
        return []
    left, top, right, bottom = (int(edge) for edge in given)
    # Edges are pixel numbers that count from 1, and belong to what is hidden.
    box = Box(left, top, right - 1, bottom - 1)
    return [] if box.is_empty else [box]


def _outside(seen: Sequence[Box], rows: int, columns: int) -> list[Box]:
    """Rectangles that cover everything but `seen`; none if nothing is known to be seen."""
    seen = [box for box in (box.within(rows, columns) for box in seen) if not box.is_empty]
    if not seen:
        return []
    hidden: list[Box] = []
    cuts = sorted({0, rows, *(box.top for box in seen), *(box.bottom for box in seen)})
    for top, bottom in pairwise(cuts):
        at = 0
        for left, right in sorted((b.left, b.right) for b in seen if b.top <= top and b.bottom >= bottom):
            hidden.append(Box(at, top, left, bottom))
            at = max(at, right)
        hidden.append(Box(at, top, columns, bottom))
    return [box for box in hidden if not box.is_empty]
