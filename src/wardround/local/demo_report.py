"""The demo's report: federated, local-only and pooled on every hospital's held-out patients."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wardround.evaluation.histograms import class_rows, histogram_of
from wardround.evaluation.intervals import score_intervals
from wardround.evaluation.page import report_page
from wardround.evaluation.report import Report, SiteScore, site_score
from wardround.exchange.messages import FinalMessage
from wardround.local.children import Task
from wardround.local.demo_choices import Choices
from wardround.local.demo_data import LABELS
from wardround.local.demo_folder import DemoFolder
from wardround.local.launch import Federation, coordinator_settings, dataset_of
from wardround.local.patients import patients_of_test_split
from wardround.local.scores import Scores, ScoringJob, is_done, read_scores
from wardround.local.setup import coordinator_variables

BOOTSTRAP_SEED = 0
FEDERATED, POOLED = "federated", "pooled"


@dataclass(frozen=True)
class Ended:
    """What the federation left: its end, how long it took, and where."""

    federation: Federation
    final: FinalMessage
    seconds: float

    @property
    def folder(self) -> DemoFolder:
        """The demo's folder."""
        return self.federation.folder

    @property
    def choices(self) -> Choices:
        """What was asked for."""
        return self.federation.choices


def scoring_jobs(ended: Ended) -> list[ScoringJob]:
    """All models of the report, the longest work first."""
    data = {site: dataset_of(ended.folder, site) for site in sorted(ended.choices.sites)}
    trained = {POOLED: data, **{f"local-{site}": {site: path} for site, path in data.items()}, FEDERATED: {}}
    return [
        ScoringJob(
            name=name,
            plan=ended.folder.plan,
            out=ended.folder.models / f"{name}.npz",
            test=data,
            train=train,
            run=ended.choices.run,
            measure=ended.final.measure,
            threads=1,  # there are more jobs than cores
            coordinator=None if train else coordinator_settings(ended.federation),
            champion=0 if train else ended.final.champion,
        )
        for name, train in trained.items()
    ]


def scoring_tasks(ended: Ended, jobs: Iterable[ScoringJob]) -> list[Task]:
    """The processes for the models that are not scored yet."""
    return [
        Task(
            job.name,
            ("-m", "wardround.local.scoring", job.model_dump_json()),
            ended.folder.log(f"model-{job.name}"),
            coordinator_variables(ended.folder),
        )
        for job in jobs
        if not is_done(job)
    ]


def make_report(ended: Ended) -> Report:
    """Reads all scores and writes `report.json` and `report.html`. Intervals are by patient."""
    sites = sorted(ended.choices.sites)
    scores = {name: read_scores(ended.folder.models / f"{name}.npz") for name in _names(sites)}
    patients = {site: _patients(ended.folder, site, scores[FEDERATED][site].labels) for site in sites}
    positive = ended.choices.recipe.positive
    judged = {
        name: {site: _judge(found[site], patients[site], positive) for site in sites}
        for name, found in scores.items()
    }
    report = _report(ended, judged)
    report.write(ended.folder.report)
    ended.folder.page.write_text(report_page(report, _curves(scores, positive)), encoding="utf-8")
    return report


def _report(ended: Ended, judged: dict[str, dict[str, SiteScore]]) -> Report:
    recipe = ended.choices.recipe
    return Report(
        recipe=recipe.name,
        task=" or ".join(recipe.task.labels),
        data=ended.choices.data,
        federated=judged[FEDERATED],
        local={site: judged[f"local-{site}"] for site in sorted(ended.choices.sites)},
        pooled=judged[POOLED],
        rounds=ended.final.last,
        seconds=round(ended.seconds, 1),
        seeds={"data": ended.choices.seed, "training": recipe.seed, "bootstrap": BOOTSTRAP_SEED},
    )


def _names(sites: Iterable[str]) -> list[str]:
    return [FEDERATED, POOLED, *(f"local-{site}" for site in sites)]


def _patients(folder: DemoFolder, site: str, truth: NDArray[np.int32]) -> NDArray[np.str_]:
    data, own = folder.data(site), folder.site(site)
    return patients_of_test_split(
        data / "dicom", data / LABELS, own / "split.key", own / "work", dataset_of(folder, site), truth
    )


def _judge(found: Scores, patients: NDArray[np.str_], positive: int | None) -> SiteScore:
    intervals = score_intervals(
        found.scores, found.labels, positive=positive, groups=patients, seed=BOOTSTRAP_SEED
    )
    return site_score(intervals, len(found.labels))


def _curves(
    scores: dict[str, dict[str, Scores]], positive: int | None
) -> dict[str, dict[str, NDArray[np.int64]]] | None:
    if positive is None:
        return None
    return {
        site: {
            name: class_rows(histogram_of(scores[name][site].scores, scores[name][site].labels), positive)
            for name in (FEDERATED, f"local-{site}", POOLED)
        }
        for site in scores[FEDERATED]
    }
