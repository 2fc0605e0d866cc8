"""One site's update, checked in the order of what each check costs: words, size, file, numbers."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from wardround.coordinator.context import Run
from wardround.coordinator.rounds import OpenRound
from wardround.errors import RefusedError
from wardround.exchange.envelope import TensorFile
from wardround.exchange.errors import MissingError, OversizedError
from wardround.exchange.messages import AcceptedFile, Refusal, Seen, UpdateMessage
from wardround.exchange.records import Record, file_spec
from wardround.exchange.store import Store
from wardround.exchange.tensors import expected_size, read_tensors
from wardround.plan.checks import check_update
from wardround.plan.process import Tensors
from wardround.plan.program import Program

# What a site says that it saw → the code of the refusal when the coordinator has published something else.
_SEEN = {"round": "wrong-round", "run": "wrong-run", "members": "wrong-members"}


@dataclass(frozen=True)
class Spooled:
    """An update that lies on this machine's disk; its words were checked, its numbers not yet.

    `claim`: the `update.json` that commits it, as the site signed it.
    """

    site: str
    name: str
    file: TensorFile
    path: Path
    claim: str = ""

    def accepted(self) -> AcceptedFile:
        """What the decision records of it."""
        return AcceptedFile(file=self.name, sha256=self.file.sha256, size=self.file.size, claim=self.claim)


class Desk:
    """Checks the updates of one round against the plan."""

    def __init__(self, run: Run, program: Program, opened: OpenRound) -> None:
        self._run, self._program, self._round = run, program, opened
        self._spec = file_spec(program.update_spec(opened.message.parts()))
        self._limit = expected_size(self._spec)
        self._folder = run.spool / f"{opened.number:06d}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._here: dict[tuple[str, str], Spooled] = {}

    def fetch(self, site: str) -> Spooled | Refusal:
        """Reads `update.json`, and the file that it commits onto the disk. Never raises RefusedError."""
        try:
            run, number = self._run, self._round.number
            record = run.channel.read(run.site(site), UpdateMessage, run.members[site], round=number)
            name, file = self._check_words(site, record)
            return replace(self.download(site, name, file), claim=record.data.decode())
        except RefusedError as error:
            return _refusal(site, error)
        except MissingError:
            return Refusal(
                site=site, code="missing-file", detail="the update commits a file that is not there"
            )

    def download(self, site: str, name: str, file: TensorFile) -> Spooled:
        """The update's file on this machine's disk. Raises RefusedError (`wrong-hash` for another size)."""
        if (site, name) in self._here:
            return self._here[site, name]
        store = self._run.site(site)
        key = self._run.channel.keys.round_file(self._round.number, name)
        path = self._folder / f"{site}-{name}"
        _download(store, key, path, file)
        self._here[site, name] = Spooled(site, name, file, path)
        return self._here[site, name]

    def read(self, spooled: Spooled) -> Tensors:
        """The tensors of an update whose shapes are the plan's. Raises RefusedError."""
        return read_tensors(spooled.path, self._spec, spooled.file)

    def examine(self, spooled: Spooled) -> Tensors | Refusal:
        """The tensors, if every one of their values is legal."""
        try:
            tensors = self.read(spooled)
            check_update(self._program, self._round.message.parts(), tensors)
        except RefusedError as error:
            return _refusal(spooled.site, error)
        return tensors

    def clear(self) -> None:
        """Removes the round's files from this machine's disk."""
        shutil.rmtree(self._folder)

    def _check_words(self, site: str, record: Record[UpdateMessage]) -> tuple[str, TensorFile]:
        name, file = record.file("update")
        said = record.message
        if said.site != site:
            raise RefusedError(
                f"the update says it is of {said.site!r}; it lies at {site!r}", code="unknown-signer"
            )
        self._check_seen(said.seen)
        if said.broadcast != self._round.broadcast:
            raise RefusedError(
                f"the update answers broadcast {said.broadcast}; this round's is {self._round.broadcast}",
                code="wrong-broadcast",
            )
        if file.size > self._limit:
            raise OversizedError(name, file.size, self._limit)
        return name, file

    def _check_seen(self, said: Seen) -> None:
        mine = self._round.seen(self._run)
        for what, code in _SEEN.items():
            if getattr(said, what) != getattr(mine, what):
                raise RefusedError(
                    f"the update answers another {what}: its site saw SHA-256 {getattr(said, what)}; "
                    f"published is {getattr(mine, what)}",
                    code=code,
                )


def _download(store: Store, key: str, path: Path, file: TensorFile) -> None:
    try:
        store.download(key, path, limit=file.size)
    except OversizedError as error:
        raise RefusedError(
            f"{key!r} has more bytes than the {file.size} that its envelope commits", code="wrong-hash"
        ) from error


def _refusal(site: str, error: RefusedError) -> Refusal:
    return Refusal(site=site, code=error.code, detail=f"{site}: {error}"[:2000])
