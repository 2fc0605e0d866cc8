"""What a site's steps do around the work itself: run it until a signal, and leave outputs and reports."""

import json
import logging
import os
import shlex
import threading
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardround.cli.executor import Artifact
from wardround.cli.options import Step
from wardround.cli.steps import shown_progress
from wardround.errors import ConfigurationError
from wardround.evaluation.summary import (
    chosen_threshold,
    classification_metadata,
    numbers,
    operating_figures,
    positive_rows,
)
from wardround.exchange.files import whole_file
from wardround.pages import html_page
from wardround.plan.format import Plan
from wardround.processes import run_until_signal
from wardround.site.settings import SiteSettings
from wardround.text import for_html

if TYPE_CHECKING:
    from wardround.plan.verification import Verification
    from wardround.site.intake import Prepared, Source

_LOG = logging.getLogger(__name__)
READ_ONLY = "WARDROUND_IMAGES_READ_ONLY"


# Why a run has nothing to do: the word before the colon is its status.
_IDLE = "idle: no run was open that this site could take part in"


def run_preprocess(given: Step[SiteSettings], source: "Source") -> None:
    """Outputs: `run_name`, `status`, `reason`, `dataset` (folder), `dataset_digest`, `plan_digest`.

    In a pipeline, a plan that may not run here ends it well, with nothing done and a reason that says so: Kubeflow would
    repeat a failed step, and no repetition approves a plan.
    """
    # Training and evaluation run where no DICOM library is installed.
    from wardround.site.intake import preprocess
    from wardround.site.plans import UnwantedPlanError

    if (reason := _reason_before(given)) is not None:
        _write_nothing(given, reason)
        return
    _warn_if_writable(given.settings.dicom)
    try:
        with shown_progress() as progress:
            made = run_until_signal(lambda stop: preprocess(given.settings, source, stop, progress))
    except UnwantedPlanError as error:
        if not given.executor.is_task:
            raise
        _LOG.error("%s [%s]", error, error.code)
        _write_nothing(given, f"declined: {error.advice}")
        return
    if made is None:
        _write_nothing(given, _IDLE)
        return
    _log_dataset(made, given.settings.work)
    values = {
        "run_name": made.run,
        "status": "prepared",
        "reason": "prepared",
        "dataset": str(made.folder),
        "dataset_digest": made.info.digest,
        "plan_digest": made.plan_digest,
    }
    given.executor.write(values)


def begin(settings: SiteSettings) -> None:
    """A step's first word: it comes before TensorFlow, which takes seconds to load where others load it too."""
    run = f"run {settings.run}" if settings.run else "no run given"
    _LOG.info("site %s of federation %s, %s", settings.site, settings.federation, run)


def _write_nothing(given: Step[SiteSettings], reason: str) -> None:
    _LOG.info("nothing to do: %s", reason)
    names = ("run_name", "dataset", "dataset_digest", "plan_digest")
    given.executor.write({**dict.fromkeys(names, ""), "status": _status(reason), "reason": reason})


def _status(reason: str) -> str:
    return reason.partition(":")[0]


def _log_dataset(made: "Prepared", work: Path) -> None:
    """Counts and refusals by reason; these stay in the log."""
    from wardround.imaging.reasons import Reason

    for split, info in made.info.splits.items():
        _LOG.info("%s: %d images", split, info.count)
    for reason, count in made.info.refusals.items():
        _LOG.info("refused: %d (%s)", count, reason)
    if Reason.BURNED_IN in made.info.refusals:
        _LOG.warning(
            "some images may show who the patient is, and wait; look at them with: "
            "wardround quarantine list --work %s; then start again",
            shlex.quote(str(work)),
        )
    _LOG.info("run %s: dataset %s in %s", made.run, made.info.digest, made.folder)


def _warn_if_writable(images: str | None) -> None:
    """Kubeflow cannot mount a claim read-only, so whoever promised it learns when it is not so."""
    if os.environ.get(READ_ONLY) and images is not None and os.access(images, os.W_OK):
        _LOG.warning("the folder of images can be written from here; make the volume itself read-only")


def run_train(given: Step[SiteSettings]) -> None:
    """Outputs: `status`, `rounds_answered`, and `metrics` with counts of rounds."""
    begin(given.settings)
    from wardround.site.commands import train

    if (reason := _reason(given)) is not None:
        counts, status, told = {"rounds_answered": 0, "rounds_refused": 0}, _status(reason), _told(reason)
    else:
        summary = run_until_signal(partial(train, given.settings))
        counts = {"rounds_answered": len(summary.answered), "rounds_refused": len(summary.refused)}
        status, told = summary.final.status if summary.final else "unknown", {}
    given.executor.write({"status": status, **counts}, {"metrics": Artifact({**counts, **told})})


def run_evaluate(given: Step[SiteSettings], show_local: bool) -> None:
    """Writes report.json and report.html into the site's work folder; outputs: `metrics`, `curves`, `report`."""
    begin(given.settings)
    from wardround.site.evaluate import evaluate

    if (reason := _reason(given)) is not None:
        page = html_page(_status(reason), [f"<p>Nothing was trained. {for_html(reason)}.</p>"])
        metrics = Artifact({"rounds": 0, **_told(reason)})
        shown = {"metrics": metrics, "curves": Artifact(), "report": Artifact(content=page)}
        given.executor.write({}, shown)
        return
    found = run_until_signal(partial(evaluate, given.settings))
    folder = given.settings.work / found.federation / found.site / found.run
    page = local_page(found)
    write_report(folder, found, page)
    _LOG.info("report of the site's own patients: %s", folder / "report.html")
    figures = local_figures(found) if show_local else dict(found.published)
    report = page if show_local else published_page(found)
    given.executor.write({}, {**artifacts(found, figures), "report": Artifact(content=report)})


def _reason_before(given: Step[SiteSettings]) -> str | None:
    """Why a pipeline's preprocessing has nothing to do: the step before it found no run, or none that may run here."""
    return None if given.settings.run else given.executor.inputs.get("reason_before") or None


def _told(reason: str) -> dict[str, str]:
    """What a page of Kubeflow shows beside the counts, which alone could be those of a run that only went badly."""
    status, _, text = reason.partition(": ")
    return {status: text}


def _reason(given: Step[SiteSettings]) -> str | None:
    """Why a pipeline's later steps have nothing to do: the step before found no run, or none that it may take part in.

    Raises ConfigurationError outside of a pipeline, where nobody looked for one.
    """
    if given.settings.run:
        return None
    if not given.executor.is_task:
        raise ConfigurationError("--run is not given; name the run")
    reason = str(given.executor.inputs.get("reason") or _IDLE)
    _LOG.info("nothing to do: %s", reason)
    return reason


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
            "undefined": each.undefined,
            "histogram": each.histogram,
        }
        for split, each in found.local.items()
    }


def local_page(found: Any) -> str:
    """The report for the people at the hospital."""
    from wardround.evaluation.summary_page import score_charts, summary_page

    rows = [
        (split, each.examples, each.undefined, each.auroc, each.accuracy)
        for split, each in found.local.items()
    ]
    test = positive_rows(local_figures(found).get("test", {}), found.question)
    charts = [] if test is None else score_charts("test", test)
    head = ("split", "images", "without scores", "AUROC (95 % interval)", "accuracy (95 % interval)")
    table = (head, rows)
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
    for name, text in (("report.json", json.dumps(content) + "\n"), ("report.html", page)):
        with whole_file(folder / name) as file:
            file.write(text.encode())


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


def fetch(settings: SiteSettings, stop: threading.Event) -> "tuple[Plan, Verification]":
    """The run's plan, fetched and with its operations checked, approved or not; and what verifying it shows."""
    from wardround.exchange.connect import open_patient
    from wardround.site.context import take_seat
    from wardround.site.plan_folder import fetch_reviewed
    from wardround.site.plans import find_run
    from wardround.site.verifying import verify_here

    seat = take_seat(settings, open_patient(settings.exchange, settings.outage_s, stop), stop)
    plan = fetch_reviewed(seat.bound_to(find_run(seat).plan_digest))
    return plan, verify_here(settings, plan.manifest, stop, graphs=plan.folder)
