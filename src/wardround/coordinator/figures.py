"""What the graphs measured, as JSON: plain numbers, and clinical metrics out of score histograms."""

import math
from collections.abc import Mapping

import numpy as np
from pydantic import JsonValue

from wardround.evaluation.histograms import metrics_from_histogram
from wardround.exchange.messages import Figures


def plain(value: object) -> JsonValue:
    """A number, array or nested list as JSON; a number that is not finite becomes None."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) or value is None else str(value)


def plain_figures(figures: Mapping[str, object]) -> Figures:
    """Figures by name, as JSON."""
    return {name: plain(value) for name, value in sorted(figures.items())}


def evaluation_figures(figures: Mapping[str, object], positive: int | None) -> Figures:
    """An evaluation's measurements and, where it counted scores, the metrics of its histogram.

    `figures["histogram"]`: int [C, 2, B]; `positive`: the class whose AUROC it is, None averages over all.
    Measurements keep their names where both have one.
    """
    histogram = figures.get("histogram")
    metrics = {} if histogram is None else metrics_from_histogram(np.asarray(histogram), positive)
    return plain_figures({**metrics, **figures})
