"""Job F in TFF's own simulator; runs in the compiler's environment. Writes the seconds of each round."""

import collections
import importlib.util
import json
import os
import pathlib
import signal
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
import tensorflow_federated as tff

from wardround.compiler.model import build_model
from wardround.compiler.process import build_process


def main() -> None:
    """Run the rounds."""
    request = json.loads(pathlib.Path(sys.argv[1]).read_text())
    spec = importlib.util.spec_from_file_location("definition", sys.argv[2])
    definition = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(definition)
    data, recipe = definition.make(), request["recipe"]
    here = pathlib.Path(__file__).parent
    model = build_model(recipe, here)
    sites = [_dataset(data, index, recipe) for index in range(4)]
    figures = {
        "default": _run(_as_documented(model.functional, recipe), sites, request["rounds"]),
        "same_graphs": _run(build_process(recipe, model, here), sites, request["rounds"]),
    }
    pathlib.Path(sys.argv[3]).write_text(json.dumps(figures))
    sys.stdout.flush()
    _end_children()


def _as_documented(model, recipe):
    """The process as TFF's own documentation builds it, with its default training loop."""
    rate = recipe["algorithm"]["client"]["learning_rate"]
    return tff.learning.algorithms.build_weighted_fed_avg(
        model, tff.learning.optimizers.build_adam(rate), tff.learning.optimizers.build_sgdm(1.0)
    )


def _run(process, sites, rounds):
    state, seconds = process.initialize(), []
    for _ in range(rounds):
        start = time.perf_counter()
        state = process.next(state, sites).state
        seconds.append(time.perf_counter() - start)
    return seconds


def _dataset(data, index, recipe):
    x, y = data[f"x{index}"], data[f"y{index}"].astype("int32")
    batch = recipe["algorithm"]["client"]["batch_size"]
    dataset = tf.data.Dataset.from_tensor_slices(collections.OrderedDict(x=x, y=y))
    return dataset.shuffle(len(y)).batch(batch)


def _end_children():
    """TFF's worker process outlives us otherwise."""
    me = os.getpid()
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) == me:
                os.kill(int(status.parent.name), signal.SIGKILL)
        except (OSError, IndexError, ValueError):
            continue


if __name__ == "__main__":
    main()
