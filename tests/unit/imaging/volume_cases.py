"""What the tests of volumes share: the intake's own way from a folder of files to one volume."""

from collections import Counter
from pathlib import Path

import numpy as np

from wardround.imaging.decode import decode_item
from wardround.imaging.items import Item, Refused, make_items
from wardround.imaging.labels import LabelTable, Said
from wardround.imaging.reading.header import quiet
from wardround.imaging.reasons import Reason
from wardround.imaging.scan import Found, ScanRule, list_files, scan_file
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.volumes.layout import layout_rule
from wardround.imaging.volumes.volume import Volume, read_volume

KEY = b"0123456789abcdef"


def scan(folder: Path, settings: IntakeSettings) -> list[Found]:
    """The first pass over a folder."""
    rule = ScanRule(
        key=KEY,
        modality=settings.modality,
        max_bytes=settings.max_bytes,
        volumes=True,
    )
    return [scan_file(folder, path, rule) for path in list_files(folder)]


def items_of(found: list[Found], settings: IntakeSettings) -> tuple[list[Item], list[Refused]]:
    """Items of scanned files, all with the first label."""
    keys = [key for file in found for key in file.label_keys.items()]
    return make_items(found, LabelTable({key: Said(0, 1, {}) for key in keys}, {}), layout_rule(settings))


def reasons(refused: list[Refused]) -> Counter[Reason]:
    return Counter(entry.reason for entry in refused)


def volume_of(folder: Path, settings: IntakeSettings) -> Volume:
    """The one volume of a folder. Fails if there is none, or more."""
    items, refused = items_of(scan(folder, settings), settings)
    assert len(items) == 1, reasons(refused)
    assert items[0].layout is not None
    with quiet():
        return read_volume([folder / path for path in items[0].paths], items[0].layout, settings)


def decoded(folder: Path, settings: IntakeSettings) -> np.ndarray:
    """The one volume of a folder as it is stored, [D, H, W]."""
    items, refused = items_of(scan(folder, settings), settings)
    assert len(items) == 1, reasons(refused)
    return decode_item([folder / path for path in items[0].paths], settings, items[0].layout)[..., 0].astype(
        int
    )


def refusal(folder: Path, settings: IntakeSettings) -> str:
    """The reason for which all of a folder's files, or all that were not left out, are refused."""
    items, refused = items_of(scan(folder, settings), settings)
    assert not items
    (reason,) = set(reasons(refused)) - {Reason.NOT_USED}
    return reason.value
