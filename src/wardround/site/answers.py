"""What this site has answered, run by run: written down before a byte leaves, so that nothing is answered twice.

    <run>/answers.jsonl               each round that was answered, with what and to what
    <run>/compared.txt                numbers of the rounds whose outcome was compared with that answer
    _federation/plans/<digest>.txt    `<run> <round>`: what was answered of a plan over all runs; round 0 is its start

With the work folder this is lost, and then bounded by the exchange alone: a round has one key in the site's bucket.
"""

import logging
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from wardround.exchange.messages import Seen, Split
from wardround.site.approvals import approved_runs
from wardround.site.context import FEDERATION_WORK, Seat
from wardround.site.journal import Journal
from wardround.site.settings import SiteSettings

_LOG = logging.getLogger(__name__)


class Answer(BaseModel):
    """One answered round. `update`: the SHA-256 of the signed `update.json`; `broadcast`: of what it answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int
    purpose: Literal["train", "evaluate"]
    model: int
    splits: tuple[Split, ...]
    broadcast: str
    update: str
    seen: Seen


class Answers:
    """The answers of one run. Used by one thread."""

    def __init__(self, seat: Seat) -> None:
        self._journal = Journal(seat.work / "answers.jsonl")
        self._compared = Journal(seat.work / "compared.txt")
        self._plan = _plan_journal(seat.federation_work, str(seat.channel.digest))
        self._run = seat.channel.run
        self._answers: dict[int, Answer] = {}
        for answer in filter(None, map(_read, self._journal.lines())):
            self._answers.setdefault(answer.round, answer)
        self._done = {int(line) for line in self._compared.lines() if line.isdecimal()}

    def all(self) -> list[Answer]:
        """All answers, in order of rounds."""
        return [answer for _, answer in sorted(self._answers.items())]

    def get(self, round: int) -> Answer | None:
        """The answer to a round."""
        return self._answers.get(round)

    def last(self) -> Answer | None:
        """The answer to the newest round that was answered."""
        return self._answers[max(self._answers)] if self._answers else None

    def add(self, answer: Answer) -> None:
        """Writes an answer down, before it is sent. Raises NoSpaceError."""
        if answer.round not in self._answers:
            self._journal.add(answer.model_dump_json())
            self._plan.add(f"{self._run} {answer.round}")
            self._answers[answer.round] = answer

    def open(self, before: int | None = None) -> list[Answer]:
        """Answers (to rounds before one) whose outcome was not compared yet."""
        return [
            answer
            for answer in self.all()
            if answer.round not in self._done and (before is None or answer.round < before)
        ]

    def close(self, round: int) -> None:
        """Remembers that the outcome of a round was compared with the answer."""
        self._compared.add(str(round))
        self._done.add(round)

    def tell(self) -> None:
        """Logs how much of the plan this site has answered, over all runs."""
        runs = answered_of_plan(self._plan)
        _LOG.info(
            "plan %s: this site has answered %d rounds of it in %d runs before this one",
            self._plan.path.stem,
            sum(len(rounds) for run, rounds in runs.items() if run != self._run),
            len(runs.keys() - {self._run}),
        )


def why_used_up(settings: SiteSettings, digest: str, run: str) -> str | None:
    """Why a plan that is approved may not be answered in one more run, or None."""
    most = approved_runs(settings, digest)
    runs = list(answered_of_plan(_plan_journal(_folder(settings), digest)))
    # In order of their start, so that of runs which start at once the right number goes on.
    used = runs.index(run) if run in runs else len(runs)
    if most is None or used < most:
        return None
    return f"is approved here for {most} runs, and {used} have begun"


def begin_run(settings: SiteSettings, digest: str, run: str) -> None:
    """Writes down that a plan is used in a run, once."""
    journal = _plan_journal(_folder(settings), digest)
    if run not in answered_of_plan(journal):
        journal.add(f"{run} 0")


def _folder(settings: SiteSettings) -> Path:
    return settings.work / settings.federation / settings.site / FEDERATION_WORK


def _plan_journal(folder: Path, digest: str) -> Journal:
    return Journal(folder / "plans" / f"{digest}.txt")


def answered_of_plan(journal: Journal) -> dict[str, set[int]]:
    """Run → the rounds that were answered of a plan, in the order in which the runs began."""
    found: dict[str, set[int]] = {}
    for line in journal.lines():
        run, _, number = line.partition(" ")
        if number.isdecimal():
            found.setdefault(run, set()).update({int(number)} - {0})
    return found


def _read(line: str) -> Answer | None:
    try:
        return Answer.model_validate_json(line)
    except ValidationError:
        return None  # empty, or what a crash left of it
