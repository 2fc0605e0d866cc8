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
    process = build_process(recipe, build_model(recipe, here), here)
    state, seconds = process.initialize(), []
    sites = [_dataset(data, index, recipe) for index in range(4)]
    for _ in range(request["rounds"]):
        start = time.perf_counter()
        state = process.next(state, sites).state
        seconds.append(time.perf_counter() - start)
    pathlib.Path(sys.argv[3]).write_text(json.dumps(seconds))
    sys.stdout.flush()
    _end_children()


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
