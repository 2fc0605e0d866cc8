"""What the charts render for the values in their `ci` folders: `python -m helm.snapshots [--check]`.

Snapshots lie in `tests/charts/snapshots`. Reviewing a change of a template means reading their diff. Without a helm
program nothing is written or compared.
"""

import argparse
import sys
from pathlib import Path

from helm.build import charts, differences
from helm.program import find_program, render

SNAPSHOTS = Path(__file__).parents[1] / "tests" / "charts" / "snapshots"


def cases() -> list[tuple[Path, Path]]:
    """Pairs of a chart and a file of values to render it with."""
    return [(chart, values) for chart in charts() for values in sorted(chart.glob("ci/*-values.yaml"))]


def snapshot(chart: Path, values: Path) -> Path:
    """Where the snapshot of a case lies."""
    return SNAPSHOTS / chart.name / f"{values.name.removesuffix('-values.yaml')}.yaml"


def main() -> int:
    """The command line; returns 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    if find_program("helm") is None:
        print("no helm program: the charts' snapshots were left alone", file=sys.stderr)
        return 0
    found = []
    for chart, values in cases():
        path, fresh = snapshot(chart, values), render(chart, values)
        if check:
            found += differences(path, fresh)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fresh, encoding="utf-8")
    if found:
        print("\n".join([*found, "run: python -m helm.snapshots"]), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
