"""A report as one HTML file: no script, no address, nothing loaded from anywhere."""

from collections.abc import Iterable, Mapping

from wardround.evaluation.charts import calibration_chart, roc_chart
from wardround.evaluation.histograms import Counts
from wardround.evaluation.report import Report, SiteScore
from wardround.evaluation.tables import UNDEFINED, bounds_text, provenance
from wardround.evaluation.verdict import verdict
from wardround.pages import html_page, html_table
from wardround.text import for_html

# site → model → counts int [2, B] of the positive class
Curves = Mapping[str, Mapping[str, Counts]]


def report_page(report: Report, curves: Curves | None = None) -> str:
    """The page; every text from the report is escaped. Charts are drawn for the sites in `curves`."""
    body = [
        f"<h1>{for_html(report.recipe)}</h1><p>{for_html(provenance(report))}</p>",
        "<ul>" + "".join(f"<li>{for_html(line)}</li>" for line in verdict(report).lines()) + "</ul>",
        "<h2>Each site's held-out patients</h2>" + html_table(_summary_head(), _summary_rows(report)),
        "<h2>AUROC, model × tested on</h2>" + html_table(("model", *report.sites), _matrix_rows(report)),
        *_charts(curves or {}),
    ]
    return html_page(report.recipe, body)


def _summary_head() -> tuple[str, ...]:
    models = ("federated", "own local", "pooled")
    return ("site", "n", *(f"{model} {measure}" for measure in ("AUROC", "accuracy") for model in models))


def _summary_rows(report: Report) -> Iterable[str]:
    for site, score in report.federated.items():
        models = (score, report.local.get(site, {}).get(site), report.pooled.get(site))
        texts = [
            UNDEFINED if each is None else bounds_text(getattr(each, measure))
            for measure in ("auroc", "accuracy")
            for each in models
        ]
        yield f"<tr><td>{for_html(site)}</td>{_numbers([str(score.n), *texts])}</tr>"


def _numbers(texts: Iterable[str]) -> str:
    return "".join(f'<td class="number">{for_html(text)}</td>' for text in texts)


def _matrix_rows(report: Report) -> Iterable[str]:
    for model, scores in report.models().items():
        if scores:
            cells = "".join(_shaded(scores.get(site)) for site in report.sites)
            yield f"<tr><td>{for_html(model)}</td>{cells}</tr>"


def _shaded(score: SiteScore | None) -> str:
    value = score.auroc[1] if score else None
    if value is None:
        return f'<td class="number">{UNDEFINED}</td>'
    strength = min(max(2 * value - 1, 0.0), 1.0)
    return f'<td class="number" style="background:rgba(46,125,50,{0.6 * strength:.2f})">{value:.3f}</td>'


def _charts(curves: Curves) -> Iterable[str]:
    for heading, chart in (("ROC", roc_chart), ("Calibration", calibration_chart)):
        if curves:
            drawn = "".join(chart(site, models) for site, models in curves.items())
            yield f'<h2>{heading}</h2><div class="charts">{drawn}</div>'
