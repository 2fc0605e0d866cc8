"""What the registry takes from a plan."""

import hashlib
from pathlib import Path

import pytest
from registry_cases import SHAPES

from wardround.errors import RefusedError
from wardround.plan.format import Leaf, Manifest, Part, Plan, WeightSpec
from wardround.recipe import parse_recipe
from wardround.registry.errors import RegistryError
from wardround.registry.plans import predict_graph
from wardround.registry.predictor import PredictGraph

RECIPE = """
name: tiny
task: {labels: [normal, opacity], image: {modality: [DX], size: [8, 8]}}
model: {builtin: logistic}
"""


def plan_of(folder: Path, graph: PredictGraph, *, bare: bool = False) -> Plan:
    """A plan of which only what the registry reads is filled in."""
    (folder / "graphs").mkdir()
    (folder / "graphs" / "predict.pb").write_bytes(graph.graph.definition)

    def leaf(tensor: str, shape: tuple[int | None, ...]) -> Leaf:
        return Leaf(name=tensor.split(":")[0], tensor=tensor, shape=shape, dtype="float32")

    part = Part(
        file="graphs/predict.pb",
        bytes=len(graph.graph.definition),
        sha256=hashlib.sha256(graph.graph.definition).hexdigest(),
        arguments={
            "weights": tuple(leaf(slot.tensor, slot.shape) for slot in graph.weights),
            "images": (leaf(graph.images, (None, 8, 8, 1)),),
        },
        results={"scores": (leaf(graph.scores, (None, 2)),)},
    )
    weights = tuple(WeightSpec(name=n, shape=s, dtype="float32", trainable=True) for n, s in SHAPES.items())
    recipe = parse_recipe(RECIPE).resolved()
    manifest = Manifest.model_construct(recipe=recipe, predict=None if bare else part, weights=weights)
    return Plan.model_construct(folder=folder, digest="f" * 64, manifest=manifest)


def test_the_inference_graph_is_read_from_the_manifest(tmp_path: Path, graph: PredictGraph) -> None:
    assert predict_graph(plan_of(tmp_path, graph)) == graph


def test_a_graph_that_was_changed_on_disk_is_refused(tmp_path: Path, graph: PredictGraph) -> None:
    plan = plan_of(tmp_path, graph)
    changed = bytearray(graph.graph.definition)
    changed[-1] ^= 1
    (tmp_path / "graphs" / "predict.pb").write_bytes(changed)
    with pytest.raises(RefusedError) as refusal:
        predict_graph(plan)
    assert refusal.value.code == "wrong-digest"


def test_a_plan_without_a_model_cannot_be_registered_and_says_so(tmp_path: Path, graph: PredictGraph) -> None:
    with pytest.raises(RegistryError, match="no inference graph") as error:
        predict_graph(plan_of(tmp_path, graph, bare=True))
    assert error.value.code == "no-predict"
