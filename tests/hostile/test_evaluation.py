"""Evaluation is the runtime's own: whatever a plan's graph gives for scores, only sums of the declared shapes leave."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from federation import Federation
from hand import HandSite

from wardround.errors import RefusedError
from wardround.evaluation import sums
from wardround.plan.broadcast import share_equal
from wardround.plan.data import Examples
from wardround.plan.format import Plan, load_plan
from wardround.plan.program import Program
from wardround.plan.simulation import received

Build = Callable[[list[tf.Tensor], tf.Tensor], tf.Tensor]
PREFIX = "evaluate.validation/"


def with_predict(plan_folder: Path, folder: Path, build: Build) -> Plan:
    """The plan with another graph for `predict`, under its own digest."""
    shutil.copytree(plan_folder, folder)
    manifest = json.loads((folder / "plan.json").read_bytes())
    part = manifest["predict"]
    with tf.Graph().as_default() as graph:
        feeds = [*part["arguments"]["weights"], *part["arguments"]["images"]]
        *weights, images = (
            tf.compat.v1.placeholder(leaf["dtype"], leaf["shape"], name=leaf["tensor"].removesuffix(":0"))
            for leaf in feeds
        )
        tf.identity(build(weights, images), name=part["results"]["scores"][0]["tensor"].removesuffix(":0"))
    data = graph.as_graph_def().SerializeToString()
    (folder / part["file"]).write_bytes(data)
    part |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "plan.json").write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
    return load_plan(folder)


def examples(count: int = 70) -> Examples:
    generator = np.random.default_rng(2)
    images = generator.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    return Examples(images, (np.arange(count) % 2).astype(np.int32), 1 / 255)


def evaluated(plan: Plan) -> dict[str, np.ndarray]:
    program = Program(plan, threads=1)
    update = program.evaluate(examples(), "validation", received(program.prepare(program.initialize())))
    spec = program.update_spec(("evaluate.validation",))
    assert {n: (v.shape, v.dtype.name) for n, v in update.items()} == {
        n: (s.shape, s.dtype) for n, s in spec.items()
    }
    own = {name.removeprefix(PREFIX): value for name, value in update.items()}
    sums.check(own, 2, most=70)
    return own


def pixels(images: tf.Tensor) -> tf.Tensor:
    """Two values of each image."""
    return tf.reshape(images, [-1, 64])[:, :2]


UNDEFINED: dict[str, Build] = {
    "NaN": lambda weights, images: pixels(images) * np.nan,
    "infinity": lambda weights, images: pixels(images) + np.inf,
    "huge": lambda weights, images: pixels(images) * 0 + 3e38,
    "negative": lambda weights, images: pixels(images) * 0 + tf.constant([-1.0, 2.0]),
    "sums of 2": lambda weights, images: pixels(images) * 0 + 1.0,
    "zeros": lambda weights, images: pixels(images) * 0,
    "the pixels themselves": lambda weights, images: pixels(images) * 255,
}
WRONG: dict[str, Build] = {
    "all pixels": lambda weights, images: tf.reshape(images, [-1, 64]),
    "one column": lambda weights, images: pixels(images)[:, :1],
    "one row for all": lambda weights, images: pixels(images)[:1],
    "a row more": lambda weights, images: tf.concat([pixels(images), pixels(images)[:1]], 0),
    "no rows": lambda weights, images: pixels(images)[:0],
    "a number": lambda weights, images: tf.reduce_sum(images),
    "double precision": lambda weights, images: tf.cast(pixels(images), tf.float64),
    "integers": lambda weights, images: tf.cast(pixels(images), tf.int32),
    "the weights": lambda weights, images: weights[0],
    "rows that depend on the pixels": lambda weights, images: tf.boolean_mask(
        pixels(images), pixels(images)[:, 0] > 0.5
    ),
}


@pytest.mark.parametrize("what", UNDEFINED)
def test_scores_that_are_no_probabilities_are_counted_and_nothing_more(
    what: str, plan_folder: Path, tmp_path: Path
) -> None:
    found = evaluated(with_predict(plan_folder, tmp_path / "plan", UNDEFINED[what]))
    assert int(found["num_examples"]) == 70 and int(found["undefined"]) >= 60
    if what != "the pixels themselves":  # few of which are probabilities by chance
        assert int(found["undefined"]) == 70 and int(found["correct"]) == 0
        assert int(found["loss_sum"]) == 70 * sums.MAX_LOSS


@pytest.mark.parametrize("what", WRONG)
def test_anything_but_one_score_for_each_image_and_class_is_refused(
    what: str, plan_folder: Path, tmp_path: Path
) -> None:
    plan = with_predict(plan_folder, tmp_path / "plan", WRONG[what])
    with pytest.raises(RefusedError) as caught:
        evaluated(plan)
    other_dtype = what in ("double precision", "integers")  # found where the graph is loaded
    assert caught.value.code == ("malformed" if other_dtype else "wrong-scores")


def test_a_graph_that_writes_pixels_into_scores_moves_counts_and_adds_no_number_to_what_leaves(
    plan_folder: Path, tmp_path: Path
) -> None:
    def leaking(weights: list[tf.Tensor], images: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(pixels(images) * 20)

    honest = evaluated(load_plan(plan_folder))
    found = evaluated(with_predict(plan_folder, tmp_path / "plan", leaking))
    assert {name: value.shape for name, value in found.items()} == {n: v.shape for n, v in honest.items()}
    assert sum(value.nbytes for value in found.values()) == 8 * (4 + 2 * 2 * 256)


def test_the_scores_do_not_depend_on_the_number_of_images_that_are_scored_at_once(plan_folder: Path) -> None:
    from wardround.evaluation.scores import score_split
    from wardround.plan.broadcast import model_weights

    program = Program(load_plan(plan_folder), threads=1)
    weights = model_weights(received(program.prepare(program.initialize())))
    whole = score_split(program, weights, examples(), batch=70)
    for batch in (1, 7, 64):
        assert np.abs(score_split(program, weights, examples(), batch=batch) - whole).max() <= 1e-6


def test_a_data_set_with_labels_or_images_that_the_plan_does_not_have_is_refused(plan_folder: Path) -> None:
    program = Program(load_plan(plan_folder), threads=1)
    broadcast = received(program.prepare(program.initialize()))
    labels = replace(examples(), labels=np.full(70, 2, np.int32))
    images = replace(examples(), images=np.zeros((70, 8, 9, 1), np.uint8))
    for wrong in (labels, images):
        with pytest.raises(RefusedError) as caught:
            program.evaluate(wrong, "validation", broadcast)
        assert caught.value.code == "wrong-dataset"


def test_weights_that_are_not_finite_make_every_score_undefined_and_the_site_goes_on(
    plan_folder: Path,
) -> None:
    program = Program(load_plan(plan_folder), threads=1)
    broadcast = received(program.prepare(program.initialize()))
    poisoned = {n: np.full_like(v, np.nan) if n.startswith("model/") else v for n, v in broadcast.items()}
    found = program.evaluate(examples(), "test", poisoned)
    assert int(found["evaluate.test/undefined"]) == 70


@pytest.mark.parametrize(
    "kind", ["evaluate", "evaluate.train", "evaluate.", "test", "evaluate.validation/x", ""]
)
def test_there_are_no_other_kinds_of_evaluation(kind: str, plan_folder: Path) -> None:
    program = Program(load_plan(plan_folder))
    with pytest.raises(RefusedError):
        program.update_spec((kind,))
    with pytest.raises(RefusedError):
        program.limits((kind,))


def test_equal_bytes_of_another_shape_or_dtype_are_not_taken_for_the_same_tensor() -> None:
    values = {
        "a": np.zeros(4, np.float32),
        "b": np.zeros(4, np.int32),
        "c": np.zeros((2, 2), np.float32),
        "d": np.zeros(4, np.float32),
        "e": np.float32(0).reshape(()),
    }
    shared = share_equal(values)
    assert shared.aliases == {"d": "a"} and shared.tensors.keys() == {"a", "b", "c", "e"}


def too_many(update: dict[str, np.ndarray]) -> None:
    update[f"{PREFIX}num_examples"] += 10**6
    update[f"{PREFIX}histogram"][:, 1, 3] += 10**6


def below_nothing(update: dict[str, np.ndarray]) -> None:
    update[f"{PREFIX}histogram"][0, 0, 7] -= 1


def test_a_site_whose_evaluation_cannot_be_is_refused_and_every_round_goes_on(
    federation: Federation, tmp_path: Path
) -> None:
    cedar = HandSite(federation, "cedar", tmp_path)
    others = [federation.start_coordinator(), federation.start_site("alder"), federation.start_site("birch")]
    cedar.join(examples={"train": 33, "validation": 33, "test": 33})
    cedar.answer(1)
    for number, lie in enumerate((too_many, below_nothing), 2):
        opened = cedar.wait_round(number)
        update = {name: value.copy() for name, value in cedar.zeros(opened).items()}
        lie(update)
        cedar.say(number, cedar.message(opened), cedar.upload(number, update))
        outcome = cedar.wait_outcome(number)
        assert [(refusal.site, refusal.code) for refusal in outcome.refused] == [("cedar", "out-of-range")]
        assert outcome.measured.evaluation["validation"]["num_examples"] == 64
    assert outcome.status == "evaluated" and [actor.wait() for actor in others] == [0, 0, 0]
