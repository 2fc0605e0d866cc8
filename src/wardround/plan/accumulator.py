"""The streaming sum of updates: one update in memory at a time, in the order given."""

from __future__ import annotations

from wardround.errors import RefusedError
from wardround.plan.data import Array
from wardround.plan.process import Process, Tensors, flat


class Accumulator:
    """Adds updates of one kind. Plain parts run through TFF's `accumulate`; secure ones are integer sums."""

    def __init__(self, process: Process, prefix: str) -> None:
        self._process = process
        self._prefix = prefix
        self._plain = process.run(process.parts.zero, {}, "sum")
        self._secure: Tensors = {}
        self._modulus = {
            f"secure_modular/{leaf.name}": modulus
            for leaf, modulus in zip(
                process.parts.work.results["secure_modular"], process.parts.secure.modulus, strict=True
            )
        }
        self.count = 0

    def add(self, update: Tensors) -> None:
        """Add one site's update (names `<kind>/…`; other kinds are ignored). Raises RefusedError if one is missing."""
        own = {n.removeprefix(self._prefix): v for n, v in update.items() if n.startswith(self._prefix)}
        part = self._process.parts.accumulate
        if part.results["sum"]:
            feeds = flat(part.arguments["sum"], self._plain, "")
            feeds |= flat(part.arguments["update"], own, "plain/")
            self._plain = self._process.run(part, feeds, "sum")
        self._secure = {
            name: self._added(name, own) for name in self._process.update_spec if _is_secure(name)
        }
        self.count += 1

    def _added(self, name: str, own: Tensors) -> Array:
        before = self._secure.get(name)
        total = own[name] if before is None else before + own[name]
        return total % self._modulus[name] if name in self._modulus else total

    def result(self) -> Tensors:
        """Return the aggregate, named `<kind of sum>/<leaf>`. Raises RefusedError when nothing was added."""
        if not self.count:
            raise RefusedError(
                "no update was added: there is nothing to aggregate", code="nothing-to-aggregate"
            )
        part = self._process.parts.report
        found = self._process.run(part, flat(part.arguments["sum"], self._plain, ""), "plain")
        return {f"plain/{name}": value for name, value in found.items()} | self._secure


def _is_secure(name: str) -> bool:
    return not name.startswith("plain/")
