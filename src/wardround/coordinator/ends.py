"""How a run ends: `final.json`, written once."""

import threading
from collections.abc import Callable

from wardround.coordinator.history import History, Step, best
from wardround.exchange.errors import ConflictError, MissingError
from wardround.exchange.messages import FinalMessage
from wardround.exchange.records import Channel
from wardround.exchange.store import Store, wait_for_any
from wardround.exchange.waiting import Rhythm

ENDS = ("finished", "early-stopped", "abandoned")


def final_of(history: History, step: Step, measure: str) -> FinalMessage:
    """The end of a run with this history. Without any evaluation the last model is the champion."""
    if step not in ("finished", "early-stopped", "abandoned"):
        raise ValueError(f"{step!r} is not an end; legal: {', '.join(ENDS)}")
    champion = best(history.values(measure), measure)
    number, value = champion if champion else (history.model, None)
    return FinalMessage(
        status=step,
        rounds=len(history.outcomes),
        last=history.model,
        champion=number,
        measure=measure,
        metric=value,
    )


def find_final(mine: Channel, shared: Store) -> FinalMessage | None:
    """The end that my run has, if it has."""
    try:
        return mine.read(shared, FinalMessage, mine.author).message
    except MissingError:
        return None


def watch_end(
    mine: Channel, shared: Store, seconds: float, enough: threading.Event, deliver: Callable[[None], None]
) -> None:
    """An inbox's watcher: delivers None, which is what the deadline says too, when my run ends within `seconds`.

    Calm: looks seldom where the exchange does not tell of writes, because nobody's next step hangs on it.
    """
    final = mine.where(FinalMessage)
    if wait_for_any(shared, final, [final], seconds=seconds, stop=enough, rhythm=Rhythm(seconds)):
        deliver(None)


def end_run(mine: Channel, shared: Store, final: FinalMessage) -> FinalMessage:
    """Publishes the end of my run. Of two ends the first one stands: that is what is returned."""
    try:
        mine.write(shared, final)
    except ConflictError:
        return mine.read(shared, FinalMessage, mine.author).message
    return final
