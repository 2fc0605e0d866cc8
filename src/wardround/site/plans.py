"""The run's plan: its manifest looked at, approved by the hospital, then fetched and its operations reviewed."""

import logging

from wardround.errors import RefusedError, WardroundError
from wardround.exchange.errors import ConflictError, ExchangeError, MissingBucketError
from wardround.exchange.membership import members_key
from wardround.exchange.messages import (
    DeclinedMessage,
    FinalMessage,
    JoinMessage,
    RunMessage,
)
from wardround.exchange.waiting import wait_until
from wardround.plan.format import Manifest, Plan
from wardround.plan.verification import Verification, verdict
from wardround.recipe.bounds import MORE_THAN_APPROVED
from wardround.site.answers import begin_run, why_used_up
from wardround.site.approvals import basis_of_approval, why_not_approved
from wardround.site.budget import OVER_BUDGET, why_over_budget
from wardround.site.choose import PatienceError
from wardround.site.context import Seat
from wardround.site.covered import why_run_beyond
from wardround.site.described import Described
from wardround.site.hear import hear, hear_members
from wardround.site.plan_folder import fetch_reviewed, is_asked_for, plan_folder, read_manifest
from wardround.site.verifying import UNVERIFIED, verify_here

_LOG = logging.getLogger(__name__)


class UnwantedPlanError(WardroundError):
    """The hospital does not let the run's plan run; nothing was executed. `advice`: what its people can do."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class ApprovalError(UnwantedPlanError):
    """The hospital has not approved the plan."""

    code = "not-approved"

    def __init__(self, digest: str, missing: str, found: str) -> None:
        super().__init__(
            f"plan {digest} {missing}. {found} Look at it: wardround site review, or where there is no network "
            f"wardround plan show {digest}; and if it may run, wardround site approve {digest}; then start again",
            f"not approved; approve with wardround site approve {digest}",
        )


class BeyondApprovalError(UnwantedPlanError):
    """The run asks for more than the plan's recipe says, which is what a hospital approves."""

    code = MORE_THAN_APPROVED

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the run {why}, which is what was approved; ask the coordinator for a run within it, or for a plan with "
            "another recipe",
            f"more than the plan's recipe says: the run {why}",
        )


class UsedUpError(UnwantedPlanError):
    """The hospital has approved the plan for fewer runs than it would then have answered."""

    code = "runs-used-up"

    def __init__(self, plan: Plan, why: str) -> None:
        super().__init__(
            f"plan {plan.digest} {why}. If it may run once more: wardround site approve {plan.digest} with more --runs",
            f"approved for fewer runs: the plan {why}",
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

    def __init__(self, digest: str, why: str) -> None:
        super().__init__(
            f"plan {digest} {why}. Ask the coordinator for a plan with differential privacy, or take "
            "privacy_budget out of the site's settings",
            f"over the privacy budget: the plan {why}",
        )


def find_run(seat: Seat) -> Described:
    """The run's signed description with the list of its members, once it is there.

    Raises PatienceError after `start_wait_s`; RefusedError when the coordinator's signature is not made with
    the pinned key, or this site's key is not the member's; EquivocationError when either is not what it was.
    """
    seconds = seat.settings.start_wait_s
    if wait_until([seat.shared], lambda: _is_open(seat), seconds=seconds, stop=seat.stop) is None:
        raise PatienceError(
            f"run {seat.channel.run!r} was not opened in bucket {seat.shared.name!r} within {seconds:g} s; check the "
            "names of run and federation, and ask the coordinator"
        )
    run = hear(seat, RunMessage)
    members = hear_members(seat, run.message.epoch)
    if members.message.members.get(seat.site) != seat.channel.key.public.text:
        raise RefusedError(
            f"{members_key(run.message.epoch)} does not list site {seat.site!r} with this site's public key; send the "
            "key to the coordinator, whose next run has it, or correct key_file",
            code="unknown-signer",
        )
    return Described(run, members)


def _is_open(seat: Seat) -> bool | None:
    try:
        return seat.shared.exists(seat.channel.where(RunMessage)) or None
    except MissingBucketError:
        return None  # a site may be started before the coordinator


def approved_plan(seat: Seat, run: RunMessage) -> Plan:
    """The run's plan, if it may run here; otherwise the coordinator is told that this site does not take part.

    Raises UnwantedPlanError, RefusedError for a plan that is not what its digest says or has a forbidden operation.
    """
    try:
        return _checked_plan(seat, run)
    except (UnwantedPlanError, RefusedError) as error:
        decline(seat, error.code)
        raise


def _checked_plan(seat: Seat, run: RunMessage) -> Plan:
    digest = str(seat.channel.digest)
    if is_asked_for(seat.settings.work, digest):
        fetch_reviewed(seat)
    manifest = read_manifest(seat)
    recipe = manifest.recipe_model()
    beyond = why_run_beyond(run, recipe)
    if beyond is not None:
        raise BeyondApprovalError(beyond)
    over = why_over_budget(seat.settings, recipe.privacy)
    if over is not None:  # before the approval, which changes nothing about it
        raise OverBudgetError(digest, over)
    found = _verified(seat, manifest)
    missing = why_not_approved(seat.settings, digest)
    if missing is not None:
        raise ApprovalError(digest, missing, verdict(found, manifest))
    plan = fetch_reviewed(seat)
    _begin(seat, plan)
    basis = basis_of_approval(seat.settings, digest)
    _LOG.info("plan %s: %s Approved as: %s", digest[:12], verdict(found, manifest), basis)
    return plan


def _verified(seat: Seat, manifest: Manifest) -> Verification:
    """What is known of the plan, which is compiled again here if the settings want that."""
    folder = plan_folder(seat.settings.work, str(seat.channel.digest))
    graphs = folder if folder.is_dir() else None
    found = verify_here(seat.settings, manifest, seat.stop, graphs=graphs)
    if seat.settings.verify == "always" and not found.is_verified:
        raise UnverifiedError(found, manifest)
    return found


def _begin(seat: Seat, plan: Plan) -> None:
    """Counts the run among those that the approval allows."""
    use = (seat.settings, plan.digest, seat.channel.run)
    if (used_up := why_used_up(*use)) is None:
        begin_run(*use)
        used_up = why_used_up(*use)  # again: another process may have begun another run
    if used_up is not None:
        raise UsedUpError(plan, used_up)


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
