"""Verify a plan: compile its recipe again in this machine's own compiler environment, and compare digests.

The digest is over the manifest, which holds the hash of every graph: with equal digests the graphs are, byte for byte,
what TFF makes of the recipe. Nothing of the plan is executed. Its manifest is enough; the graphs only serve to name the
operation that differs.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from wardround.compiler_client import CompileError, compile_recipe, compiler_process
from wardround.plan.format import Manifest, Plan, digest_of
from wardround.plan.manifests import Difference, manifest_differences
from wardround.plan.verification import MAX_DIFFERENCES, Verification, not_verified
from wardround.text import foreign

LONGEST_S = 1800.0
_COMPARING_S = 120.0
_DESCRIBED = 3  # graphs whose first differing operation is named: reading each takes seconds
Progress = Callable[[str], None]


def verify_plan(
    manifest: Manifest,
    *,
    graphs: Path | None = None,
    interpreter: Path | None = None,
    seconds: float = LONGEST_S,
    progress: Progress = lambda _: None,
) -> Verification:
    """What compiling the plan's recipe again shows.

    `graphs`: the plan's folder, where its graphs are there; `seconds`: how long compiling may take. A recipe that names
    Python files is never compiled: they are not of this hospital. Raises ConfigurationError without a compiler.
    """
    digest = digest_of(manifest.canonical())
    recipe = manifest.recipe_model()
    if recipe.files:
        return Verification(digest=digest, state="authors-own")
    with tempfile.TemporaryDirectory(prefix="wardround-verify-") as folder:
        try:
            ours = compile_recipe(
                recipe, Path(folder) / "plan", interpreter=interpreter, seconds=seconds, progress=progress
            )
        except CompileError as error:
            return not_verified(digest, error.code)
        progress("comparing")
        return compared(manifest, ours, graphs=graphs, interpreter=interpreter)


def compared(
    manifest: Manifest, ours: Plan, *, graphs: Path | None = None, interpreter: Path | None = None
) -> Verification:
    """The finding, given what the recipe compiles to here: equal digests, or the lines that say what differs."""
    digest, versions = digest_of(manifest.canonical()), ours.manifest.versions
    if ours.digest == digest:
        return Verification(digest=digest, state="verified", versions=versions)
    lines = tuple(islice(_lines(manifest, ours, graphs, interpreter), MAX_DIFFERENCES))
    return Verification(digest=digest, state="differs", differences=lines, versions=versions)


def _lines(manifest: Manifest, ours: Plan, graphs: Path | None, interpreter: Path | None) -> Iterator[str]:
    described = 0
    for each in manifest_differences(manifest, ours.manifest):
        here = graphs / each.graph if graphs and each.graph else None
        if here is not None and here.is_file() and described < _DESCRIBED:
            described += 1
            yield f"{each.words}: {_first_difference(here, ours, each, interpreter)}"
        else:
            yield each.words


def _first_difference(theirs: Path, ours: Plan, difference: Difference, interpreter: Path | None) -> str:
    """Read in the compiler's process, as a graph of unknown origin may do to its reader what it likes."""
    command = ["-m", "wardround.compiler.differences"]
    paths = [str(theirs.resolve()), str((ours.folder / str(difference.graph)).resolve())]
    with compiler_process(interpreter) as (python, environment):
        try:
            done = subprocess.run(
                [str(python), *command, *paths],
                env=environment,
                cwd=environment["HOME"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_COMPARING_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "it takes too long to read"
    if done.returncode:
        return "it is not a TensorFlow graph"
    return foreign(json.loads(done.stdout)["what"], 300)
