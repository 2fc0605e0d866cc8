"""What an intake that was not finished leaves for the next one, for when only a person's decisions have changed.

    <out>/.intake/<fingerprint>/begun.json    what the intake was begun with
                                scan-*.json, *.npz

Chunks are named by their items, so those of another fingerprint fit wherever files, labels and settings are the same.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wardround.exchange.files import whole_file
from wardround.imaging.results import earlier_path, is_earlier, read_results

NAME = "begun.json"

Decisions = dict[str, tuple[str, str]]


class Begun(BaseModel):
    """An intake: `base` names its inputs without decisions, `decisions` these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    decisions: Decisions

    def changed(self, decisions: Mapping[str, tuple[str, str]]) -> frozenset[str]:
        """The items about which something else is said now."""
        said = {*self.decisions, *decisions}
        return frozenset(item for item in said if self.decisions.get(item) != decisions.get(item))

    def write(self, folder: Path) -> None:
        """Says so in the intake's folder."""
        with whole_file(folder / NAME) as file:
            file.write(self.model_dump_json().encode())


def find(parent: Path, base: str) -> tuple[Path, Begun] | None:
    """The folder of an unfinished intake with these inputs, and what was decided when it was begun."""
    for path in sorted(parent.glob(f"*/{NAME}")):
        begun = Begun.model_validate_json(path.read_bytes())
        if begun.base == base:
            return path.parent, begun
    return None


def forget(folder: Path, changed: frozenset[str]) -> None:
    """Takes the changed items out of a folder's results; those of a chunk that are left lie in a file beside it.

    What remains is right by the old decisions and the new ones alike, so it may be killed at any moment.
    """
    for path in sorted(folder.glob("*.npz")):
        if changed.isdisjoint(read_results(path, images=False).items):
            continue
        left = read_results(path).without(changed)
        if is_earlier(path):
            left.write(path)
        else:
            left.write(earlier_path(path))
            path.unlink()


def end(folder: Path) -> None:
    """Says that the intake is finished, and its folder no longer one to go on with."""
    (folder / NAME).unlink()
