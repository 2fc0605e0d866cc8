"""The run's plan: fetched, compared with its digest and recipe, approved by the hospital, its operations reviewed."""

import logging

from wardround import plan_store
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
from wardround.plan.format import Manifest, Plan
from wardround.plan.verification import Verification, verdict
from wardround.site.approvals import basis_of_approval, why_not_approved
from wardround.site.budget import OVER_BUDGET, why_over_budget
from wardround.site.choose import PatienceError
from wardround.site.context import Seat
from wardround.site.verifying import UNVERIFIED, verify_here
from wardround.turns import one_at_a_time

_LOG = logging.getLogger(__name__)


class UnwantedPlanError(WardroundError):
    """The hospital does not let the run's plan run; nothing was executed. `advice`: what its people can do."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class ApprovalError(UnwantedPlanError):
    """The hospital has not approved the plan."""

    code = "not-approved"

    def __init__(self, plan: Plan, missing: str, found: Verification) -> None:
        super().__init__(
            f"plan {plan.digest} {missing}. {verdict(found, plan.manifest)} "
            f"Look at it: wardround plan show {plan.folder}; and if it may run, "
            f"wardround site approve {plan.digest}; then start again",
            f"not approved; approve with wardround site approve {plan.digest}",
        )


class UnverifiedError(UnwantedPlanError):
    """The settings want verified plans only, and this one is not: its graphs may be anybody's own."""

    code = UNVERIFIED

    def __init__(self, found: Verification, manifest: Manifest) -> None:
        super().__init__(
            f"plan {found.digest} is not verified, and the site's settings say verify: always. "
            f"{verdict(found, manifest)}",
            f"not verified; see wardround plan verify {found.digest}",
        )


class OverBudgetError(UnwantedPlanError):
    """The plan would reveal more of a patient than the hospital's budget has."""

    code = OVER_BUDGET

    def __init__(self, plan: Plan, why: str) -> None:
        super().__init__(
            f"plan {plan.digest} {why}. Ask the coordinator for a plan with differential privacy, or take "
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
    from wardround.plan.review import (
        check_operations,
    )  # TensorFlow, which is not where plans are only verified

    plan = fetch_plan(seat)
    over = why_over_budget(seat.settings, plan.manifest.recipe_model().privacy)
    if over is not None:  # before the approval, which changes nothing about it
        raise OverBudgetError(plan, over)
    found = verify_here(seat.settings, plan.manifest, seat.stop, graphs=plan.folder)
    if seat.settings.verify == "always" and not found.is_verified:
        raise UnverifiedError(found, plan.manifest)
    missing = why_not_approved(seat.settings, plan.digest)
    if missing is not None:
        raise ApprovalError(plan, missing, found)
    check_operations(plan)
    _LOG.info(
        "plan %s: %s Approved as: %s",
        plan.digest[:12],
        verdict(found, plan.manifest),
        basis_of_approval(seat.settings, plan.digest),
    )
    return plan


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


def fetch_plan(seat: Seat) -> Plan:
    """The plan in this site's folder, downloaded unless it is there and whole. Raises RefusedError."""
    digest = str(seat.channel.digest)
    work = seat.settings.work
    with one_at_a_time(work / "locks" / digest, "the plan", seat.stop):
        return plan_store.fetch_plan(seat.shared, digest, work / "plans" / digest)
