"""What docs/operations.md backs up comes back from there, by the commands of that page."""

import os
import shutil
import time
from collections.abc import Iterator

import pytest
import yaml
from mlflow import MlflowClient
from tests.cluster.demo import Demo
from tests.cluster.documented import HOSPITAL, OPERATIONS, Shell, block, login, s3
from tests.cluster.federation import COORDINATOR, FEDERATION, RELEASE, Cluster
from tests.cluster.first_run import Finished, seen
from tests.cluster.shell import ROOT, get, helm, kubectl, secret

from wardround.exchange.layout import Layout


@pytest.fixture(scope="module")
def shell(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("work") / "shell")


@pytest.fixture
def desk(shell: Shell) -> Iterator[None]:
    """The pod beside the work volume."""
    page, heading = "hospital-it.md", "6. A plan"
    start, _, _ = block(page, heading).rpartition("kubectl -n hospital-alder exec -it")
    shell.lines(start)
    yield
    kubectl("-n", HOSPITAL, "delete", "pod", "wardround-desk", "--grace-period=1")


@pytest.mark.parametrize(("line", "namespace"), [(0, COORDINATOR), (1, HOSPITAL)])
def test_secrets_that_were_backed_up_and_lost_are_restored(shell: Shell, line: int, namespace: str) -> None:
    lines = block(OPERATIONS, "Keys and Secrets").splitlines()
    shell.lines(lines[line] + "\n")
    backed_up = yaml.safe_load((shell.folder / "secrets.yaml").read_text())["items"]
    before = {each["metadata"]["name"]: each["data"] for each in backed_up}
    assert {"wardround-key", "wardround-exchange"} <= set(before)
    kubectl("-n", namespace, "delete", "secret", *before)
    shell.lines(lines[2] + "\n")
    after = get(namespace, "secret", *before)["items"]
    assert {each["metadata"]["name"]: each["data"] for each in after} == before


def test_the_split_key_and_the_splits_come_back_from_their_archive(shell: Shell, desk: None) -> None:
    back, forth = block(OPERATIONS, "The split key and the splits").splitlines()
    before = _at_desk("sha256sum split.key splits-*.csv")
    shell.lines(back + "\n")
    _at_desk("rm -f split.key splits-*.csv")
    shell.lines(forth + "\n")
    assert _at_desk("sha256sum split.key splits-*.csv") == before
    assert "split.key" in before and "splits-" in before


def test_the_registry_is_what_it_was_when_it_was_dumped(
    shell: Shell, cluster: Cluster, registry: MlflowClient, demo: Demo
) -> None:
    before = seen(cluster)
    dump, _, restore = block(OPERATIONS, "MLflow").partition("\n")
    shell.lines(dump + "\n")
    registry.delete_registered_model(demo.model_name)
    registry.create_experiment(f"after the dump {time.time()}")
    assert seen(cluster) != before
    shell.lines(restore)
    kubectl("-n", COORDINATOR, "rollout", "status", "deployment/wardround-mlflow", "--timeout=180s")
    assert seen(cluster) == before
    assert not [each for each in registry.search_experiments() if each.name.startswith("after the dump")]
    assert registry.get_model_version_by_alias(demo.model_name, "champion")


def test_an_empty_exchange_is_filled_from_a_copy_of_its_buckets(shell: Shell, cluster: Cluster) -> None:
    if shutil.which("mc", path=f"{ROOT / 'build' / 'standins'}{os.pathsep}{os.environ['PATH']}") is None:
        pytest.skip("MinIO's client mc is not here (tests/cluster/standins/load.sh builds it)")
    before, members = seen(cluster), cluster.members()
    root = secret(COORDINATOR, "wardround-exchange-root")
    given = {"ROOT_USER": root["rootUser"].decode(), "ROOT_PASSWORD": root["rootPassword"].decode()}
    commands = block(OPERATIONS, "The exchange")
    shell.lines(commands, **given)
    helm("uninstall", RELEASE, "--namespace", COORDINATOR, "--wait")
    kubectl("-n", COORDINATOR, "delete", "pvc", "data-wardround-exchange-0")
    cluster.install_coordinator(members)
    assert not [*s3(login(COORDINATOR)).list_objects(bucket_name=Layout(FEDERATION).coordinator)]
    connect = "\n".join(commands.splitlines()[:2]) + "\n"
    shell.lines(connect + block(OPERATIONS, "The exchange", 1), **given)
    assert seen(cluster) == before
    helm("test", RELEASE, "--namespace", COORDINATOR, "--timeout", "5m")


def _at_desk(command: str) -> str:
    return kubectl("-n", HOSPITAL, "exec", "wardround-desk", "--", "sh", "-c", f"cd /work && {command}")
