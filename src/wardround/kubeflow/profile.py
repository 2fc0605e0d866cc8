"""What a compiled pipeline needs of the namespace that it runs in: names of Secrets and claims, resources, nodes.

A hospital's values differ in this and in nothing else, so a pipeline is compiled from a profile. Nothing in it is
secret: Secrets are named here and mounted there. The defaults are the names that Wardround's charts use.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wardround.processes import load_settings

# Kubernetes: names of objects (RFC 1123 subdomain), label values, and quantities (resource.Quantity).
_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\z"
_LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\z"
_LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\z"
_CPU = r"^([0-9]+m|[0-9]+(\.[0-9]+)?)\z"
# Kubeflow's compiler also takes K, which is no unit of Kubernetes; it takes neither k nor fractions.
_MEMORY = r"^[0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|Ki)?\z"

Name = Annotated[str, Field(pattern=_NAME)]
Labels = dict[Annotated[str, Field(pattern=_LABEL_KEY)], Annotated[str, Field(pattern=_LABEL_VALUE)]]
Cpu = Annotated[str, Field(pattern=_CPU)]
Memory = Annotated[str, Field(pattern=_MEMORY)]
Image = Annotated[str, Field(pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}\z")]
Component = Literal["compile", "preprocess", "train", "aggregate", "evaluate"]
Party = Literal["site", "coordinator"]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gpu(_Closed):
    """Accelerators of one step: `resource` as the nodes advertise it."""

    resource: Annotated[str, Field(pattern=_LABEL_KEY)] = "nvidia.com/gpu"
    count: Annotated[int, Field(ge=1)] = 1


class Resources(_Closed):
    """Requests and limits of one step; None asks for nothing, and the namespace's LimitRange decides."""

    cpu_request: Cpu | None = None
    cpu_limit: Cpu | None = None
    memory_request: Memory | None = None
    memory_limit: Memory | None = None
    gpu: Gpu | None = None


class Retries(_Closed):
    """How a step that ended with an error is started again: after `backoff_seconds`, doubled each time."""

    count: Annotated[int, Field(ge=0, le=10)] = 3
    backoff_seconds: Annotated[int, Field(ge=1, le=3600)] = 30


class Toleration(_Closed):
    """A Kubernetes toleration, spelled as there or as here."""

    model_config = ConfigDict(populate_by_name=True)

    key: str | None = None
    operator: Literal["Equal", "Exists"] | None = None
    value: str | None = None
    effect: Literal["NoExecute", "NoSchedule", "PreferNoSchedule"] | None = None
    toleration_seconds: Annotated[int | None, Field(alias="tolerationSeconds")] = None


class Profile(_Closed):
    """One party's namespace.

    `name`: the site's; `federation`: for labels and names of runs. `settings_config_map` holds `site.yaml` or
    `coordinator.yaml`; `key_secret` `key.pem`; `exchange_secret` `s3.json` and, with `exchange_has_ca`, `ca.crt`;
    `source_secret` `source.json`; `approvals_config_map` a key for each approved digest; `mlflow_secret` `username`
    and `password`. What is None is not mounted; the last three may be named and absent. `images_folder_read_only`:
    whether the claim of images cannot be written; Kubeflow cannot mount it so by itself, so the step that reads it
    warns when it can. `verifies`: whether a site's runs begin with verifying the plan. `labels`: more labels for every
    pod. `images`: component → image by digest, instead of the lock's.
    """

    party: Party
    name: str = ""
    federation: str = ""
    settings_config_map: Name = ""
    key_secret: Name = "wardround-key"
    exchange_secret: Name = "wardround-exchange"
    exchange_has_ca: bool = False
    exchange_allow_http: bool = False
    source_secret: Name | None = "wardround-source"
    approvals_config_map: Name | None = "wardround-approvals"
    mlflow_secret: Name | None = "wardround-mlflow"
    work_claim: Name = "wardround-work"
    images_claim: Name | None = "wardround-images"
    images_folder_read_only: bool = True
    verifies: bool = True
    node_selector: Labels = {}
    tolerations: tuple[Toleration, ...] = ()
    labels: Labels = {}
    images: dict[Component, Image] = {}
    resources: dict[Component, Resources] = {}
    retries: Retries = Retries()

    @model_validator(mode="before")
    @classmethod
    def _settings_of_party(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("settings_config_map"):
            return given
        return {**given, "settings_config_map": f"wardround-{given.get('party')}"}

    @classmethod
    def load(cls, path: Path) -> "Profile":
        """The profile in a YAML or JSON file. Raises ConfigurationError that names the field."""
        return load_settings(cls, path, "WARDROUND_PROFILE_", {})

    def pod_labels(self, step: Component) -> dict[str, str]:
        """Labels of a step's pod: Kubernetes' recommended ones, whose part it plays, and the profile's own."""
        ours = {
            "app.kubernetes.io/name": f"wardround-{self.party}",
            "app.kubernetes.io/component": step,
            "app.kubernetes.io/part-of": "wardround",
            "app.kubernetes.io/managed-by": "kubeflow-pipelines",
            "wardround.io/federation": self.federation,
            "wardround.io/site": self.name if self.party == "site" else "",
        }
        return {key: value for key, value in ours.items() if value} | self.labels
