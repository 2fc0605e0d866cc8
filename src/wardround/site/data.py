"""A site's own examples, read from its shards once and kept in memory."""

from pathlib import Path

from wardround.errors import ConfigurationError, RefusedError
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.shards import load_split
from wardround.plan.data import Examples
from wardround.plan.program import Program
from wardround.site.train import SplitName
from wardround.text import foreign

SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


class ShardedData:
    """The data set in a folder of shards. Raises ConfigurationError without one, DatasetError for a damaged one."""

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise ConfigurationError("--data is not given; name the folder of a dataset")
        self._folder = folder
        self._info = DatasetInfo.load(folder)
        self._loaded: dict[str, Examples] = {}

    def check(self, program: Program) -> None:
        """Is this what the plan learns from? Its labels in their order, which is all that a class's number means, and
        images of its size. Raises RefusedError (`wrong-dataset`) with what to do.
        """
        info, labels = self._info, program.recipe.task.labels
        if info.labels != labels:
            raise _other("labels", info.labels, labels)
        wanted = program.image_shape
        fits = len(info.shape) == len(wanted) and all(n in (None, m) for n, m in zip(wanted, info.shape))
        if not fits:
            raise _other("images of", info.shape, wanted)
        self._check_spacing(program.recipe.task.image.spacing)

    def _check_spacing(self, wanted: tuple[float, ...] | None) -> None:
        """Of volumes, in mm; a data set that was not made here may not say it."""
        if "spacing" not in self._info.settings:
            return
        stated = self._info.settings["spacing"]
        found = tuple(stated) if isinstance(stated, list) else ()
        if found != (wanted or ()):
            raise _other("voxels (mm) of", found or ("any size",), wanted or ("any size",))

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


def _other(what: str, found: tuple[object, ...], wanted: tuple[object, ...]) -> RefusedError:
    has, needs = (", ".join(foreign(str(each), 64) for each in values) for values in (found, wanted))
    return RefusedError(
        f"the data set has {what} {has}; the plan learns {what} {needs}, in this order: preprocess again with the "
        "plan's recipe (`wardround plan show` prints it). Nothing was trained or sent",
        code="wrong-dataset",
    )
