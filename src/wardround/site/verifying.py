"""The site's own look at a plan: compiled again where a compiler is there, once for each digest.

    work/verifications/<digest>.json    what was found, and by which versions

The record lies in the work folder, which only the hospital writes. Whoever could forge it could start training too.
"""

import logging
import threading
from pathlib import Path

from pydantic import ValidationError

from wardround.compiler_environment import is_set_up
from wardround.errors import ConfigurationError
from wardround.exchange.files import whole_file
from wardround.exchange.layout import check_digest
from wardround.plan.format import Manifest, digest_of
from wardround.plan.verification import Verification, not_verified
from wardround.plan_verification import verify_plan
from wardround.site.settings import SiteSettings
from wardround.turns import one_at_a_time

_LOG = logging.getLogger(__name__)
_MAX_BYTES = 256 * 1024
UNVERIFIED = "not-verified"  # the code of an error, as it leaves the hospital


def verification_of(settings: SiteSettings, digest: str) -> Verification:
    """What was found out about a plan here before, or that nothing was."""
    return read_verification(settings.work, digest)


def read_verification(work: Path, digest: str) -> Verification:
    """The record of a plan in a work folder; one that is none, or about another plan, counts as absent."""
    path = _record(work, digest)
    try:
        data = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else b""
        found = Verification.model_validate_json(data)
    except (OSError, ValidationError):
        return not_verified(digest)
    return found if found.digest == digest else not_verified(digest)


def verify_here(
    settings: SiteSettings, manifest: Manifest, stop: threading.Event, *, graphs: Path | None = None
) -> Verification:
    """What is known of the plan, after compiling its recipe again if the settings want it and a compiler is there.

    Takes minutes at the first time, and nothing later: whoever else does it is waited for. A finding that may change
    (no compiler, a compiler that failed) is not kept. Raises StoppedError.
    """
    digest = digest_of(manifest.canonical())
    known = verification_of(settings, digest)
    if known.state != "not-verified" or settings.verify == "never":
        return known
    if not is_set_up() and not manifest.recipe_model().files:
        return not_verified(digest, "no-compiler")
    with one_at_a_time(settings.work / "locks" / f"verify-{digest}", "verifying the plan", stop):
        known = verification_of(settings, digest)
        return known if known.state != "not-verified" else _verify(settings, manifest, graphs)


def _verify(settings: SiteSettings, manifest: Manifest, graphs: Path | None) -> Verification:
    digest = digest_of(manifest.canonical())
    _LOG.info("plan %s: compiling its recipe again, to see whether it is what it says", digest[:12])
    try:
        found = verify_plan(manifest, graphs=graphs, seconds=settings.verify_wait_s, progress=_LOG.info)
    except ConfigurationError as error:
        _LOG.warning("the compiler could not be started: %s", error)
        return not_verified(digest, "configuration")
    if found.state != "not-verified":
        keep_verification(settings.work, found)
    return found


def keep_verification(work: Path, found: Verification) -> Path:
    """Writes the record, whole or not at all."""
    path = _record(work, found.digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(found.model_dump_json(indent=1).encode())
    return path


def _record(work: Path, digest: str) -> Path:
    return work / "verifications" / f"{check_digest(digest)}.json"
