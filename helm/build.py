"""Writes what follows from the charts' values: `python -m helm.build [--check]`. With --check it only compares.

For each chart: `values.schema.json` (closed), `README.md`, and its copy of the images' lock.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from components.images import LOCK

from helm.readme import readme
from helm.schema import values_schema
from helm.values import read_values

CHARTS = Path(__file__).parent


def charts() -> list[Path]:
    """The folders of all charts."""
    return sorted(path.parent for path in CHARTS.glob("*/Chart.yaml"))


def generated(chart: Path) -> dict[Path, str]:
    """The generated files of a chart. Raises ValueError for values that are not described."""
    try:
        values = read_values(chart / "values.yaml")
        schema = values_schema(values)
    except ValueError as error:
        raise ValueError(f"{chart.name}/values.yaml: {error}") from error
    head = (chart / "README.head.md").read_text(encoding="utf-8")
    return {
        chart / "values.schema.json": json.dumps(schema, indent=2) + "\n",
        chart / "README.md": readme(head, values),
        chart / LOCK.name: LOCK.read_text(encoding="utf-8"),
    }


def differences(path: Path, fresh: str) -> Iterator[str]:
    """Lines of a unified diff between a file and what it should be."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    yield from difflib.unified_diff(
        old.splitlines(), fresh.splitlines(), str(path), "generated now", lineterm=""
    )


def main() -> int:
    """The command line; returns 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    files = {path: text for chart in charts() for path, text in generated(chart).items()}
    if not check:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        return 0
    found = [line for path, text in files.items() for line in differences(path, text)]
    if found:
        print("\n".join([*found, "run: python -m helm.build"]), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
