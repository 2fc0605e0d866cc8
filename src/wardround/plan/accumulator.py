"""The streaming sum of updates: one update in memory at a time, in the order given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wardround.errors import RefusedError
from wardround.plan.data import Array
from wardround.plan.norms import largest
from wardround.plan.process import Process, Tensors, flat


class Accumulator:
    """Adds updates of one kind. Plain parts run through TFF's `accumulate`; secure ones are integer sums.

    No sum wraps around: an update that would take an integer beyond its dtype is refused before it is added.
    """

    def __init__(self, process: Process, prefix: str) -> None:
        self._process = process
        self._prefix = prefix
        self._plain = process.run(process.parts.zero, {}, "sum")
        self._secure: Tensors = {}
        # The largest absolute value that each integer sum can have reached.
        self._reached: dict[str, int] = {}
        self._modulus = {
            f"secure_modular/{leaf.name}": modulus
            for leaf, modulus in zip(
                process.parts.work.results["secure_modular"], process.parts.secure.modulus, strict=True
            )
        }
        self.count = 0

    def add(self, update: Tensors) -> None:
        """Add one site's update (names `<kind>/…`; other kinds are ignored).

        Raises RefusedError, and has then added nothing: `wrong-tensors` if one is missing, `overflow` if a sum would
        leave its dtype, `graph-failed` if the plan's own sum fails on it, `not-summable` if it is not finite any more.
        """
        own = {n.removeprefix(self._prefix): v for n, v in update.items() if n.startswith(self._prefix)}
        reached = self._room(own)
        plain = accumulated(self._process, self._plain, own)
        self._secure = {
            name: self._added(name, own) for name in self._process.update_spec if _is_secure(name)
        }
        self._plain, self._reached = plain, reached
        self.count += 1

    def _room(self, own: Tensors) -> dict[str, int]:
        reached = dict(self._reached)
        for name in self._summed_integers(own):
            value = own[name]
            reached[name] = reached.get(name, 0) + (int(largest(value)) if value.size else 0)
            if reached[name] > int(np.iinfo(value.dtype).max):
                raise RefusedError(
                    f"{self._prefix}{name} would take the sum beyond {value.dtype}", code="overflow"
                )
        return reached

    def _summed_integers(self, own: Tensors) -> list[str]:
        """What is added as it is. (Compressed integers are not: they are decoded first.)"""
        summed = {f"plain/{leaf.name}" for leaf in self._process.parts.accumulate.results["sum"]}
        return [
            name
            for name, value in own.items()
            if np.issubdtype(value.dtype, np.integer)
            and (name in summed or (_is_secure(name) and name not in self._modulus))
        ]

    def _added(self, name: str, own: Tensors) -> Array:
        before, value = self._secure.get(name), own[name]
        if name in self._modulus:
            zero = np.zeros_like(value) if before is None else before
            return _added_modulo(zero, value % self._modulus[name], self._modulus[name])
        return value if before is None else before + value

    def result(self) -> Tensors:
        """Return the aggregate, named `<kind of sum>/<leaf>`. Raises RefusedError when nothing was added."""
        if not self.count:
            raise RefusedError(
                "no update was added: there is nothing to aggregate", code="nothing-to-aggregate"
            )
        part = self._process.parts.report
        found = self._process.run(part, flat(part.arguments["sum"], self._plain, ""), "plain")
        return {f"plain/{name}": value for name, value in found.items()} | self._secure


def accumulated(process: Process, before: Tensors, own: Mapping[str, Array]) -> Tensors:
    """The plain sum with one more update (names `<kind of sum>/<leaf>`).

    Raises RefusedError: `wrong-tensors`, `graph-failed`, `not-summable`.
    """
    part = process.parts.accumulate
    if not part.results["sum"]:
        return before
    feeds = flat(part.arguments["sum"], before, "") | flat(part.arguments["update"], own, "plain/")
    found = process.run(part, feeds, "sum")
    if not process.adds_as_sent and not all(map(_is_finite, found.values())):
        raise RefusedError("the plan's sum is not finite with these values", code="not-summable")
    return found


def _added_modulo(first: Array, second: Array, modulus: int) -> Array:
    """`(first + second) % modulus` of integers from 0 to `modulus` - 1, without a step beyond their dtype."""
    rest = np.asarray(modulus - second, dtype=first.dtype)
    return np.where(first >= rest, first - rest, first + second)


def _is_finite(value: Array) -> bool:
    return not np.issubdtype(value.dtype, np.floating) or bool(np.isfinite(value).all())


def _is_secure(name: str) -> bool:
    return not name.startswith("plain/")
