"""Where a model goes afterwards: to people without Wardround, and through a server instead of a database."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from mlflow import MlflowClient
from registry_cases import NAME, expected_scores, keep_best, weights_of

from wardround.registry.connection import Registry
from wardround.registry.predictor import PredictGraph
from wardround.registry.records import RunRecord

# Nothing but what MLflow and TensorFlow require can be found, though much else is installed.
STRANGER = """
import json, sys
hidden = set(json.loads(sys.argv[5]))
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
import mlflow, numpy
uri, model, images, scores = sys.argv[1:5]
mlflow.set_tracking_uri(uri)
numpy.save(scores, mlflow.pyfunc.load_model(model).predict(numpy.load(images)))
assert not [name for name in sys.modules if name.split(".")[0] in hidden]
"""


def required_by(*roots: str) -> set[str]:
    """The distributions that these need, and those that they need, without extras."""
    found: set[str] = set()
    left = [*roots]
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in found:
            continue
        try:
            needed = requires(name) or []
        except PackageNotFoundError:  # for another system or Python
            continue
        found.add(name)
        left += [re.match(r"[\w.-]+", line).group() for line in needed if "extra ==" not in line]
    return found


def hidden_modules() -> list[str]:
    """Modules of everything installed that neither MLflow nor TensorFlow requires."""
    legal = required_by("mlflow", "tensorflow-cpu")
    foreign = {
        module
        for module, owners in packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} & legal
    }
    return sorted(foreign | {"wardround"})  # which is installed as a path, without a list of modules


def images_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(size=(count, 8, 8, 1)).astype(np.float32)


def predict_as_a_stranger(uri: str, model: str, images: np.ndarray, folder: Path) -> np.ndarray:
    np.save(folder / "images.npy", images)
    command = [sys.executable, "-I", "-c", STRANGER, uri, model, "images.npy", "scores.npy"]
    command.append(json.dumps(hidden_modules()))
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "scores.npy")


def test_what_is_hidden_from_a_stranger_is_ours_and_not_mlflows() -> None:
    hidden = hidden_modules()
    assert {"wardround", "pydicom", "minio", "kfp", "safetensors"} <= set(hidden)
    assert not {"mlflow", "tensorflow", "numpy", "pandas", "keras"} & set(hidden)


def test_the_champion_predicts_where_only_mlflow_and_tensorflow_are_installed(
    connect: Callable[..., Registry], run: RunRecord, graph: PredictGraph, uri: str, tmp_path: Path
) -> None:
    log = connect().open_run(run, graph)
    for round in (1, 2):
        keep_best(log, round)
    scores = predict_as_a_stranger(uri, f"models:/{NAME}@champion", images_of(3), tmp_path)
    assert scores == pytest.approx(expected_scores(graph, weights_of(2), images_of(3)), abs=1e-6)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real MLflow server that keeps the files itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    command += ["--artifacts-destination", (tmp_path / "files").as_uri()]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, tmp_path / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """A server has no event to wait for before it listens."""
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(address, timeout=2):
                return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"the MLflow server did not start: {log.read_text()[-2000:]}")


def test_a_server_keeps_the_same_as_a_database(
    server: str, run: RunRecord, graph: PredictGraph, tmp_path: Path
) -> None:
    for _ in range(2):
        with Registry(server, NAME, "north", patience=30) as registry:
            log = registry.open_run(run, graph)
            assert [keep_best(log, round) for round in (1, 2)] == ["1", "2"]
            log.finish("FINISHED")
    client = MlflowClient(server)
    assert len(client.search_model_versions(f"name = '{NAME}'")) == 2
    assert [point.step for point in client.get_metric_history(log.run_id, "val_auroc")] == [1, 2]
    folder = tmp_path / "stranger"
    folder.mkdir()
    scores = predict_as_a_stranger(server, f"models:/{NAME}@champion", images_of(3), folder)
    assert scores == pytest.approx(expected_scores(graph, weights_of(2), images_of(3)), abs=1e-6)
