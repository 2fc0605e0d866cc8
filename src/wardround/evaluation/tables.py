"""A report on a terminal."""

from collections.abc import Mapping

from rich.console import Group
from rich.table import Table

from wardround.evaluation.report import Bounds, Report, SiteScore
from wardround.evaluation.verdict import verdict
from wardround.text import for_rich

UNDEFINED = "–"
_LINE = 1000


def bounds_text(bounds: Bounds) -> str:
    """`.912 (.880–.941)`, or a dash where the value is undefined."""
    low, value, high = (UNDEFINED if bound is None else f"{bound:.3f}" for bound in bounds)
    return UNDEFINED if value == UNDEFINED else f"{value} ({low}–{high})"


def provenance(report: Report) -> str:
    """One line that says what was measured, and whether the images are real."""
    seeds = ", ".join(f"{name} {seed}" for name, seed in report.seeds.items())
    images = (
        "GENERATED images: the figures say nothing about patients"
        if report.data == "generated"
        else "real images"
    )
    effort = f"{report.rounds} rounds in {report.seconds:.0f} s"
    return f"{report.task} · {images} · {effort} · seeds: {seeds or 'none'}"


def summary_table(report: Report) -> Table:
    """Per site: the federated model, the site's own and the pooled one, with 95 % intervals."""
    table = Table(title=for_rich(f"{report.recipe}: held-out patients, value (95 % interval)"))
    for heading in ("site", "n", "measure", "federated", "own local", "pooled"):
        table.add_column(heading, justify="right" if heading == "n" else "left")
    for site, score in report.federated.items():
        others = (report.local.get(site, {}).get(site), report.pooled.get(site))
        table.add_row(
            for_rich(site), str(score.n), "AUROC", *(_cell(each, "auroc") for each in (score, *others))
        )
        table.add_row(
            "", "", "accuracy", *(_cell(each, "accuracy") for each in (score, *others)), end_section=True
        )
    return table


def matrix_table(report: Report) -> Table:
    """AUROC of every model (row) on every site's held-out patients (column)."""
    table = Table(title="AUROC, model × tested on")
    table.add_column("model")
    for site in report.sites:
        table.add_column(for_rich(site), justify="right")
    for model, scores in report.models().items():
        if scores:
            table.add_row(for_rich(model), *(_value(scores, site) for site in report.sites))
    return table


def report_view(report: Report) -> Group:
    """Everything for the end of a run: tables, then the plain answers."""
    answers = (for_rich(line, _LINE) for line in verdict(report).lines())
    return Group(summary_table(report), matrix_table(report), *answers, for_rich(provenance(report), _LINE))


def _cell(score: SiteScore | None, measure: str) -> str:
    return UNDEFINED if score is None else bounds_text(getattr(score, measure))


def _value(scores: Mapping[str, SiteScore], site: str) -> str:
    value = scores[site].auroc[1] if site in scores else None
    return UNDEFINED if value is None else f"{value:.3f}"
