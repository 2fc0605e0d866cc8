"""Facts, a table and charts as one HTML file that loads nothing from anywhere."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

from wardround.evaluation.charts import calibration_chart, roc_chart
from wardround.evaluation.histograms import Counts

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { border-bottom: 1px solid #ddd; padding: .25rem .7rem; text-align: left; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } .charts svg { height: auto; max-width: 24rem; }
"""


def summary_page(
    title: str,
    facts: Mapping[str, object],
    table: tuple[Sequence[str], Iterable[Sequence[object]]],
    charts: Sequence[str],
) -> str:
    """The page; all text is escaped. `table`: headings and rows; `charts`: SVG elements, which are not."""
    head, rows = table
    listed = "".join(
        f"<li>{escape(name)}: <b>{escape(show(value))}</b></li>" for name, value in facts.items()
    )
    body = "".join(_row("td", map(show, row)) for row in rows)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1><ul>{listed}</ul>"
        f'<table>{_row("th", head)}{body}</table><div class="charts">{"".join(charts)}</div></body></html>\n'
    )


def score_charts(title: str, rows: Counts) -> list[str]:
    """ROC and calibration of counts int [2, B]."""
    return [
        roc_chart(f"{title}: ROC", {"model": rows}),
        calibration_chart(f"{title}: calibration", {"model": rows}),
    ]


def curve_chart(title: str, curves: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """Figures by model number: name → (model, value) → SVG element."""
    with mpl.rc_context({"text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "wardround"}):
        figure = Figure(figsize=(4.2, 3.6), layout="constrained")
        axes = figure.add_subplot(title=title, xlabel="model after round")
        for name, points in curves.items():
            axes.plot([model for model, _ in points], [value for _, value in points], marker="o", label=name)
        if curves:
            axes.legend(frameon=False)
        return _svg(figure)


def show(value: object) -> str:
    """A value as text: floats with four digits, a dash for nothing, intervals as `value (low – high)`."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple) and len(value) == 3:
        return f"{show(value[1])} ({show(value[0])} – {show(value[2])})"
    return str(value)


def _row(cell: str, texts: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{escape(text)}</{cell}>" for text in texts) + "</tr>"


def _svg(figure: Figure) -> str:
    from io import StringIO

    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
