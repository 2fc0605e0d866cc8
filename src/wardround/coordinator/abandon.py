"""Giving up a run that nobody plays any more, so that its sites do not wait for a round that never comes."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wardround.coordinator.ends import end_run, final_of
from wardround.coordinator.history import read_history
from wardround.coordinator.open import measure_of
from wardround.exchange.connect import open_patient
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout, check_run
from wardround.exchange.messages import FinalMessage, RunMessage
from wardround.exchange.records import Channel
from wardround.plan_store import fetch_manifest


class AbandonSettings(BaseModel):
    """Those of `CoordinatorSettings` that abandoning needs: no members and no plan. Other fields are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    federation: str
    exchange: str
    key_file: Path
    outage_s: Annotated[float, Field(ge=0)] = 20.0


def abandon(settings: AbandonSettings, run: str, stop: threading.Event | None = None) -> FinalMessage:
    """Publishes that the run is abandoned, and returns its end: of a run that has one already, that one.

    What its rounds made stays. A coordinator that still plays it ends its round with the answers that it has, and stops;
    the end's figures are those of this moment.

    Raises MissingError when the run was never opened, RefusedError for what this key has not signed.
    """
    exchange = open_patient(settings.exchange, settings.outage_s, stop or threading.Event())
    shared = exchange.store(Layout(settings.federation).federation)
    channel = Channel(settings.federation, check_run(run), COORDINATOR, SigningKey.load(settings.key_file))
    digest = channel.read(shared, RunMessage, channel.author).message.plan_digest
    mine = replace(channel, digest=digest)
    measure = measure_of(fetch_manifest(shared, digest).recipe_model())
    return end_run(mine, shared, final_of(read_history(mine, shared), "abandoned", measure))
