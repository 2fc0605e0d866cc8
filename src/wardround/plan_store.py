"""Plans in the federation's bucket: published once under their digest, and fetched by it.

    plans/<digest>/graphs/*.pb   written first
    plans/<digest>/plan.json     written last; its SHA-256 is the digest

Nothing here is signed: a plan is named by its digest, and whoever fetches it compares every byte with that name. Its
author decides what it weighs, so `plan.json` comes first, and graphs only if they fit what their reader accepts.
"""

import shutil
from pathlib import Path

from wardround.errors import RefusedError
from wardround.exchange.errors import MissingError, NoSpaceError
from wardround.exchange.files import whole_file
from wardround.exchange.layout import plan_key
from wardround.exchange.store import Store, put_idempotent, upload_idempotent
from wardround.plan.format import MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, Plan, load_plan, parse_manifest

MOST_PLAN_BYTES = 1 << 30


def publish_plan(store: Store, plan: Plan) -> None:
    """Copies the plan's graphs, and last its `plan.json`, into the federation's bucket; can be repeated."""
    for path, _, _ in plan.files:
        upload_idempotent(store, plan_key(plan.digest, path), plan.folder / path)
    put_idempotent(store, plan_key(plan.digest, MANIFEST_NAME), plan.manifest.canonical())


def fetch_plan(store: Store, digest: str, folder: Path, *, limit: int = MOST_PLAN_BYTES) -> Plan:
    """The plan in `folder`, downloaded unless it is there and whole; a folder of a plan that is refused is removed.

    Raises MissingError when it was never published; RefusedError for a digest that is none, for a plan that is not
    what its digest says, and (`oversized`) for one of more than `limit` bytes, before a graph is fetched; NoSpaceError.
    """
    try:
        return load_plan(folder, expected=digest)
    except RefusedError:
        shutil.rmtree(folder, ignore_errors=True)  # absent, or half of it: a plan is only worth its bytes
    try:
        _download(store, digest, folder, limit)
        return load_plan(folder, expected=digest)
    except (RefusedError, NoSpaceError):
        shutil.rmtree(folder, ignore_errors=True)
        raise


def fetch_manifest(store: Store, digest: str, folder: Path | None = None) -> Manifest:
    """A published plan's `plan.json`, which may be in `folder` already. Raises MissingError, RefusedError."""
    path = folder / MANIFEST_NAME if folder else None
    if path is not None and path.is_file() and path.stat().st_size <= MAX_MANIFEST_BYTES:
        try:
            return parse_manifest(path.read_bytes(), expected=digest)
        except RefusedError:
            pass  # half written by a process that was killed
    return parse_manifest(_manifest(store, digest), expected=digest)


def check_size(digest: str, manifest: Manifest, limit: int) -> None:
    """Raises RefusedError (`oversized`) for a plan whose graphs have more than `limit` bytes, as its manifest says."""
    size = sum(_graphs(manifest).values())
    if size > limit:
        raise RefusedError(
            f"the graphs of plan {digest} have {size} bytes, and at most {limit} are accepted here; ask the "
            "coordinator for a smaller plan, or raise max_plan_mb",
            code="oversized",
        )


def _graphs(manifest: Manifest) -> dict[str, int]:
    """Every file of a plan, and the most bytes that any of its parts says of it."""
    sizes: dict[str, int] = {}
    for part in manifest.parts():
        sizes[part.file] = max(part.bytes, sizes.get(part.file, 0))
    return sizes


def _manifest(store: Store, digest: str) -> bytes:
    try:
        return store.get(plan_key(digest, MANIFEST_NAME), limit=MAX_MANIFEST_BYTES)
    except MissingError as error:
        raise MissingError(
            f"plan {digest} is not in bucket {store.name!r}; publish it (wardround coordinator publish FOLDER), or "
            "correct the digest"
        ) from error


def _download(store: Store, digest: str, folder: Path, limit: int) -> None:
    data = _manifest(store, digest)
    manifest = parse_manifest(data, expected=digest)
    check_size(digest, manifest, limit)
    folder.mkdir(parents=True, exist_ok=True)
    _check_space(digest, folder, sum(_graphs(manifest).values()))
    for file, size in _graphs(manifest).items():
        target = folder / file
        target.parent.mkdir(exist_ok=True)
        store.download(plan_key(digest, file), target, limit=size)
    with whole_file(folder / MANIFEST_NAME) as out:
        out.write(data)


def _check_space(digest: str, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoSpaceError(
            f"plan {digest} needs {needed} bytes, and {free} are free at {str(folder)!r}; free some and start again"
        )
