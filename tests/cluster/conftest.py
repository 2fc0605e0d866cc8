"""One federation for all tests on the cluster: three hospitals and a coordinator, each in its own namespace."""

from collections.abc import Iterator

import mlflow
import pytest
from mlflow import MlflowClient
from tests.cluster.bed import Bed
from tests.cluster.demo import IMAGES, Demo, run_demo
from tests.cluster.federation import COORDINATOR, Cluster, set_up
from tests.cluster.first_run import Finished, play
from tests.cluster.people import MLFLOW
from tests.cluster.shell import ROOT, secret


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They share one cluster: one process runs them, in the order in which they stand, but one file."""
    for item in items:
        if "tests/cluster" in str(item.path):
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.xdist_group("cluster"))
    # A hospital that leaves takes its runs' pods along, at which other tests look.
    items.sort(key=lambda item: item.path.name == "test_leaving.py")


@pytest.fixture(scope="session")
def bed() -> Bed:
    found = Bed.from_environment()
    if (missing := found.missing()) is not None:
        pytest.skip(missing)
    return found


@pytest.fixture(scope="session")
def demo() -> Demo:
    if not IMAGES.is_dir():
        pytest.skip(f"{IMAGES} is not here: the hospitals have no X-rays")
    return run_demo(ROOT / "build" / "cluster-demo")


@pytest.fixture(scope="session")
def cluster(bed: Bed, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The federation, ready for its first run: everything is installed, keys are told, images are there."""
    work = tmp_path_factory.mktemp("cluster")
    yield set_up(Cluster(bed, work), demo)


@pytest.fixture(scope="session")
def finished(cluster: Cluster, demo: Demo) -> Finished:
    return play(cluster, demo)


@pytest.fixture
def registry(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """MLflow on the cluster, as the coordinator's user."""
    login = secret(COORDINATOR, "wardround-mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", login["username"].decode())
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", login["password"].decode())
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    mlflow.set_tracking_uri(MLFLOW)
    return MlflowClient(MLFLOW, MLFLOW)
