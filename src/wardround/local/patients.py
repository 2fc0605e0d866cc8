"""Which test images are of the same patient, so that intervals can draw patients instead of images.

A data set does not say: it holds pixels and labels only. Whoever has the images and the split key can find out
by repeating the intake's first pass.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wardround.csv_cells import cell
from wardround.errors import RefusedError
from wardround.imaging.assignments import Assignments
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.items import Item, make_items
from wardround.imaging.labels import read_labels
from wardround.imaging.scan import ScanRule, list_files, scan_file
from wardround.imaging.volumes.layout import LayoutRule
from wardround.imaging.workspace import read_refusals

_MOST_BYTES = 1 << 30


def patients_of_test_split(
    source: Path, labels: Path, split_key: Path, assignments: Path, dataset: Path, truth: NDArray[np.int32]
) -> NDArray[np.str_]:
    """A name for the patient of every test image, str [N], in the data set's order.

    source, labels, split_key, assignments (folder): what the intake was given.
    truth: the test split's labels, int32 [N].
    Raises RefusedError (`other-images`) when the images are not those of the data set.
    """
    info = DatasetInfo.load(dataset)
    key = split_key.read_bytes()
    fractions = [float(str(share)) for share in _listed(info, "fractions")]
    splits = Assignments.of(assignments, key, fractions).read()
    found = [item for item in _items(source, labels, key, info) if splits.get(item.patient) == "test"]
    refused = read_refusals(dataset)
    items = [item for item in found if refused.isdisjoint(map(cell, item.paths))]
    if not np.array_equal([item.label for item in items], truth):
        raise RefusedError(
            f"{source} does not hold the images that {dataset} was made of; preprocess them again",
            code="other-images",
        )
    return np.array([item.patient for item in items])


def _items(source: Path, labels: Path, key: bytes, info: DatasetInfo) -> list[Item]:
    table = read_labels(labels, info.labels).hashed(key)
    rule = ScanRule(
        key=key,
        modality=tuple(map(str, _listed(info, "modality"))),
        max_bytes=_MOST_BYTES,
        volumes=len(info.shape) == 4,
    )
    files = [scan_file(source, path, rule) for path in list_files(source)]
    items, _ = make_items(files, table, _rule(info) if rule.volumes else None)
    return items


def _rule(info: DatasetInfo) -> LayoutRule:
    return LayoutRule(int(str(info.settings["min_slices"])), metric=info.settings.get("spacing") is not None)


def _listed(info: DatasetInfo, name: str) -> list[object]:
    value = info.settings.get(name)
    return list(value) if isinstance(value, list) else []
