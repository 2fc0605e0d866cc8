"""Runs in the compiler's environment: compiles recipes, and runs the same processes in TFF's own simulator.

`python tff_reference.py CASES.json OUT`: reads OUT/<case>.npz; writes OUT/<case>/ (draft.json, graphs) and
OUT/<case>.json (weights and measurements after each round, and the evaluation of the last model).
"""

import collections
import collections.abc
import dataclasses
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import attrs
import numpy as np
import tensorflow as tf
import tensorflow_federated as tff
import tiny_models

from wardround.compiler.draft import compile_draft
from wardround.compiler.metrics import training_metrics
from wardround.compiler.model import build_model, element_spec
from wardround.compiler.process import build_process

ROUNDS = 3


def main() -> None:
    """Work through all cases in one warm process."""
    cases, out = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    tff.backends.test.set_sync_test_cpp_execution_context()
    for name, recipe in cases.items():
        folder = pathlib.Path(sys.argv[1]).parent
        (out / name).mkdir(parents=True)
        draft = compile_draft(recipe, folder, out / name, lambda _: None)
        (out / name / "draft.json").write_text(json.dumps(draft))
        (out / f"{name}.json").write_text(json.dumps(_simulate(recipe, folder, np.load(out / f"{name}.npz"))))


def _simulate(recipe, folder, data):
    model = build_model(recipe, folder)
    model = dataclasses.replace(model, functional=_by_tff(recipe, model.functional))
    process = build_process(recipe, model, folder)
    state, rounds = process.initialize(), []
    for number in range(ROUNDS):
        datasets = [_dataset(data, site, number, recipe) for site in range(3)]
        output = process.next(state, datasets)
        state = output.state
        rounds.append(
            {"weights": _arrays(process.get_model_weights(state)), "measurements": _leaves(output.metrics)}
        )
    return {"rounds": rounds, "evaluation": _evaluate(recipe, model, process.get_model_weights(state), data)}


def _by_tff(recipe, ours):
    """TFF's own conversion of the Keras model, from our start weights and with our sums of figures."""
    build = getattr(tiny_models, recipe["model"]["function"])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    converted = tff.learning.models.functional_model_from_keras(build, loss, element_spec(recipe))
    return tff.learning.models.FunctionalModel(
        initial_weights=ours.initial_weights,
        predict_on_batch_fn=converted._predict_on_batch_fn,
        loss_fn=converted._loss_fn,
        metrics_fns=training_metrics(),
        input_spec=converted.input_spec,
    )


def _evaluate(recipe, model, weights, data):
    """Loss, accuracy and number of examples as TFF's own federated evaluation sums them up."""
    process = tff.learning.algorithms.build_fed_eval(model.functional)
    state = process.set_model_weights(process.initialize(), weights)
    datasets = [_dataset(data, site, None, recipe) for site in range(3)]
    return _leaves(process.next(state, datasets).metrics["client_work"]["eval"]["current_round_metrics"])


def _dataset(data, site, number, recipe):
    x, y = data[f"x{site}"], data[f"y{site}"]
    order = np.arange(len(y)) if number is None else data[f"order{site}_{number}"]
    batch = collections.OrderedDict(x=x[order], y=y[order])
    return tf.data.Dataset.from_tensor_slices(batch).batch(recipe["algorithm"]["client"]["batch_size"])


def _arrays(weights):
    return [np.asarray(w).tolist() for w in [*weights.trainable, *weights.non_trainable]]


def _leaves(value):
    """Flatten in TFF's own order; tf.nest would sort the keys of mappings."""
    if isinstance(value, collections.abc.Mapping):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list | tuple):
        return [leaf for inner in value for leaf in _leaves(inner)]
    if attrs.has(type(value)):
        return [leaf for field in attrs.fields(type(value)) for leaf in _leaves(getattr(value, field.name))]
    return [np.asarray(value).tolist()]


if __name__ == "__main__":
    main()
