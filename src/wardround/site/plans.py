"""The run's plan: fetched, compared with its digest, approved by the hospital, its operations reviewed."""

import shutil
from pathlib import Path

from wardround.errors import RefusedError, WardroundError
from wardround.exchange.errors import MissingBucketError
from wardround.exchange.layout import FEDERATION_KEY, plan_key
from wardround.exchange.messages import FederationMessage, RunMessage
from wardround.exchange.waiting import wait_until
from wardround.plan.format import MANIFEST_NAME, MAX_MANIFEST_BYTES, Plan, load_plan, parse_manifest
from wardround.plan.review import check_operations
from wardround.site.choose import PatienceError
from wardround.site.context import Seat
from wardround.site.settings import SiteSettings


class ApprovalError(WardroundError):
    """The hospital has not approved the run's plan; nothing was executed."""

    code = "not-approved"


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
    federation = seat.channel.read(seat.shared, FederationMessage, seat.coordinator).message
    if federation.members.get(seat.site) != seat.channel.key.public.text:
        raise RefusedError(
            f"{FEDERATION_KEY} does not list site {seat.site!r} with this site's public key; send the key to the "
            "coordinator, or correct key_file",
            code="unknown-signer",
        )
    return seat.channel.read(seat.shared, RunMessage, seat.coordinator).message


def _is_open(seat: Seat) -> bool | None:
    try:
        return seat.shared.exists(seat.channel.where(RunMessage)) or None
    except MissingBucketError:
        return None  # a site may be started before the coordinator


def approved_plan(seat: Seat) -> Plan:
    """The run's plan, if it may run here.

    Raises ApprovalError, RefusedError for a plan that is not what its digest says or has a forbidden operation.
    """
    plan = fetch_plan(seat)
    if not is_approved(seat.settings, plan.digest):
        raise ApprovalError(
            f"plan {plan.digest} is not approved here. Look at it: wardround plan show {plan.folder}; and if it may "
            f"run, wardround site approve {plan.digest}; then start again"
        )
    check_operations(plan)
    return plan


def is_approved(settings: SiteSettings, digest: str) -> bool:
    """Whether the settings name the digest, or the approvals folder has a file of that name."""
    listed = digest in settings.approved_digests
    return listed or (settings.approvals is not None and (settings.approvals / digest).is_file())


def fetch_plan(seat: Seat) -> Plan:
    """The plan in this site's folder, downloaded unless it is there and whole. Raises RefusedError."""
    digest = str(seat.channel.digest)
    folder = seat.settings.work / "plans" / digest
    try:
        return load_plan(folder, expected=digest)
    except RefusedError:
        shutil.rmtree(folder, ignore_errors=True)  # absent, or half of it: a plan is only worth its bytes
    _download(seat, digest, folder)
    return load_plan(folder, expected=digest)


def _download(seat: Seat, digest: str, folder: Path) -> None:
    data = seat.shared.get(plan_key(digest, MANIFEST_NAME), limit=MAX_MANIFEST_BYTES)
    for part in parse_manifest(data, expected=digest).parts():
        target = folder / part.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            seat.shared.download(plan_key(digest, part.file), target, limit=part.bytes)
    (folder / MANIFEST_NAME).write_bytes(data)
