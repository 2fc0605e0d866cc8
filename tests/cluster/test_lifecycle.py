"""helm test, upgrade, rollback and uninstall leave what they should."""

import pytest
from tests.cluster.federation import COORDINATOR, RELEASE, SITES, Cluster, public_key
from tests.cluster.first_run import Finished, seen
from tests.cluster.shell import ROOT, get, helm, secret

SITE = "mhh-hannover-de"


def test_helm_test_proves_every_hospital_and_the_coordinator(finished: Finished) -> None:
    for namespace in (COORDINATOR, *SITES.values()):
        helm("test", RELEASE, "--namespace", namespace, "--timeout", "5m")


@pytest.mark.parametrize("namespace", [COORDINATOR, SITES[SITE]])
def test_an_upgrade_to_another_image_and_a_rollback_keep_secrets_and_volumes(
    cluster: Cluster, finished: Finished, namespace: str
) -> None:
    if not cluster.bed.next.is_file():
        pytest.skip(f"{cluster.bed.next} is not there: no next version's image to upgrade to")
    before, image, people_see = _kept(namespace), _keeper_image(namespace), seen(cluster)
    chart = ROOT / "helm" / ("wardround-coordinator" if namespace == COORDINATOR else "wardround-site")
    more = ("--reuse-values", "--values", str(cluster.bed.next), "--wait", "--timeout", "8m")
    helm("upgrade", RELEASE, str(chart), "--namespace", namespace, *more)
    assert (_kept(namespace), seen(cluster)) == (before, people_see)
    assert _keeper_image(namespace) != image
    helm("rollback", RELEASE, "--namespace", namespace, "--wait", "--timeout", "8m")
    assert (_kept(namespace), seen(cluster)) == (before, people_see)
    assert _keeper_image(namespace) == image


def test_a_hospital_that_is_uninstalled_and_installed_again_finds_its_key_and_its_data(
    cluster: Cluster, finished: Finished
) -> None:
    namespace, key = SITES[SITE], public_key(COORDINATOR, "job/wardround-setup", "-c", "key")
    before = _kept(namespace)
    helm("uninstall", RELEASE, "--namespace", namespace, "--wait")
    assert _kept(namespace) == before
    cluster.install_site(SITE, key)
    assert _kept(namespace) == before
    helm("test", RELEASE, "--namespace", namespace, "--timeout", "5m")


def test_a_coordinator_that_is_uninstalled_and_installed_again_finds_its_runs_and_models(
    cluster: Cluster, finished: Finished
) -> None:
    before, people_see, members = _kept(COORDINATOR), seen(cluster), cluster.members()
    helm("uninstall", RELEASE, "--namespace", COORDINATOR, "--wait")
    assert _kept(COORDINATOR) == before
    cluster.install_coordinator(members)
    assert (_kept(COORDINATOR), seen(cluster)) == (before, people_see)
    helm("test", RELEASE, "--namespace", COORDINATOR, "--timeout", "5m")


def _keeper_image(namespace: str) -> str:
    """The digest of the image that the keeper runs."""
    pods = get(namespace, "pods", "-l", "app.kubernetes.io/component=keeper")["items"]
    (pod,) = [each for each in pods if "deletionTimestamp" not in each["metadata"]]
    return str(pod["status"]["containerStatuses"][0]["imageID"])


def _kept(namespace: str) -> dict[str, object]:
    """Claims by the volumes that they are bound to, and what the key's Secret holds."""
    claims = get(namespace, "pvc")["items"]
    volumes = {claim["metadata"]["name"]: claim["spec"]["volumeName"] for claim in claims}
    return {"volumes": volumes, "key": secret(namespace, "wardround-key")}
