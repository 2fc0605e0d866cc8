"""What can be seen of a run while it goes, and how it is shown."""

import threading
from pathlib import Path

import pytest
from rich.console import Console

from wardround.errors import RefusedError
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import (
    FinalMessage,
    JoinMessage,
    Measured,
    Message,
    OutcomeMessage,
    Refusal,
    RoundMessage,
    Seen,
    UpdateMessage,
)
from wardround.exchange.records import Channel, Peer
from wardround.local.live import Lines, rounds_table
from wardround.local.watch import RunView, Snapshot, follow

SITES = ("alder", "birch")
DIGEST = "ab" * 32
SEEN = Seen(round=DIGEST, run=DIGEST, members=DIGEST)
KEY = SigningKey.generate()


class Run:
    """A run whose messages a test writes one by one."""

    def __init__(self, folder: Path) -> None:
        self._exchange = DirectoryExchange(folder)
        self._layout = Layout("demo")
        for bucket in (self._layout.federation, *map(self._layout.site, SITES)):
            self._exchange.create_bucket(bucket)
        self.view = RunView(
            self._exchange, self._channel(COORDINATOR, KEY), SITES, Peer(COORDINATOR, KEY.public)
        )

    def say(self, message: Message, number: int | None = None, key: SigningKey = KEY) -> None:
        """The coordinator publishes a message."""
        shared = self._exchange.store(self._layout.federation)
        self._channel(COORDINATOR, key).write(shared, message, round=number)

    def answer(self, site: str, message: Message, number: int | None = None) -> None:
        """A site publishes a message."""
        store = self._exchange.store(self._layout.site(site))
        self._channel(site, SigningKey.generate()).write(store, message, round=number)

    def _channel(self, me: str, key: SigningKey) -> Channel:
        return Channel("demo", "demo-1", me, key, DIGEST)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def opened(model: int = 0, purpose: str = "train") -> RoundMessage:
    return RoundMessage.model_validate({"purpose": purpose, "model": model, "cohort": SITES})


def closed(model: int, loss: float, auroc: float | None = None) -> OutcomeMessage:
    evaluation = {} if auroc is None else {"validation": {"auroc": auroc}}
    each = {"alder": {"validation": {"auroc": auroc}}, "birch": {"validation": {"auroc": None}}}
    return OutcomeMessage.model_validate(
        {
            "status": "completed",
            "model": model,
            "accepted": ("alder",),
            "refused": (Refusal(site="birch", code="not-finite", detail="loss"),),
            "missing": (),
            "measured": Measured.model_validate(
                {
                    "measurements": {"loss": loss},
                    "evaluation": evaluation,
                    "per_site": each if evaluation else {},
                }
            ),
            "seconds": {"collect": 1.0, "aggregate": 0.5},
        }
    )


def final() -> FinalMessage:
    return FinalMessage(status="finished", rounds=2, last=2, champion=1, measure="val_auc", metric=0.9)


def text_of(snapshot: Snapshot, width: int = 200) -> str:
    console = Console(width=width, force_terminal=False, no_color=True)
    with console.capture() as captured:
        console.print(rounds_table(snapshot, SITES, "demo", 10))
    return captured.get()


def test_a_run_that_is_not_open_yet_shows_who_has_joined(run: Run) -> None:
    assert run.view.look() == Snapshot()
    run.answer("birch", JoinMessage(approved=DIGEST, public_key="a" * 64, examples={"train": 3}))
    assert run.view.look().joined == ("birch",)
    assert "1 of 2 sites have joined" in text_of(run.view.look())


def test_an_open_round_counts_the_answers_as_they_come(run: Run) -> None:
    run.say(opened(), 1)
    assert run.view.look().rows[0].answered == ()
    run.answer("alder", UpdateMessage(site="alder", broadcast=DIGEST, seen=SEEN), 1)
    (row,) = run.view.look().rows
    assert (row.status, row.answered, row.asked) == ("open", ("alder",), 2)


def test_the_figures_of_a_model_stand_in_the_row_of_the_round_that_made_it(run: Run) -> None:
    run.say(opened(), 1)
    run.say(closed(0, 0.7), 1)
    run.say(opened(1), 2)
    run.say(closed(1, 0.5, auroc=0.81), 2)
    first, second = run.view.look().rows
    assert (first.loss, first.auroc, first.by_site) == (0.7, 0.81, {"alder": 0.81, "birch": None})
    assert (second.loss, second.auroc, second.seconds) == (0.5, None, 1.5)
    assert "refused: birch" in text_of(Snapshot(rows=(first, second)))


def test_an_outcome_that_the_coordinator_did_not_sign_is_refused(run: Run) -> None:
    run.say(opened(), 1)
    run.say(closed(0, 0.1), 1, key=SigningKey.generate())
    with pytest.raises(RefusedError):
        run.view.look()


def test_a_run_is_followed_to_its_end(run: Run) -> None:
    told: list[Snapshot] = []

    def tell(snapshot: Snapshot) -> None:
        told.append(snapshot)
        if len(told) == 1:
            run.say(opened(), 1)
            run.say(closed(0, 0.7), 1)
        elif snapshot.final is None:
            run.say(final())

    follow(run.view, tell, threading.Event())
    assert told[-1].final == final()
    assert "finished" in text_of(told[-1])


def test_of_a_long_run_the_newest_rounds_are_shown(run: Run) -> None:
    for number in range(1, 15):
        run.say(opened(number - 1), number)
        run.say(closed(number - 1, 0.5), number)
    shown = text_of(run.view.look())
    assert "│    14 │" in shown
    assert "│     4 │" not in shown


def test_without_a_terminal_each_change_is_one_line_and_said_once(run: Run) -> None:
    console = Console(width=200, force_terminal=False)
    with console.capture() as captured, Lines(console) as lines:
        for number in (1, 2):
            run.say(opened(number - 1), number)
            run.say(closed(number - 1, 0.7, auroc=0.9 if number == 2 else None), number)
            lines.show(run.view.look())
            lines.show(run.view.look())
    assert captured.get().splitlines() == [
        "round 1: completed, 1/2 sites, refused: birch, training loss 0.700, 1.5 s",
        "round 2: completed, 1/2 sites, refused: birch, training loss 0.700, 1.5 s",
        "model 1: validation AUROC 0.900 (alder 0.900, birch –)",
    ]
