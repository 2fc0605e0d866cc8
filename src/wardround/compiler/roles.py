"""What each leaf of an update is, as TFF's aggregators of a recipe put it there.

A MapReduceForm lists what is summed in the order in which a process sums it, one entry of a struct each. In
tff.learning's processes that is: figures of the training, and then the weighted mean of the changes. In one, from
outside in (`aggregators/robust.py`, `quantile_estimation.py` and `mean.py` of TFF 0.87):

    zeroing:   how many norms are below its estimate, [all that is inside], how many changes were zeroed
    clipping:  how many norms are below its estimate (where it is adaptive), [inside], how many were clipped
    mean:      sum of change × weight, sum of weights

Mime Lite has a second mean of the same making, of full gradients, before the figures; nobody asks for its counts.
That this is so is checked here, entry by entry, and by a test that trains with known numbers.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wardround.compiler.aggregation import ZEROING_INCREMENT, ZEROING_MULTIPLIER
from wardround.compiler.failure import CompilerFailure

Entry = list[dict[str, Any]]
_FIGURES = ("loss_sum", "correct", "num_examples")


def update_roles(
    recipe: Mapping[str, Any], parts: Mapping[str, Any], shapes: Sequence[Sequence[int]]
) -> dict[str, Any] | None:
    """The manifest's `update_roles`, by the names of the sum's leaves; None where TFF's processes are not known.

    `parts`: the entries of the training's parts; `shapes`: of the trainable weights, in order. Of a custom process
    nothing is known, and securely summed tensors are integers that only their sum gives a meaning.
    Raises CompilerFailure when TFF sums other things than these.
    """
    algorithm, aggregation = recipe["algorithm"]["name"], recipe["aggregation"]
    if algorithm == "custom" or aggregation["secure"]:
        return None
    reader = _Reader(parts, aggregation, shapes)
    gradient = reader.mean("client_work", counts=False) if algorithm == "mimelite" else None
    figures = reader.figures()
    roles = {"change": reader.mean("aggregator", counts=True), "gradient": gradient, **figures}
    reader.end()
    return roles


class _Reader:
    """The entries of a sum, taken one by one."""

    def __init__(
        self, parts: Mapping[str, Any], aggregation: Mapping[str, Any], shapes: Sequence[Sequence[int]]
    ) -> None:
        self._entries = _entries(parts["accumulate"]["results"]["sum"])
        self._state = [leaf["name"] for leaf in parts["update"]["results"]["state"]]
        self._robust = aggregation["robust"] or {"clip": "none", "zero": False}
        self._compressed = aggregation["compressed"]
        self._shapes = [list(shape) for shape in shapes]

    def figures(self) -> dict[str, str]:
        """The sums that a training's figures are made of."""
        entry = self._next("figures")
        found = {leaf["name"].rsplit("/", 1)[-1]: leaf["name"] for leaf in entry}
        if tuple(found) != _FIGURES:
            raise CompilerFailure(f"TFF sums {', '.join(found)} where {', '.join(_FIGURES)} are expected")
        return found

    def mean(self, where: str, *, counts: bool) -> dict[str, Any]:
        """A weighted mean, whose norms are in the state below `where`."""
        clip, zero = self._robust["clip"], self._robust["zero"]
        below_zeroing = self._below() if zero else None
        below_clipping = self._below() if clip == "adaptive" else None
        value, weight = self._value(), self._scalar("weight", "float32")
        return {
            "value": value,
            "weight": weight,
            "clipping": self._bound(clip, where, below_clipping, counts) if clip != "none" else None,
            "zeroing": self._bound("zeroing", where, below_zeroing, counts) if zero else None,
        }

    def end(self) -> None:
        """Raises CompilerFailure when something is left."""
        if (left := next(self._entries, None)) is not None:
            raise CompilerFailure(f"TFF sums {left[0]['name']}, which is not known to be part of an update")

    def _bound(self, kind: str | float, where: str, below: Any, counts: bool) -> dict[str, Any]:
        factor, plus, leaf = 1.0, 0.0, None
        if kind == "zeroing":
            factor, plus, leaf = ZEROING_MULTIPLIER, ZEROING_INCREMENT, self._estimate(where, "zeroing_norm")
        elif kind == "adaptive":
            leaf = self._estimate(where, "clipping_norm")
        else:
            factor, plus = 0.0, float(kind)
        return {
            "estimate": leaf,
            "factor": factor,
            "plus": plus,
            "below": below[0] if below else None,
            "ones": below[1] if below else None,
            "count": self._scalar("a count", "int32") if counts else None,
        }

    def _below(self) -> tuple[str, str]:
        entry = self._next("an estimate's counts")
        _expect(entry, "an estimate's counts", [([], "float32"), ([], "float32")])
        return entry[0]["name"], entry[1]["name"]

    def _value(self) -> list[str]:
        entry = self._next("change")
        if self._compressed:  # the sum also counts how many were decoded
            entry = [leaf for leaf in entry if "/values/0/" in f"/{leaf['name']}"]
            entry = [
                {**leaf, "shape": [math.prod(leaf["shape"])]} for leaf in entry
            ]  # and flattens the large ones
        shapes = [[math.prod(shape)] if self._compressed else shape for shape in self._shapes]
        _expect(entry, "change", [(shape, "float32") for shape in shapes])
        return [leaf["name"] for leaf in entry]

    def _scalar(self, what: str, dtype: str) -> str:
        entry = self._next(what)
        _expect(entry, what, [([], dtype)])
        return str(entry[0]["name"])

    def _estimate(self, where: str, norm: str) -> str:
        found = [n for n in self._state if n.startswith(where) and n.endswith(f"{norm}/0/current_estimate")]
        if len(found) != 1:
            raise CompilerFailure(
                f"TFF's state has {len(found)} estimates of a {norm} in {where}, expected is 1"
            )
        return str(found[0])

    def _next(self, what: str) -> Entry:
        if (entry := next(self._entries, None)) is None:
            raise CompilerFailure(f"TFF sums fewer things than known: {what} is missing")
        return entry


def _entries(leaves: Entry) -> Iterator[Entry]:
    groups: dict[str, Entry] = {}
    for leaf in leaves:
        groups.setdefault(leaf["name"].split("/")[0], []).append(leaf)
    return iter(groups.values())


def _expect(entry: Entry, what: str, specs: list[tuple[list[int], str]]) -> None:
    found = [(list(leaf["shape"]), leaf["dtype"]) for leaf in entry]
    if found != specs:
        raise CompilerFailure(f"TFF sums tensors {found} where {what} is expected, which would be {specs}")
