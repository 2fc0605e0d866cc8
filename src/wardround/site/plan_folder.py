"""The plans on a hospital's disk: `work/plans/<digest>`, and whose graphs are fetched at all.

A run names a plan, and whoever opens runs can name many. What is fetched for that alone is `plan.json`, which stays
in memory. Graphs come to the disk when the plan is approved, or when the data steward has asked for them: by
`wardround site review`, or, where there is no network, by a file `work/reviews/<digest>`, which the next start of the
site finds and removes (`wardround plan show DIGEST` makes it). The number of plans that are kept has an end.
"""

import os
import shutil
from pathlib import Path

from wardround import plan_store
from wardround.errors import RefusedError
from wardround.exchange.layout import check_digest
from wardround.plan.format import Manifest, Plan
from wardround.site.context import Seat
from wardround.turns import one_at_a_time

MOST_PLANS = 20


def plan_folder(work: Path, digest: str) -> Path:
    """Where a plan lies in a work folder. Raises RefusedError for what is no digest."""
    return work / "plans" / check_digest(digest)


def ask_for_graphs(work: Path, digest: str) -> None:
    """Has the next start of the site fetch a plan's graphs, approved or not. Raises RefusedError for no digest."""
    wish = _wish(work, check_digest(digest))
    wish.parent.mkdir(parents=True, exist_ok=True)
    wish.touch()


def is_asked_for(work: Path, digest: str) -> bool:
    """Whether the data steward has asked for the graphs of a plan."""
    return _wish(work, digest).is_file()


def read_manifest(seat: Seat) -> Manifest:
    """The manifest of the run's plan, which fits this hospital's limit. Raises MissingError, RefusedError."""
    digest = str(seat.channel.digest)
    manifest = plan_store.fetch_manifest(seat.shared, digest, plan_folder(seat.settings.work, digest))
    plan_store.check_size(digest, manifest, _limit(seat))
    return manifest


def fetch_plan(seat: Seat) -> Plan:
    """The run's plan on this site's disk, downloaded unless it is there and whole. Raises RefusedError, NoSpaceError."""
    digest, work = str(seat.channel.digest), seat.settings.work
    folder = plan_folder(work, digest)
    with one_at_a_time(work / "locks" / digest, "the plan", seat.stop):
        plan = plan_store.fetch_plan(seat.shared, digest, folder, limit=_limit(seat))
        os.utime(folder)
    _forget_oldest(folder)
    return plan


def fetch_reviewed(seat: Seat) -> Plan:
    """The run's plan, whose operations are allowed; one with others does not stay. Raises RefusedError, NoSpaceError."""
    from wardround.plan.review import (
        check_operations,  # TensorFlow, which is not where plans are only verified
    )

    work, digest = seat.settings.work, str(seat.channel.digest)
    try:
        plan = fetch_plan(seat)
        check_operations(plan)
    except RefusedError:
        shutil.rmtree(plan_folder(work, digest), ignore_errors=True)
        _wish(work, digest).unlink(missing_ok=True)
        raise
    _wish(work, digest).unlink(missing_ok=True)
    return plan


def _limit(seat: Seat) -> int:
    return seat.settings.max_plan_mb << 20


def _wish(work: Path, digest: str) -> Path:
    return work / "reviews" / digest


def _forget_oldest(kept: Path) -> None:
    """Removes the plans that were not used for longest, so that `MOST_PLANS` are left; never `kept`."""
    others = [folder for folder in kept.parent.iterdir() if folder != kept and folder.is_dir()]
    others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in others[MOST_PLANS - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
