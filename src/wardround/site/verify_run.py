"""The step before all others: the run's plan is verified before anybody is asked to approve it or fetches its graphs.

Runs where the compiler is and TensorFlow is not: the manifest is all that is read.
"""

import threading
from dataclasses import dataclass

from wardround import plan_store
from wardround.exchange.connect import open_patient
from wardround.plan.format import Manifest
from wardround.plan.verification import Verification
from wardround.site.context import take_seat
from wardround.site.pick import pick_run
from wardround.site.plans import UnverifiedError, decline, find_run
from wardround.site.settings import SiteSettings
from wardround.site.verifying import verify_here


@dataclass(frozen=True)
class Verified:
    """A run, and what is known of its plan."""

    run: str
    manifest: Manifest
    found: Verification


def verify_run(settings: SiteSettings, stop: threading.Event) -> Verified | None:
    """Waits for the run, reads its plan's manifest, and verifies it as the settings say; keeps what was found.

    Without a run in the settings it takes the newest open one; None when there was none within `start_wait_s`.
    Raises UnverifiedError, after the coordinator was told, where the settings want verified plans only; RefusedError,
    StoppedError.
    """
    exchange = open_patient(settings.exchange, settings.outage_s, stop)
    run = pick_run(settings, exchange, stop)
    if run is None:
        return None
    seat = take_seat(settings.model_copy(update={"run": run}), exchange, stop)
    seat = seat.bound_to(find_run(seat).plan_digest)
    manifest = plan_store.fetch_manifest(seat.shared, str(seat.channel.digest))
    found = verify_here(settings, manifest, stop)
    if settings.verify == "always" and not found.is_verified:
        decline(seat, UnverifiedError.code)
        raise UnverifiedError(found, manifest)
    return Verified(run, manifest, found)
