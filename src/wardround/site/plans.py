"""The run's plan: its manifest looked at, approved by the hospital, then fetched and its operations reviewed."""

import logging

from wardround.errors import RefusedError, WardroundError
from wardround.exchange.errors import ConflictError, ExchangeError, MissingBucketError
from wardround.exchange.membership import members_key, read_members
from wardround.exchange.messages import (
    DeclinedMessage,
    FinalMessage,
    JoinMessage,
    RunMessage,
)
from wardround.exchange.waiting import wait_until
from wardround.plan.format import Plan
from wardround.site.approvals import why_not_approved
from wardround.site.budget import OVER_BUDGET, why_over_budget
from wardround.site.choose import PatienceError
from wardround.site.context import Seat
from wardround.site.plan_folder import fetch_reviewed, is_asked_for, read_manifest

_LOG = logging.getLogger(__name__)


class UnwantedPlanError(WardroundError):
    """The hospital does not let the run's plan run; nothing was executed. `advice`: what its people can do."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class ApprovalError(UnwantedPlanError):
    """The hospital has not approved the plan."""

    code = "not-approved"

    def __init__(self, digest: str, missing: str) -> None:
        super().__init__(
            f"plan {digest} {missing}. Look at it: wardround site review, or where there is no network wardround plan "
            f"show {digest}; and if it may run, wardround site approve {digest}; then start again",
            f"not approved; approve with wardround site approve {digest}",
        )


class OverBudgetError(UnwantedPlanError):
    """The plan would reveal more of a patient than the hospital's budget has."""

    code = OVER_BUDGET

    def __init__(self, digest: str, why: str) -> None:
        super().__init__(
            f"plan {digest} {why}. Ask the coordinator for a plan with differential privacy, or take "
            "privacy_budget out of the site's settings",
            f"over the privacy budget: the plan {why}",
        )


def find_run(seat: Seat) -> RunMessage:
    """The run's signed description, once it is there.

    Raises PatienceError after `start_wait_s`; RefusedError when the coordinator's signature is not made with
    the pinned key, or this site's key is not the member's.
    """
    seconds = seat.settings.start_wait_s
    if wait_until([seat.shared], lambda: _is_open(seat), seconds=seconds, stop=seat.stop) is None:
        raise PatienceError(
            f"run {seat.channel.run!r} was not opened in bucket {seat.shared.name!r} within {seconds:g} s; check the "
            "names of run and federation, and ask the coordinator"
        )
    run = seat.channel.read(seat.shared, RunMessage, seat.coordinator).message
    federation = read_members(seat.channel, seat.shared, run.epoch, seat.coordinator)
    if federation.members.get(seat.site) != seat.channel.key.public.text:
        raise RefusedError(
            f"{members_key(run.epoch)} does not list site {seat.site!r} with this site's public key; send the key to "
            "the coordinator, whose next run has it, or correct key_file",
            code="unknown-signer",
        )
    return run


def _is_open(seat: Seat) -> bool | None:
    try:
        return seat.shared.exists(seat.channel.where(RunMessage)) or None
    except MissingBucketError:
        return None  # a site may be started before the coordinator


def approved_plan(seat: Seat) -> Plan:
    """The run's plan, if it may run here; otherwise the coordinator is told that this site does not take part.

    Raises UnwantedPlanError, RefusedError for a plan that is not what its digest says or has a forbidden operation.
    """
    try:
        return _checked_plan(seat)
    except (UnwantedPlanError, RefusedError) as error:
        decline(seat, error.code)
        raise


def _checked_plan(seat: Seat) -> Plan:
    digest = str(seat.channel.digest)
    if is_asked_for(seat.settings.work, digest):
        fetch_reviewed(seat)
    over = why_over_budget(seat.settings, read_manifest(seat).recipe_model().privacy)
    if over is not None:  # before the approval, which changes nothing about it
        raise OverBudgetError(digest, over)
    missing = why_not_approved(seat.settings, digest)
    if missing is not None:
        raise ApprovalError(digest, missing)
    return fetch_reviewed(seat)


def decline(seat: Seat, code: str) -> None:
    """Tells the coordinator, once, that this site does not take part; the first reason given stays.

    Not after the site has joined, or the run has ended: then nobody needs it. An exchange that does not take the
    message is logged only, because why the site declines is what its people have to see.
    """
    channel = seat.channel
    try:
        if seat.own.exists(channel.where(JoinMessage)) or seat.shared.exists(channel.where(FinalMessage)):
            return
        channel.write(seat.own, DeclinedMessage(site=seat.site, code=code))
    except ConflictError:
        _LOG.info("run %s: was declined before, for another reason", channel.run)
    except ExchangeError as error:
        _LOG.warning("run %s: the coordinator could not be told that we decline: %s", channel.run, error)
