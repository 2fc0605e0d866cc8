"""One site's update, checked in the order of what each check costs: words, size, file, numbers."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from wardround.coordinator.context import Run
from wardround.coordinator.members import Members
from wardround.coordinator.rounds import Model, OpenRound
from wardround.errors import RefusedError
from wardround.exchange.envelope import TensorFile
from wardround.exchange.errors import MissingError, OversizedError
from wardround.exchange.messages import AcceptedFile, Refusal, Seen, UpdateMessage
from wardround.exchange.records import Record, file_spec
from wardround.exchange.store import Readable
from wardround.exchange.tensors import expected_size, read_tensors
from wardround.plan.checks import Site, check_update
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

    def __init__(self, run: Run, program: Program, opened: OpenRound, model: Model, members: Members) -> None:
        self._run, self._program, self._round = run, program, opened
        self._model, self._members = model, members
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
            return refusal(site, error)
        except MissingError:  # `update.json` was there when it was seen
            return Refusal(
                site=site, code="missing", detail=f"{site}: the update's message is not there any more"
            )

    def download(self, site: str, name: str, file: TensorFile) -> Spooled:
        """The update's file on this machine's disk.

        Raises RefusedError: `missing-file`, `unreadable`, `wrong-hash` for another size.
        """
        if (site, name) in self._here:
            return self._here[site, name]
        store = self._run.site(site)
        key = self._run.channel.keys.round_file(self._round.number, name)
        path = self._folder / f"{site}-{name}"
        _download(store, key, path, file)
        self._here[site, name] = Spooled(site, name, file, path)
        return self._here[site, name]

    def read(self, spooled: Spooled) -> Tensors:
        """The tensors of an update that was found legal, from this machine's disk. Raises RefusedError."""
        return read_tensors(spooled.path, self._spec, spooled.file)

    def legal(self, spooled: Spooled) -> Tensors:
        """The tensors of an update, every one of whose values is legal. Raises RefusedError."""
        tensors = read_tensors(spooled.path, self._spec, spooled.file)
        check_update(self._program, self._round.message.parts(), tensors, self._site(spooled.site))
        return tensors

    def _site(self, site: str) -> Site:
        joined = self._members.joined.get(site)
        if joined is None:
            raise RefusedError("the site's join.json is not there any more", code="not-joined")
        examples = {str(split): count for split, count in joined.examples.items()}
        return Site(examples, len(self._run.members), self._model.state)

    def examine(self, spooled: Spooled) -> Tensors | Refusal:
        """`legal`, with the refusal as a result."""
        try:
            return self.legal(spooled)
        except RefusedError as error:
            return refusal(spooled.site, error)

    def clear(self) -> None:
        """Removes the files of this round and of those before it from this machine's disk.

        A download that the deadline found under way may still write there, and fails, or leaves a file to the next
        round's end.
        """
        for folder in self._folder.parent.iterdir():
            if folder.name <= self._folder.name:
                shutil.rmtree(folder, ignore_errors=True)

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


def _download(store: Readable, key: str, path: Path, file: TensorFile) -> None:
    try:
        store.download(key, path, limit=file.size)
    except OversizedError as error:
        raise RefusedError(
            f"{key!r} has more bytes than the {file.size} that its envelope commits", code="wrong-hash"
        ) from error
    except MissingError as error:
        raise RefusedError("the update commits a file that is not there", code="missing-file") from error


def refusal(site: str, error: RefusedError) -> Refusal:
    """What the outcome says of an update that was refused."""
    return Refusal(site=site, code=error.code, detail=f"{site}: {error}"[:2000])
