"""Coordinators that die around what they decide."""

from dataclasses import dataclass

from killing import Deaths


@dataclass(frozen=True)
class DyingAfterDecisions(Deaths):
    """Strikes after the first decision of each round, before anything is computed from it after a restart."""

    def strike(self, event: str) -> None:
        if event.startswith("after put") and event.endswith("/collected.json"):
            super().strike(event)


@dataclass(frozen=True)
class DyingAround(Deaths):
    """Strikes once before and after every write of a decision or state of the first round."""

    def strike(self, event: str) -> None:
        if "put" in event and ("/000001/collected" in event or "/000001/state" in event):
            super().strike(event)
