"""What a chart's templates give that is no manifest. Helm shows it of a release only, and that takes a cluster."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from helm.program import manifests, render


def evaluate(chart: Path, values: Path, expression: str, *more: str, files: Iterable[Path] = ()) -> str:
    """The text of a template's expression: it is rendered into an object of a copy of the chart, with `files`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(chart, Path(folder) / chart.name))
        for file in files:
            shutil.copy(file, copy)
        shown = f'{{{{- dict "kind" "Shown" "text" ({expression}) | toYaml }}}}\n'
        (copy / "templates" / "shown.yaml").write_text(shown, "utf-8")
        rendered = manifests(render(copy, values, "--show-only", "templates/shown.yaml", *more))
    return str(rendered[0]["text"])


def notes(chart: Path, values: Path, *more: str) -> str:
    """What `helm install` says at its end."""
    return evaluate(chart, values, 'include (print $.Template.BasePath "/NOTES.txt") .', *more)
