"""Telling the registry about closed rounds, beside the rounds: none of them waits for it."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from wardround.coordinator.context import Run
from wardround.coordinator.history import History, best, more_is_better
from wardround.errors import StoppedError
from wardround.exchange.messages import Figures, FinalMessage, OutcomeMessage
from wardround.exchange.waiting import stop_if_asked
from wardround.registry.records import Merit, RoundRecord

_LOG = logging.getLogger(__name__)

# Of an evaluation's figures, those that are curves; histograms are not.
_CURVES = ("loss", "accuracy", "auroc", "auprc")


class Log(Protocol):
    """Where rounds are kept: `wardround.registry.runlog.RunLog`. Everything may be told again."""

    def log_round(self, record: RoundRecord) -> object:
        """Keeps a closed round."""

    def log_metrics(self, round: int, metrics: Mapping[str, float]) -> None:
        """Adds points to the curves at a round."""

    def set_champion(self, round: int, merit: Merit) -> None:
        """Names the best model so far."""

    def finish(self, status: Any) -> None:
        """Closes the run."""


class LazyWeights(Mapping[str, NDArray[Any]]):
    """Weights that are fetched when somebody looks at them: a round that is kept already needs none."""

    def __init__(self, fetch: Callable[[], Mapping[str, NDArray[Any]]]) -> None:
        self._fetch = fetch
        self._fetched: Mapping[str, NDArray[Any]] | None = None

    def _all(self) -> Mapping[str, NDArray[Any]]:
        if self._fetched is None:
            self._fetched = self._fetch()
        return self._fetched

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


@dataclass(frozen=True)
class Keeper:
    """Tells one `Log` about one run's rounds. `weights(n)`: of the model that round n made."""

    run: Run
    open_log: Callable[[], Log]
    weights: Callable[[int], Mapping[str, NDArray[Any]]]

    def keep(self, log: Log, history: History, number: int) -> None:
        """Keeps round `number`: its outcome, its model, and what it measured of the model before."""
        outcome = history.outcomes[number - 1]
        log.log_round(self._record(outcome, number))
        measured = evaluation_metrics(outcome)
        if outcome.model and measured:
            log.log_metrics(outcome.model, measured)
            self._crown(log, History(history.outcomes[: number - 1]), History(history.outcomes[:number]))

    def _record(self, outcome: OutcomeMessage, number: int) -> RoundRecord:
        trained = outcome.status == "completed"
        key = self.run.channel.where(OutcomeMessage, number)
        return RoundRecord(
            round=number,
            metrics=training_metrics(outcome),
            outcome=self.run.shared.get(key, limit=OutcomeMessage.limit),
            weights=LazyWeights(lambda: self.weights(number)) if trained else None,
        )

    def _crown(self, log: Log, before: History, after: History) -> None:
        """Names the best model, where that is another one than before: each time costs a few requests."""
        measure = self.run.rules.measure
        champion = best(after.values(measure), measure)
        changed = champion != best(before.values(measure), measure)
        if changed and champion is not None and champion[0] > 0:
            log.set_champion(champion[0], Merit(measure, champion[1], more_is_better(measure)))


class BackgroundRegister:
    """A `run.Register` with a thread of its own. Its first failure is logged at once and raised at the end."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._queue: queue.Queue[History | FinalMessage | None] = queue.Queue()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="register", daemon=True)
        self._thread.start()

    def closed(self, history: History) -> None:
        """Takes note of the rounds so far."""
        self._queue.put(history)

    def ended(self, history: History, final: FinalMessage) -> None:
        """Waits until all is kept and the run is closed there. Raises the registry's error."""
        self._queue.put(history)
        self._queue.put(final)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Waits until what was told is kept, has failed, or the run was asked to stop."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            self._keep_all(self._keeper.open_log())
        except StoppedError:
            _LOG.info("the registry was left in the middle; it is brought up to date after the next start")
        except Exception as error:
            self._failure = error
            _LOG.error("the registry failed, rounds go on without it: %s", error)

    def _keep_all(self, log: Log) -> None:
        kept = 0
        while (item := self._queue.get()) is not None:
            if isinstance(item, FinalMessage):
                log.finish("FAILED" if item.status == "abandoned" else "FINISHED")
                return
            for number in range(kept + 1, len(item.outcomes) + 1):
                stop_if_asked(self._keeper.run.stop)
                self._keeper.keep(log, item, number)
            kept = len(item.outcomes)


def training_metrics(outcome: OutcomeMessage) -> dict[str, float]:
    """A round's own curves: `train_loss` and the like, and how many sites answered."""
    numbers = _numbers(outcome.measured.measurements)
    counts = {"sites_accepted": len(outcome.accepted), "sites_refused": len(outcome.refused)}
    return {f"train_{name}": value for name, value in numbers.items()} | {
        name: float(count) for name, count in counts.items()
    }


def evaluation_metrics(outcome: OutcomeMessage) -> dict[str, float]:
    """Curves of the broadcast model: `val_loss`, `val_auroc`, `test_…`, and `site/<site>/…` where they are known."""
    measured = outcome.measured
    sources = {"": measured.evaluation} | {f"site/{s}/": each for s, each in measured.per_site.items()}
    return {
        f"{prefix}{'val' if split == 'validation' else split}_{name}": value
        for prefix, splits in sources.items()
        for split, figures in splits.items()
        for name, value in _numbers(figures).items()
        if name in _CURVES
    }


def _numbers(figures: Figures) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items() if isinstance(value, int | float)}
