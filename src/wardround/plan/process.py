"""The compiled learning process: its parts in typed, named steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wardround.errors import RefusedError
from wardround.plan.data import Array, Examples, Pipeline
from wardround.plan.format import SUM_KINDS, Leaf, Part, Plan, ProcessParts
from wardround.plan.graph import GraphRunner
from wardround.plan.review import reviewed
from wardround.recipe import Recipe

Tensors = dict[str, Array]
STORED_SCALE = {"uint8": 1 / 255, "uint16": 1 / 65535, "float32": 1.0}


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype of one tensor."""

    shape: tuple[int, ...]
    dtype: str


class Process:
    """Names are those of TFF's types: `state/…`, broadcast leaves, and updates as `<kind of sum>/<leaf>`."""

    def __init__(
        self,
        plan: Plan,
        parts: ProcessParts,
        image_shape: tuple[int | None, ...],
        recipe: Recipe,
        threads: int | None,
    ) -> None:
        self.parts = parts
        self._plan = plan
        self._image_shape = image_shape
        self._recipe = recipe
        self._threads = threads
        self._runners: dict[str, GraphRunner] = {}
        self._workers: dict[str, tuple[GraphRunner, Pipeline]] = {}

    def initialize(self) -> Tensors:
        """Return the initial state."""
        found = self.run(self.parts.initialize, {}, "state")
        return {f"state/{name}": value for name, value in found.items()}

    def prepare(self, state: Tensors) -> Tensors:
        """state → broadcast."""
        part = self.parts.prepare
        return self.run(part, flat(part.arguments["state"], state, "state/"), "broadcast")

    def work(self, examples: Examples, order: Array, broadcast: Mapping[str, Array]) -> Tensors:
        """(examples in order, broadcast) → update, named `<kind of sum>/<leaf>`."""
        part = self.parts.work
        runner, pipeline = self._worker(str(examples.images.dtype))
        pipeline.bind(examples, order)
        names, tensors = _leaves(part.results, SUM_KINDS)
        values = runner.run(flat(part.arguments["broadcast"], broadcast, ""), tensors)
        return dict(zip(names, values, strict=True))

    def update(self, state: Tensors, aggregate: Tensors) -> tuple[Tensors, dict[str, Any]]:
        """(state, aggregate) → (state, measurements)."""
        part = self.parts.update
        feeds = flat(part.arguments["state"], state, "state/")
        for kind in SUM_KINDS:
            feeds |= flat(part.arguments[kind], aggregate, f"{kind}/")
        leaves = [*part.results["state"], *part.results["measurements"]]
        values = self.runner(part).run(feeds, [leaf.tensor for leaf in leaves])
        count = len(part.results["state"])
        new = {f"state/{leaf.name}": v for leaf, v in zip(leaves[:count], values[:count], strict=True)}
        found = {leaf.name: plain(v) for leaf, v in zip(leaves[count:], values[count:], strict=True)}
        return new, found

    def run(self, part: Part, feeds: Mapping[str, Any], result: str) -> Tensors:
        """Run a part and return one of its results by leaf names."""
        leaves = part.results[result]
        values = self.runner(part).run(feeds, [leaf.tensor for leaf in leaves])
        return {leaf.name: value for leaf, value in zip(leaves, values, strict=True)}

    def runner(self, part: Part) -> GraphRunner:
        """The warm session of a part."""
        if part.file not in self._runners:
            self._runners[part.file] = GraphRunner(part, reviewed(self._plan, part), threads=self._threads)
        return self._runners[part.file]

    def _worker(self, dtype: str) -> tuple[GraphRunner, Pipeline]:
        if dtype not in self._workers:
            made: list[Pipeline] = []

            def pipeline() -> Pipeline:
                made.append(Pipeline(self._image_shape, dtype, self._recipe.algorithm.client.batch_size))
                return made[0]

            graph = reviewed(self._plan, self.parts.work)
            runner = GraphRunner(self.parts.work, graph, threads=self._threads, pipeline=pipeline)
            self._workers[dtype] = (runner, made[0])
        return self._workers[dtype]

    @cached_property
    def state_spec(self) -> dict[str, TensorSpec]:
        """What a state consists of."""
        return _specs(self.parts.update.results["state"], "state/")

    @cached_property
    def broadcast_spec(self) -> dict[str, TensorSpec]:
        """What a site receives."""
        return _specs(self.parts.work.arguments["broadcast"], "")

    @cached_property
    def update_spec(self) -> dict[str, TensorSpec]:
        """What a site sends."""
        found: dict[str, TensorSpec] = {}
        for kind in SUM_KINDS:
            found |= _specs(self.parts.work.results[kind], f"{kind}/")
        return found

    @cached_property
    def adds_as_sent(self) -> bool:
        """Whether the plain part of an update has the names, shapes and dtypes of its sum: then nothing is decoded."""
        accumulate = self.parts.accumulate
        sent, total = accumulate.arguments["update"], accumulate.results["sum"]
        return _specs(sent, "") == _specs(total, "")

    @cached_property
    def limits(self) -> dict[str, int]:
        """The exclusive upper bound of each securely summed tensor of an update."""
        results = self.parts.work.results
        return {
            f"{kind}/{leaf.name}": limit
            for kind, limits in self.parts.secure.by_kind().items()
            for leaf, limit in zip(results[kind], limits, strict=True)
        }


def flat(leaves: Iterable[Leaf], tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return feeds for leaves from tensors named `<prefix><leaf>`. Raises RefusedError where one is missing."""
    try:
        return {leaf.tensor: tensors[f"{prefix}{leaf.name}"] for leaf in leaves}
    except KeyError as error:
        raise RefusedError(f"tensor {error.args[0]!r} is missing", code="wrong-tensors") from error


def unprefixed(tensors: Mapping[str, Array], prefix: str) -> Tensors:
    """Return the tensors under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def plain(value: Array) -> Any:
    """A measurement as JSON: a number, or nested lists."""
    return value.item() if value.shape == () else value.tolist()


def _leaves(results: Mapping[str, tuple[Leaf, ...]], kinds: Iterable[str]) -> tuple[list[str], list[str]]:
    pairs = [(f"{kind}/{leaf.name}", leaf.tensor) for kind in kinds for leaf in results[kind]]
    return [name for name, _ in pairs], [tensor for _, tensor in pairs]


def _specs(leaves: Iterable[Leaf], prefix: str) -> dict[str, TensorSpec]:
    """Shapes are fixed: a manifest with an open one can't be made."""
    shapes = {leaf.name: tuple(side for side in leaf.shape if side is not None) for leaf in leaves}
    return {f"{prefix}{leaf.name}": TensorSpec(shapes[leaf.name], leaf.dtype) for leaf in leaves}
