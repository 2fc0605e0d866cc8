"""What the coordinator's steps do around the work itself: run it until a signal, and leave outputs and reports."""

import logging
from functools import partial

from wardround.cli.executor import Artifact
from wardround.cli.options import Step
from wardround.coordinator.evaluate import RunEvaluation, evaluate, metrics, threshold_of
from wardround.coordinator.settings import CoordinatorSettings
from wardround.evaluation.summary import classification_metadata, positive_rows
from wardround.processes import run_until_signal

_LOG = logging.getLogger(__name__)


def run_aggregate(given: Step[CoordinatorSettings]) -> None:
    """Outputs: `run_name`, `digest`, `status`, `champion`, and `metrics` with the champion's value of the measure."""
    from wardround.coordinator.commands import aggregate
    from wardround.coordinator.settle import settle

    settings, plan = run_until_signal(partial(settle, given.settings))
    _LOG.info("run %s of plan %s", settings.run, plan.digest)
    final = run_until_signal(partial(aggregate, settings))
    _LOG.info("%s after %d rounds; champion: model %d", final.status, final.rounds, final.champion)
    shown = {"rounds": float(final.rounds), "champion_model": float(final.champion)}
    if final.metric is not None:
        shown[final.measure] = final.metric
    values = {
        "run_name": settings.run,
        "digest": plan.digest,
        "status": final.status,
        "champion": final.champion,
    }
    given.executor.write(values, {"metrics": Artifact(shown)})


def run_evaluate(given: Step[CoordinatorSettings]) -> None:
    """Writes the report into the run's work folder; outputs: `metrics`, `curves`, `report`."""
    _LOG.info("report of run %s of federation %s", given.settings.run, given.settings.federation)
    found = run_until_signal(partial(evaluate, given.settings))
    page = report_page(found)
    folder = given.settings.work / found.federation / found.run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(page, encoding="utf-8")
    _LOG.info("report: %s", folder / "report.html")
    made = {"metrics": Artifact(metrics(found)), "curves": _curves(found), "report": Artifact(content=page)}
    given.executor.write({}, made)


def report_page(found: RunEvaluation) -> str:
    """One page: every evaluation, curves by model, and ROC and calibration of the last one on test."""
    from wardround.evaluation.summary_page import curve_chart, score_charts, summary_page

    head = ("round", "model", "split", "site", "images", "loss", "accuracy", "AUROC")
    names = ("num_examples", "loss", "accuracy", "auroc")
    rows = [(e.round, e.model, e.split, e.site or "all", *map(e.figures.get, names)) for e in found.evaluated]
    curves = {name: points for name in ("auroc", "accuracy") if (points := found.curve(name))}
    charts = [
        curve_chart("validation, all sites", curves),
        curve_chart("validation loss, all sites", {"loss": found.curve("loss")}),
    ]
    test = found.last("test")
    counts = None if test is None else positive_rows(test.figures, found.question)
    charts += [] if counts is None else score_charts("test, all sites", counts)
    return summary_page(f"Run {found.run}", _facts(found), (head, rows), charts)


def _curves(found: RunEvaluation) -> Artifact:
    test = found.last("test") or found.last("validation")
    rows = None if test is None else positive_rows(test.figures, found.question)
    if rows is None:
        return Artifact()
    return Artifact(classification_metadata(rows, found.question, threshold_of(found)))


def _facts(found: RunEvaluation) -> dict[str, object]:
    refused = sum(len(outcome.refused) for outcome in found.history.outcomes)
    return {
        "federation": found.federation,
        "plan": found.plan_digest[:12],
        "end": found.final.status,
        "rounds": found.final.rounds,
        "champion": f"model {found.final.champion}",
        found.final.measure: found.final.metric,
        "updates refused": refused,
    }
