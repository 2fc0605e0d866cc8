"""The values that the charts are installed with: those of the one-cluster example, small, with a federation's names."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from k8s.demo.names import Names

CHARTS = Path(__file__).parents[2] / "helm"
_NAME = "kubernetes.io/metadata.name"


def coordinator_values(names: Names, keys: Mapping[str, str]) -> dict[str, Any]:
    """The coordinator's; `keys`: public keys of the hospitals that have told theirs."""
    hospitals = [{"name": site, **_public_key(keys.get(site))} for site in names.sites]
    everybody = [{"namespaceSelector": {"matchLabels": {_NAME: each}}} for each in names.hospitals.values()]
    return {
        "federation": {"name": names.federation},
        "hospitals": hospitals,
        "steps": {step: {"resources": _small("4Gi")} for step in ("aggregate", "evaluate", "compile")},
        "retries": _RETRIES,
        "networkPolicy": {"hospitals": {"from": everybody}},
    }


def site_values(names: Names, site: str, coordinator_key: str, approved: Sequence[str]) -> dict[str, Any]:
    """A hospital's; `approved`: digests of the plans that may run there."""
    exchange = {
        "namespaceSelector": {"matchLabels": {_NAME: names.coordinator}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "exchange"}},
    }
    federation = {"name": names.federation, "site": site, "coordinatorKey": coordinator_key}
    return {
        "federation": {**federation, "approvedPlans": list(approved)},
        "exchange": {"address": names.exchange},
        "steps": {
            step: {"resources": _small("4Gi")} for step in ("compile", "preprocess", "train", "evaluate")
        },
        "retries": _RETRIES,
        "networkPolicy": {"exchange": {"to": [exchange]}},
        "tests": {"otherSite": next(other for other in names.sites if other != site)},
    }


def image_values(chart: str, files: Iterable[Path]) -> dict[str, Any]:
    """Those images of values files that a chart has; a later file goes before an earlier one."""
    known = yaml.safe_load((CHARTS / chart / "values.yaml").read_text(encoding="utf-8"))["images"]
    given: dict[str, str] = {}
    for file in files:
        given |= yaml.safe_load(file.read_text(encoding="utf-8"))["images"]
    return {"images": {name: image for name, image in given.items() if name in known}}


# What the demo's charts get beside names: a laptop has a small disk, and the demo comes to the exchange by
# port-forward, so its certificate has that name as well.
LAPTOP: Mapping[str, Mapping[str, Any]] = {
    "wardround-coordinator": {
        "exchange": {"minio": {"size": "5Gi"}, "tls": {"names": ["localhost"]}},
        "database": {"size": "1Gi"},
        "work": {"size": "5Gi"},
    },
    "wardround-site": {"dicom": {"volume": {"size": "1Gi"}}, "work": {"size": "2Gi"}},
}


# A laptop has few processors for everybody: requests say what is reserved, not what may be used.
def _small(memory: str) -> dict[str, dict[str, str]]:
    return {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": memory}}


_RETRIES = {"count": 3, "backoffSeconds": 5}


def _public_key(key: str | None) -> dict[str, str]:
    return {} if key is None else {"publicKey": key}
