"""helm test, upgrade, rollback and uninstall leave what they should."""

import pytest
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, RELEASE, SITES, Cluster, public_key
from tests.cluster.first_run import Finished
from tests.cluster.shell import ROOT, get, helm, secret

SITE = "mhh-hannover-de"


def test_helm_test_proves_every_hospital_and_the_coordinator(finished: Finished) -> None:
    for namespace in (COORDINATOR, *SITES.values()):
        helm("test", RELEASE, "--namespace", namespace, "--timeout", "5m")


@pytest.mark.parametrize("namespace", [COORDINATOR, SITES[SITE]])
def test_an_upgrade_and_a_rollback_keep_secrets_and_volumes(finished: Finished, namespace: str) -> None:
    before = _kept(namespace)
    chart = ROOT / "helm" / ("wardround-coordinator" if namespace == COORDINATOR else "wardround-site")
    more = ("--reuse-values", "--set", "pods.labels.changed=yes", "--wait", "--timeout", "8m")
    helm("upgrade", RELEASE, str(chart), "--namespace", namespace, *more)
    assert _kept(namespace) == before
    helm("rollback", RELEASE, "--namespace", namespace, "--wait", "--timeout", "8m")
    assert _kept(namespace) == before


def test_a_hospital_that_is_uninstalled_and_installed_again_finds_its_key_and_its_data(
    cluster: Cluster, finished: Finished, demo: Demo
) -> None:
    namespace, key = SITES[SITE], public_key(COORDINATOR, "job/wardround-setup", "-c", "key")
    before = _kept(namespace)
    helm("uninstall", RELEASE, "--namespace", namespace, "--wait")
    assert _kept(namespace) == before
    cluster.install_site(SITE, key)
    assert _kept(namespace) == before
    helm("test", RELEASE, "--namespace", namespace, "--timeout", "5m")


def _kept(namespace: str) -> dict[str, object]:
    """Claims by the volumes that they are bound to, and what the key's Secret holds."""
    claims = get(namespace, "pvc")["items"]
    volumes = {claim["metadata"]["name"]: claim["spec"]["volumeName"] for claim in claims}
    return {"volumes": volumes, "key": secret(namespace, "wardround-key")}
