"""ROC and calibration charts as inline SVG."""

import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wardround.evaluation.histograms import Counts, class_roc, reliability
from wardround.text import foreign

_NAME = 80

# A dollar sign in a site's name is no formula; text stays text so that it can be searched and read aloud.
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "wardround",
    "font.size": 9.0,
}


def roc_chart(title: str, rows_by_model: Mapping[str, Counts]) -> str:
    """One site's ROC curves: model → counts int [2, B] → SVG element."""
    with mpl.rc_context(_STYLE):
        figure, axes = _square(title, "1 - specificity", "sensitivity")
        for model, rows in rows_by_model.items():
            roc = class_roc(rows).corners()
            axes.plot(
                roc.false_positive_rate,
                roc.true_positive_rate,
                label=foreign(f"{model} {roc.area:.3f}", _NAME),
            )
        return _svg(figure, axes)


def calibration_chart(title: str, rows_by_model: Mapping[str, Counts]) -> str:
    """One site's reliability diagram: model → counts int [2, B] → SVG element."""
    with mpl.rc_context(_STYLE):
        figure, axes = _square(title, "predicted probability", "observed frequency")
        for model, rows in rows_by_model.items():
            predicted, observed, examples = reliability(rows)
            axes.plot(
                predicted[examples > 0],
                observed[examples > 0],
                marker="o",
                markersize=3,
                label=foreign(model, _NAME),
            )
        return _svg(figure, axes)


def _square(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(3.6, 3.6), layout="constrained")
    axes = figure.add_subplot(
        xlim=(0, 1), ylim=(0, 1), aspect="equal", title=foreign(title, _NAME), xlabel=across, ylabel=up
    )
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8)
    return figure, axes


def _svg(figure: Figure, axes: Axes) -> str:
    """The <svg> element alone: HTML has no use for the XML header before it."""
    if len(axes.lines) > 1:
        axes.legend(loc="lower right", frameon=False)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
