"""Which test images are of the same patient, so that intervals can draw patients instead of images.

A data set does not say: it holds pixels and labels only. Whoever has the images and the split key can find out
by repeating the intake's first pass.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wardround.errors import RefusedError
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.items import Item, make_items
from wardround.imaging.labels import LabelTable, read_labels
from wardround.imaging.scan import ScanRule, label_hash, list_files, scan_file
from wardround.imaging.volumes.layout import LayoutRule
from wardround.imaging.workspace import REFUSALS

_MOST_BYTES = 1 << 30


def patients_of_test_split(
    source: Path, labels: Path, split_key: Path, dataset: Path, truth: NDArray[np.int32]
) -> NDArray[np.str_]:
    """A name for the patient of every test image, str [N], in the data set's order.

    source, labels, split_key: what the intake was given; truth: the test split's labels, int32 [N].
    Raises RefusedError (`other-images`) when the images are not those of the data set.
    """
    info = DatasetInfo.load(dataset)
    found = _test_items(source, labels, split_key.read_bytes(), info)
    refused = {line.rsplit(",", 1)[0] for line in (dataset / REFUSALS).read_text().splitlines()[1:]}
    items = [(item, patient) for item, patient in found if refused.isdisjoint(item.paths)]
    if not np.array_equal([item.label for item, _ in items], truth):
        raise RefusedError(
            f"{source} does not hold the images that {dataset} was made of; preprocess them again",
            code="other-images",
        )
    return np.array([patient for _, patient in items])


def _test_items(source: Path, labels: Path, key: bytes, info: DatasetInfo) -> list[tuple[Item, str]]:
    table = read_labels(labels, info.labels)
    rule = ScanRule(
        key=key,
        label_keyword=table.keyword,
        modality=tuple(map(str, _listed(info, "modality"))),
        fractions=tuple(float(str(share)) for share in _listed(info, "fractions")),
        max_bytes=_MOST_BYTES,
        volumes=len(info.shape) == 4,
    )
    files = [scan_file(source, path, rule) for path in list_files(source)]
    hashed = LabelTable(table.column, {label_hash(key, name): index for name, index in table.classes.items()})
    items, _ = make_items(files, hashed, _rule(info) if rule.volumes else None)
    patients = {file.path: file.patient for file in files}
    return [(item, patients[item.paths[0]]) for item in items if item.split == "test"]


def _rule(info: DatasetInfo) -> LayoutRule:
    return LayoutRule(int(str(info.settings["min_slices"])), metric=info.settings.get("spacing") is not None)


def _listed(info: DatasetInfo, name: str) -> list[object]:
    value = info.settings.get(name)
    return list(value) if isinstance(value, list) else []
