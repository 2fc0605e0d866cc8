"""A small inference graph as plans hold one, and an MLflow database that is made once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from registry_cases import NAME, SHAPES

from wardround.plan.reviewed_graph import review_graph
from wardround.registry.connection import Registry
from wardround.registry.predictor import PredictGraph, WeightSlot
from wardround.registry.records import RunRecord


@pytest.fixture(scope="session")
def graph() -> PredictGraph:
    with tf.Graph().as_default() as inner:
        slots = [
            tf.compat.v1.placeholder(tf.float32, s, name=f"weight_{i}") for i, s in enumerate(SHAPES.values())
        ]
        images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 1], name="images")
        found = tf.nn.relu(tf.nn.conv2d(images, slots[0], 1, "SAME") + slots[1])
        scores = tf.nn.softmax(tf.reduce_mean(found, [1, 2]) @ slots[2], name="scores")
    weights = zip(SHAPES.items(), slots, strict=True)
    return PredictGraph(
        graph=review_graph("graphs/predict.pb", inner.as_graph_def().SerializeToString()),
        weights=tuple(WeightSlot(name, slot.name, shape, "float32") for (name, shape), slot in weights),
        images=images.name,
        image_shape=(8, 8, 1),
        scores=scores.name,
        classes=2,
    )


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Making the tables takes seconds; every test gets a copy."""
    from mlflow import MlflowClient  # only once Wardround has set its environment

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").get_experiment_by_name("none")
    return path


@pytest.fixture
def uri(empty_database: Path, tmp_path: Path) -> str:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def connect(uri: str) -> Iterator[Callable[..., Registry]]:
    """Makes registries on one database, as a coordinator does each time that it is started."""
    made: list[Registry] = []

    def make(**options: object) -> Registry:
        made.append(Registry(uri, NAME, "north", **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for registry in made:
        registry.__exit__()


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    plan = tmp_path / "plan.json"
    plan.write_text('{"format":1}')
    parameters = {"algorithm.client.learning_rate": 0.02, "aggregation.secure": True}
    return RunRecord("north", "run-1", "f" * 64, parameters, plan)
