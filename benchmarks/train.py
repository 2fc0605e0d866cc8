"""A plan's local training against Keras `fit`: same model, data, optimizer, batch size and threads.

Both go through the largest site of job F, repeated to a few seconds of work. They alternate, and the ratio
is that of the medians, so that other load on the machine hits both.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks import job_f, job_f_model
from wardround.plan.data import Examples, training_order
from wardround.plan.program import Program
from wardround.plan.simulation import received

COPIES, REPEATS, GOAL, BATCH = 8, 9, 1.05, 32


def main() -> None:
    """Print the result."""
    with tempfile.TemporaryDirectory() as folder:
        program = Program(job_f.compile_plan(Path(folder) / "plan", 1))
        first = job_f.sites(job_f.definition().make())[job_f.SITES[0]]
        examples = Examples(np.tile(first.images, (COPIES, 1, 1, 1)), np.tile(first.labels, COPIES), 1.0)
        ours, keras = _plan_step(program, examples), _keras_step(examples)
        ours(), keras()  # tracing and first-touch costs are paid once in a hospital's process, too
        times = [(_seconds(ours), _seconds(keras)) for _ in range(REPEATS)]
    plan, fit = (statistics.median(column) for column in zip(*times, strict=True))
    result = {"plan_s": plan, "keras_fit_s": fit, "images": len(examples), "repeats": REPEATS}
    print(json.dumps({"benchmark": "train", "ratio": plan / fit, "goal": GOAL, "better": "lower", **result}))


def _plan_step(program: Program, examples: Examples) -> Callable[[], object]:
    broadcast = received(program.prepare(program.initialize()))
    order = training_order(len(examples), seed=1, run="bench", site="a", round=1, epochs=1)
    return lambda: program.work(examples, order, broadcast)


def _keras_step(examples: Examples) -> Callable[[], object]:
    model = job_f_model.build()
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(0.002), loss, metrics=["accuracy"])
    return lambda: model.fit(examples.images, examples.labels, batch_size=BATCH, epochs=1, verbose=0)


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
