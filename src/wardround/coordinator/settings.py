"""The coordinator's settings: from a YAML or JSON file, single fields from the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wardround.processes import load_settings


class CoordinatorSettings(BaseModel):
    """What a coordinator needs to know for one run.

    `exchange`: a folder or an S3 address; the S3 identity comes from the environment
    (`wardround.exchange.settings`). `key_file`: the coordinator's Ed25519 key (PEM, PKCS #8). `members`:
    site → public key, 64 hexadecimal digits. `plan_digest`: the plan, which is fetched from the federation's bucket;
    or `plan`, its folder; with both, the folder must hold that plan. `work`: a folder for files that may be lost.
    `run`: its name; without one it is made of the recipe's name, the digest and `run_id`, which a job that is
    started again has to give again: Kubeflow's id of its own run. `rounds` (at most the recipe's), `quorum` (at least
    the recipe's), `deadline_s`, `join_deadline_s`: None takes the recipe's. `outage_s`: how long an exchange that is
    away is waited for.
    `tracking_uri`: MLflow; None registers nothing; `registry_outage_s`: how long it may be away before its rounds
    are left for the next start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    federation: str
    run: str = ""
    run_id: str = ""
    exchange: str
    key_file: Path
    members: Annotated[dict[str, str], Field(min_length=1)]
    plan: Path | None = None
    plan_digest: str | None = None
    work: Path
    rounds: Annotated[int, Field(ge=1)] | None = None
    quorum: Annotated[int, Field(ge=1)] | None = None
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    join_deadline_s: Annotated[float, Field(gt=0)] | None = None
    outage_s: Annotated[float, Field(ge=0)] = 600.0
    threads: Annotated[int, Field(ge=1)] | None = None
    tracking_uri: str | None = None
    registry_outage_s: Annotated[float, Field(ge=0)] = 120.0
    experiment: str | None = None
    model_name: str | None = None

    @classmethod
    def load(cls, path: Path) -> "CoordinatorSettings":
        """The settings in a YAML or JSON file; WARDROUND_COORDINATOR_<FIELD> replaces a field.

        Raises ConfigurationError.
        """
        return load_settings(cls, path, "WARDROUND_COORDINATOR_")
