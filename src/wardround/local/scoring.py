"""The models of the report, each scored on every hospital's test patients.

`python -m wardround.local.scoring JSON` makes one model's scores (`ScoringJob`). The federated model is read from
the coordinator's bucket. A baseline is trained by the same plan as a federation of one member, which has one
hospital's images (local-only) or everybody's (pooled): the same rounds, local epochs and optimizers, and as for
the federated model, the round with the best validation value counts.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wardround.coordinator.commands import make_run
from wardround.coordinator.figures import evaluation_figures
from wardround.coordinator.history import best
from wardround.coordinator.states import read_state
from wardround.evaluation import sums
from wardround.evaluation.scores import score_split
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.shards import load_split
from wardround.local.children import PROGRESS
from wardround.local.scores import ScoringJob
from wardround.plan.data import Examples
from wardround.plan.format import load_plan
from wardround.plan.process import Tensors
from wardround.plan.program import Program
from wardround.plan.simulation import simulate
from wardround.private_process import handle_data_privately

Weights = dict[str, NDArray[Any]]
_FIGURES = {"val_auc": "auroc", "val_loss": "loss", "val_accuracy": "accuracy"}


def score(job: ScoringJob) -> None:
    """Makes the model, scores it on every hospital's test split, and writes `job.out`."""
    program = Program(load_plan(job.plan), threads=job.threads)
    weights = _trained(job, program) if job.train else _federated(job, program)
    arrays: dict[str, NDArray[Any]] = {"fingerprint": np.array(job.fingerprint())}
    for site, folder in job.test.items():
        examples = load_examples(folder, "test")
        arrays |= {
            f"scores/{site}": score_split(program, weights, examples),
            f"labels/{site}": examples.labels,
        }
    job.out.parent.mkdir(parents=True, exist_ok=True)
    part = job.out.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    part.replace(job.out)


def load_examples(folder: Path, split: str) -> Examples:
    """One split of a data set."""
    arrays = load_split(folder, split)
    return Examples(arrays.images, arrays.labels, DatasetInfo.load(folder).scale)


def train_alone(
    program: Program,
    train: Examples,
    validation: Examples,
    job: ScoringJob,
    tell: Callable[[int], None] = lambda done: None,
) -> Weights:
    """The best model of a federation of one, by `job.measure` on its own validation patients."""
    values: list[tuple[int, float]] = []
    kept: Weights = {}
    for done in simulate(program, {job.name: train}, program.recipe.rounds.count, run=job.run):
        value = validate(program, done.state, {job.name: validation}, job.measure)
        values += [(done.number, value)] if value is not None else []
        champion = best(values, job.measure)
        # Without any value, as with one class only on validation, the last model counts.
        if champion is None or champion[0] == done.number:
            kept = program.weights(done.state)
        tell(done.number)
    return kept


def validate(program: Program, state: Tensors, sites: Mapping[str, Examples], measure: str) -> float | None:
    """The value of a measure (val_auc, val_loss, val_accuracy) over all sites' examples; None if undefined."""
    weights, total = program.weights(state), sums.zero(program.classes)
    for examples in sites.values():
        scores = score_split(program, weights, examples)
        total = sums.added(total, sums.sums_of(scores, examples.labels))
    value = evaluation_figures(sums.figures(total), program.recipe.positive).get(_FIGURES[measure])
    return float(value) if isinstance(value, int | float) else None


def _trained(job: ScoringJob, program: Program) -> Weights:
    train, validation = (_together(job.train, split) for split in ("train", "validation"))
    rounds = program.recipe.rounds.count
    return train_alone(
        program, train, validation, job, lambda done: print(f"{PROGRESS}{done} {rounds}", flush=True)
    )


def _together(folders: dict[str, Path], split: str) -> Examples:
    parts = [load_examples(folder, split) for folder in folders.values()]
    return Examples(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        parts[0].scale,
    )


def _federated(job: ScoringJob, program: Program) -> Weights:
    if job.coordinator is None:
        raise ValueError("a job without training data needs the coordinator's settings")
    run = make_run(job.coordinator, program.plan, threading.Event())
    run.spool.mkdir(parents=True, exist_ok=True)
    return program.weights(read_state(run, program, job.champion))


if __name__ == "__main__":
    handle_data_privately()
    score(ScoringJob.model_validate_json(sys.argv[1]))
