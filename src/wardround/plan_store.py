"""Plans in the federation's bucket: published once under their digest, and fetched by it.

    plans/<digest>/graphs/*.pb   written first
    plans/<digest>/plan.json     written last; its SHA-256 is the digest

Nothing here is signed: a plan is named by its digest, and whoever fetches it compares every byte with that name.
"""

import shutil
from pathlib import Path

from wardround.errors import RefusedError
from wardround.exchange.errors import MissingError
from wardround.exchange.layout import plan_key
from wardround.exchange.store import Store, put_idempotent, upload_idempotent
from wardround.plan.format import MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, Plan, load_plan, parse_manifest


def publish_plan(store: Store, plan: Plan) -> None:
    """Copies the plan's graphs, and last its `plan.json`, into the federation's bucket; can be repeated."""
    for path, _, _ in plan.files:
        upload_idempotent(store, plan_key(plan.digest, path), plan.folder / path)
    put_idempotent(store, plan_key(plan.digest, MANIFEST_NAME), plan.manifest.canonical())


def fetch_plan(store: Store, digest: str, folder: Path) -> Plan:
    """The plan in `folder`, downloaded unless it is there and whole.

    Raises MissingError when it was never published; RefusedError for a digest that is none, and for a plan that is not
    what its digest says.
    """
    try:
        return load_plan(folder, expected=digest)
    except RefusedError:
        shutil.rmtree(folder, ignore_errors=True)  # absent, or half of it: a plan is only worth its bytes
    _download(store, digest, folder)
    return load_plan(folder, expected=digest)


def fetch_manifest(store: Store, digest: str) -> Manifest:
    """A published plan's `plan.json`. Raises MissingError, RefusedError."""
    return parse_manifest(_manifest(store, digest), expected=digest)


def _manifest(store: Store, digest: str) -> bytes:
    try:
        return store.get(plan_key(digest, MANIFEST_NAME), limit=MAX_MANIFEST_BYTES)
    except MissingError as error:
        raise MissingError(
            f"plan {digest} is not in bucket {store.name!r}; publish it (wardround coordinator publish FOLDER), or "
            "correct the digest"
        ) from error


def _download(store: Store, digest: str, folder: Path) -> None:
    data = _manifest(store, digest)
    for part in parse_manifest(data, expected=digest).parts():
        target = folder / part.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            store.download(plan_key(digest, part.file), target, limit=part.bytes)
    (folder / MANIFEST_NAME).write_bytes(data)
