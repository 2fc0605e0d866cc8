"""The coordinator's commands, as the command line and the containers call them."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from wardround.coordinator.context import Event, Run, log_event
from wardround.coordinator.open import open_run as publish_run
from wardround.coordinator.open import rules_of
from wardround.coordinator.register import BackgroundRegister
from wardround.coordinator.settings import CoordinatorSettings
from wardround.coordinator.settle import settle
from wardround.errors import WardroundError
from wardround.exchange.connect import open_exchange
from wardround.exchange.envelope import PublicKey, SigningKey
from wardround.exchange.layout import COORDINATOR
from wardround.exchange.messages import FinalMessage, RunMessage
from wardround.exchange.patience import PatientExchange
from wardround.exchange.records import Channel, Peer
from wardround.plan.format import Plan
from wardround.turns import one_at_a_time

Observer = Callable[[Event], None]
_CHANGES = ("rounds", "quorum", "deadline_s", "join_deadline_s")


class AbandonedError(WardroundError):
    """Too many rounds in a row failed."""

    code = "abandoned"


def open_run(settings: CoordinatorSettings, stop: threading.Event | None = None) -> RunMessage:
    """Sets the federation's buckets up and publishes the plan and the run; can be repeated."""
    stop = stop or threading.Event()
    settings, plan = settle(settings, stop)
    _, opened = publish_run(make_run(settings, plan, stop), plan)
    return opened


def aggregate(
    settings: CoordinatorSettings,
    stop: threading.Event | None = None,
    observe: Observer = log_event,
) -> FinalMessage:
    """Opens the run if it is not, and plays all rounds that are left.

    Of two processes of one run with the same work folder, the second waits for the first. Raises AbandonedError
    after too many failed rounds, WardroundError otherwise; calling it again goes on.
    To be called by `processes.run_until_signal`.
    """
    # Not at the top: reports are made without TensorFlow.
    from wardround.coordinator.run import run_rounds
    from wardround.plan.program import Program

    stop = stop or threading.Event()
    settings, plan = settle(settings, stop)
    run = make_run(settings, plan, stop, observe)
    # Two of one run would empty each other's spool, and tell a registry everything twice.
    with one_at_a_time(run.spool.parent / "lock", f"run {settings.run!r}", stop):
        run, _ = publish_run(run, plan)
        with make_register(settings, run, plan) as register:
            final = run_rounds(run, Program(plan, threads=settings.threads), register)
    if final.status == "abandoned":
        raise AbandonedError(
            f"run {settings.run!r} was abandoned after {final.rounds} rounds: {run.rules.max_failed} in a row ended "
            f"below the quorum of {run.rules.quorum} (outcome.json of each says who was missing or refused), or "
            "somebody gave it up (wardround coordinator abandon). Start a new run"
        )
    return final


def make_run(
    settings: CoordinatorSettings, plan: Plan, stop: threading.Event, observe: Observer = log_event
) -> Run:
    """The run that settings and plan describe. Raises ConfigurationError, RefusedError."""
    changes = {name: getattr(settings, name) for name in _CHANGES if getattr(settings, name) is not None}
    key = SigningKey.load(settings.key_file)
    direct = open_exchange(settings.exchange, stop)
    return Run(
        channel=Channel(settings.federation, settings.run, COORDINATOR, key, plan.digest),
        rules=rules_of(plan, changes),
        exchange=PatientExchange(direct, settings.outage_s, stop),
        direct=direct,
        members={site: Peer(site, PublicKey(text)) for site, text in sorted(settings.members.items())},
        spool=settings.work / settings.federation / settings.run / "spool",
        stop=stop,
        observe=observe,
    )


def make_register(
    settings: CoordinatorSettings, run: Run, plan: Plan
) -> AbstractContextManager[BackgroundRegister | None]:
    """The registry that settings name, open as long as the block lasts; None where they name none."""
    if settings.tracking_uri is None:
        return nullcontext()
    # Not at the top: a coordinator without a registry needs no MLflow.
    from wardround.coordinator.mlflow_register import register_of

    return register_of(settings, run, plan)
