"""What a site's steps do around the work itself: run it until a signal, and leave outputs and reports."""

import json
import logging
import threading
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardround.cli.executor import Artifact
from wardround.cli.options import Step
from wardround.cli.steps import shown_progress
from wardround.evaluation.summary import (
    chosen_threshold,
    classification_metadata,
    numbers,
    operating_figures,
    positive_rows,
)
from wardround.plan.format import Plan
from wardround.processes import run_until_signal
from wardround.site.settings import SiteSettings

if TYPE_CHECKING:
    from wardround.site.intake import Source

_LOG = logging.getLogger(__name__)


def run_preprocess(given: Step[SiteSettings], source: "Source") -> None:
    """Outputs: `dataset` (folder), `dataset_digest`, `plan_digest`. Refusals by reason stay in the log."""
    # Training and evaluation run where no DICOM library is installed.
    from wardround.imaging.reasons import Reason
    from wardround.site.intake import preprocess

    with shown_progress() as progress:
        made = run_until_signal(lambda stop: preprocess(given.settings, source, stop, progress))
    for split, info in made.info.splits.items():
        _LOG.info("%s: %d images", split, info.count)
    for reason, count in made.info.refusals.items():
        _LOG.info("refused: %d (%s)", count, reason)
    if Reason.BURNED_IN in made.info.refusals:
        _LOG.warning(
            "some images may show who the patient is, and wait; look at them with: "
            "wardround quarantine list --work %s; then start again",
            given.settings.work,
        )
    _LOG.info("dataset %s in %s", made.info.digest, made.folder)
    values = {
        "dataset": str(made.folder),
        "dataset_digest": made.info.digest,
        "plan_digest": made.plan_digest,
    }
    given.executor.write(values)


def run_train(given: Step[SiteSettings]) -> None:
    """Outputs: `status`, `rounds_answered`, and `metrics` with counts of rounds."""
    from wardround.site.commands import train

    summary = run_until_signal(partial(train, given.settings))
    counts = {"rounds_answered": len(summary.answered), "rounds_refused": len(summary.refused)}
    status = summary.final.status if summary.final else "unknown"
    given.executor.write({"status": status, **counts}, {"metrics": Artifact(counts)})


def run_evaluate(given: Step[SiteSettings], show_local: bool) -> None:
    """Writes report.json and report.html into the site's work folder; outputs: `metrics`, `curves`, `report`."""
    from wardround.site.evaluate import evaluate

    found = run_until_signal(partial(evaluate, given.settings))
    folder = given.settings.work / found.federation / found.site / found.run
    page = local_page(found)
    write_report(folder, found, page)
    _LOG.info("report of the site's own patients: %s", folder / "report.html")
    figures = local_figures(found) if show_local else dict(found.published)
    shown = page if show_local else published_page(found)
    given.executor.write({}, {**artifacts(found, figures), "report": Artifact(content=shown)})


def artifacts(found: Any, figures: Any) -> dict[str, Artifact]:
    """Metrics and curves of figures by split; with no figures only counts of rounds."""
    flat = {"rounds": float(found.final.rounds), "rounds_answered": float(found.answered)}
    for split, each in figures.items():
        flat |= numbers(each, split)
    threshold = chosen_threshold(found.question, positive_rows(figures.get("validation", {}), found.question))
    rows = positive_rows(figures.get("test", {}), found.question)
    if rows is None:
        return {"metrics": Artifact(flat), "curves": Artifact()}
    flat |= operating_figures(rows, threshold, "test")
    return {
        "metrics": Artifact(flat),
        "curves": Artifact(classification_metadata(rows, found.question, threshold)),
    }


def local_figures(found: Any) -> dict[str, dict[str, Any]]:
    """The champion's figures on the site's own splits, in the form of an outcome's."""
    return {
        split: {
            "auroc": each.auroc[1],
            "accuracy": each.accuracy[1],
            "num_examples": each.examples,
            "histogram": each.histogram,
        }
        for split, each in found.local.items()
    }


def local_page(found: Any) -> str:
    """The report for the people at the hospital."""
    from wardround.evaluation.summary_page import score_charts, summary_page

    rows = [(split, each.examples, each.auroc, each.accuracy) for split, each in found.local.items()]
    test = positive_rows(local_figures(found).get("test", {}), found.question)
    charts = [] if test is None else score_charts("test", test)
    table = (("split", "images", "AUROC (95 % interval)", "accuracy (95 % interval)"), rows)
    return summary_page(f"Run {found.run}: the champion on our own patients", _facts(found), table, charts)


def published_page(found: Any) -> str:
    """The report with nothing in it that has not left the hospital before."""
    from wardround.evaluation.summary_page import score_charts, summary_page

    rows = [(s, f.get("num_examples"), f.get("auroc"), f.get("accuracy")) for s, f in found.published.items()]
    test = positive_rows(found.published.get("test", {}), found.question)
    charts = [] if test is None else score_charts("test", test)
    table = (("split", "images", "AUROC", "accuracy"), rows)
    return summary_page(f"Run {found.run}: the last model, as published", _facts(found), table, charts)


def write_report(folder: Path, found: Any, page: str) -> None:
    """`report.json` and `report.html` in the site's own folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "federation": found.federation,
        "site": found.site,
        "run": found.run,
        "plan_digest": found.plan_digest,
        "model": found.final.champion,
        "rounds": found.final.rounds,
        "rounds_answered": found.answered,
        "splits": {split: asdict(each) for split, each in found.local.items()},
    }
    (folder / "report.json").write_text(json.dumps(content) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(page, encoding="utf-8")


def _facts(found: Any) -> dict[str, object]:
    final = found.final
    return {
        "federation": found.federation,
        "site": found.site,
        "plan": found.plan_digest[:12],
        "end": final.status,
        "rounds": final.rounds,
        "rounds answered": found.answered,
        "champion": f"model {final.champion}",
    }


def fetch(settings: SiteSettings, stop: threading.Event) -> Plan:
    """The run's plan, fetched and with its operations checked, approved or not."""
    from wardround.exchange.connect import open_exchange
    from wardround.exchange.patience import PatientExchange
    from wardround.plan.review import check_operations
    from wardround.site.context import take_seat
    from wardround.site.plans import fetch_plan, find_run

    seat = take_seat(
        settings, PatientExchange(open_exchange(settings.exchange, stop), settings.outage_s, stop), stop
    )
    plan = fetch_plan(seat.bound_to(find_run(seat).plan_digest))
    check_operations(plan)
    return plan
