"""What the report needs of each model: the job that makes its scores on every hospital's test patients.

No TensorFlow here; `scoring` does the work in a process of its own.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from wardround.coordinator.settings import CoordinatorSettings
from wardround.imaging.dataset import DatasetInfo
from wardround.plan.format import MANIFEST_NAME


class ScoringJob(BaseModel):
    """One model: a baseline trained on the data sets of `train`, or, where that is empty, the federated one.

    `test`: hospital → data set; `coordinator`: settings that find the federated model, whose round is `champion`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    plan: Path
    out: Path
    test: dict[str, Path]
    train: dict[str, Path] = {}
    run: str
    measure: str
    threads: int
    coordinator: CoordinatorSettings | None = None
    champion: int = 0

    def fingerprint(self) -> str:
        """A hash of what the scores depend on."""
        digests = {
            str(path): DatasetInfo.load(path).digest for path in {*self.test.values(), *self.train.values()}
        }
        content = self.model_dump(
            mode="json", include={"name", "train", "test", "run", "measure", "champion"}
        )
        plan = json.loads((self.plan / MANIFEST_NAME).read_bytes())
        text = json.dumps([content, digests, plan], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Scores:
    """A model on one hospital's test patients: scores float32 [N, C], labels int32 [N]."""

    scores: NDArray[np.float32]
    labels: NDArray[np.int32]


def is_done(job: ScoringJob) -> bool:
    """Whether the job's scores are there, of the same model and the same images."""
    if not job.out.is_file():
        return False
    with np.load(job.out, allow_pickle=False) as kept:
        return str(kept["fingerprint"]) == job.fingerprint()


def read_scores(path: Path) -> dict[str, Scores]:
    """Scores by hospital."""
    with np.load(path, allow_pickle=False) as kept:
        sites = [name.removeprefix("scores/") for name in kept.files if name.startswith("scores/")]
        return {site: Scores(kept[f"scores/{site}"], kept[f"labels/{site}"]) for site in sites}
