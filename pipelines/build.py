"""Writes the compiled pipelines: `python -m pipelines.build [--check]`. With --check it only compares."""

import argparse
import difflib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kfp import compiler

from pipelines.compile import compile_pipeline
from pipelines.coordinator import coordinator_pipeline
from pipelines.site import site_pipeline

COMPILED = Path(__file__).with_name("compiled")
PIPELINES = {"site": site_pipeline, "coordinator": coordinator_pipeline, "compile": compile_pipeline}


def build(folder: Path) -> list[Path]:
    """Compiles every pipeline into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.yaml" for name in PIPELINES]
    for pipeline, path in zip(PIPELINES.values(), paths, strict=True):
        compiler.Compiler().compile(pipeline, str(path))
    return paths


def differences() -> Iterator[str]:
    """Lines of a unified diff between what is in the tree and what would be compiled."""
    with tempfile.TemporaryDirectory() as folder:
        for fresh in build(Path(folder)):
            golden = COMPILED / fresh.name
            old = golden.read_text(encoding="utf-8") if golden.exists() else ""
            new = fresh.read_text(encoding="utf-8")
            yield from difflib.unified_diff(
                old.splitlines(), new.splitlines(), str(golden), "compiled now", lineterm=""
            )


def main() -> int:
    """The command line; returns 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        build(COMPILED)
        return 0
    found = list(differences())
    if found:
        print("\n".join([*found, "run: python -m pipelines.build"]), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
