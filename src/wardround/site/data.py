"""A site's own examples, read from its shards once and kept in memory."""

from pathlib import Path

from wardround.errors import ConfigurationError
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.shards import load_split
from wardround.plan.data import Examples
from wardround.site.train import SplitName

SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


class ShardedData:
    """The data set in a folder of shards. Raises ConfigurationError without one, DatasetError for a damaged one."""

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise ConfigurationError("--data is not given; name the folder of a dataset")
        self._folder = folder
        self._info = DatasetInfo.load(folder)
        self._loaded: dict[str, Examples] = {}

    def counts(self) -> dict[SplitName, int]:
        """How many examples each split has."""
        splits = self._info.splits
        return {name: splits[name].count for name in SPLITS if name in splits}

    def examples(self, split: str) -> Examples:
        """The examples of a split; the same object every time."""
        if split not in self._loaded:
            arrays = load_split(self._folder, split)
            self._loaded[split] = Examples(arrays.images, arrays.labels, self._info.scale)
        return self._loaded[split]
