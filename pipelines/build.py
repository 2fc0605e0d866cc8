"""Writes the compiled pipelines: `python -m pipelines.build [--check]`. With --check it only compares."""

import argparse
import difflib
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kfp import compiler
from kfp.dsl.base_component import BaseComponent

from pipelines import compile, coordinator, site
from wardround.kubeflow.profile import Profile

COMPILED = Path(__file__).with_name("compiled")
PIPELINES: dict[str, Callable[[Profile], BaseComponent]] = {
    "site": site.make,
    "coordinator": coordinator.make,
    "compile": compile.make,
}
# In whose namespace each runs.
PARTIES = {"site": "site", "coordinator": "coordinator", "compile": "coordinator"}


def compile_to(name: str, profile: Profile, path: Path) -> Path:
    """Compiles one pipeline for a profile into a YAML file."""
    compiler.Compiler().compile(PIPELINES[name](profile), str(path))
    return path


def build(folder: Path) -> list[Path]:
    """Compiles every pipeline for its party's default profile into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        compile_to(name, Profile(party=PARTIES[name]), folder / f"{name}.yaml")  # type: ignore[arg-type]
        for name in PIPELINES
    ]


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
