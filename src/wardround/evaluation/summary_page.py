"""Facts, a table and charts as one HTML file that loads nothing from anywhere."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from wardround.evaluation.charts import calibration_chart, roc_chart
from wardround.evaluation.histograms import Counts
from wardround.pages import html_page, html_row, html_table
from wardround.text import for_html, foreign


def summary_page(
    title: str,
    facts: Mapping[str, object],
    table: tuple[Sequence[str], Iterable[Sequence[object]]],
    charts: Sequence[str],
) -> str:
    """The page; all text is escaped. `table`: headings and rows; `charts`: SVG elements, which are not."""
    head, rows = table
    listed = "".join(
        f"<li>{for_html(name)}: <b>{for_html(show(value))}</b></li>" for name, value in facts.items()
    )
    body = (
        f"<h1>{for_html(title)}</h1><ul>{listed}</ul>",
        html_table(head, (html_row(map(show, row)) for row in rows)),
        f'<div class="charts">{"".join(charts)}</div>',
    )
    return html_page(title, body)


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
        axes = figure.add_subplot(title=foreign(title, 80), xlabel="model after round")
        for name, points in curves.items():
            axes.plot(
                [model for model, _ in points],
                [value for _, value in points],
                marker="o",
                label=foreign(name, 80),
            )
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


def _svg(figure: Figure) -> str:
    from io import StringIO

    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
