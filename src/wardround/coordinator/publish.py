"""Publishing a plan ahead of any run, so that hospitals can review it and a run can be started by its digest alone."""

import logging
import threading
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wardround.exchange.connect import open_patient
from wardround.exchange.layout import Layout
from wardround.plan.format import Plan
from wardround.plan_store import publish_plan
from wardround.processes import load_settings

PREFIX = "WARDROUND_COORDINATOR_"
_LOG = logging.getLogger(__name__)


class PublishSettings(BaseModel):
    """Those of `CoordinatorSettings` that publishing needs: no key and no members. Other fields are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    federation: str
    exchange: str
    outage_s: Annotated[float, Field(ge=0)] = 600.0

    @classmethod
    def load(cls, path: Path | None) -> "PublishSettings":
        """From a coordinator's settings file and its environment. Raises ConfigurationError."""
        return load_settings(cls, path, PREFIX)


def publish(settings: PublishSettings, plan: Plan, stop: threading.Event | None = None) -> None:
    """Copies the plan into the federation's bucket, which is made if it is not there; can be repeated.

    Raises DeniedError without the coordinator's credential, and other errors of the exchange.
    """
    stop = stop or threading.Event()
    exchange = open_patient(settings.exchange, settings.outage_s, stop)
    bucket = Layout(settings.federation).federation
    exchange.create_bucket(bucket)
    publish_plan(exchange.store(bucket), plan)
    _LOG.info("plan %s is published in bucket %s", plan.digest, bucket)
