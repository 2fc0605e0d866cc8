"""A process that handles data and in which libraries fail in every way, with `CANARY` in what they say of it.

python failing_process.py [FOLDER to keep texts in]
"""

import asyncio
import io
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

from wardround.failures import library_errors
from wardround.log_lines import set_up_logging
from wardround.private_process import handle_data_privately, keep_texts, shown_stream

CANARY = "Exlund^Bo"
LOG = logging.getLogger("wardround.test")


class Broken:
    """Fails when it is cleared away, where nobody can catch it."""

    def __del__(self) -> None:
        raise ValueError(CANARY)


def fail() -> None:
    """A worker's, a thread's or a task's end."""
    raise ValueError(CANARY)


def pydicom() -> None:
    from pydicom import dcmread
    from pydicom.dataset import Dataset

    header = Dataset()
    header.add_new(0x00100030, "DA", CANARY)  # a warning that quotes the value
    dcmread(io.BytesIO(CANARY.encode() * 99))


def gdcm() -> None:
    import gdcm

    gdcm.Trace.WarningOn()
    gdcm.Trace.ErrorOn()
    gdcm.Trace.DebugOn()
    path = Path(f"/tmp/{CANARY}-{os.getpid()}.dcm")
    path.write_bytes(b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0" + CANARY.encode() * 9)
    try:
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        reader.Read()
    finally:
        path.unlink()
    raise ValueError(CANARY)


def onnx() -> None:
    import onnxruntime

    onnxruntime.InferenceSession(f"/nowhere/{CANARY}.onnx")


def opencv() -> None:
    import cv2

    cv2.imread(f"/nowhere/{CANARY}.png")
    cv2.FileStorage(CANARY + "{", cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)


def pillow() -> None:
    from PIL import Image

    Image.open(f"/nowhere/{CANARY}.png")


def requests() -> None:
    import requests as client

    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    client.get(f"http://user:{CANARY}@127.0.0.1:1/{CANARY}", timeout=1)


def pydantic() -> None:
    from pydantic import BaseModel

    class Patient(BaseModel):
        born: int

    Patient.model_validate({"born": CANARY})


def tensorflow() -> None:
    import tensorflow as tf

    tf.get_logger().error("tensor %s", CANARY)
    with tf.compat.v1.Session(graph=tf.Graph()) as session, session.graph.as_default():
        labels = tf.constant([421_337, 421_338])
        session.run(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tf.zeros([2, 2])))


def safetensors() -> None:
    from safetensors.numpy import load_file

    load_file(f"/nowhere/{CANARY}")


def absl() -> None:
    from absl import logging as absl_logging

    absl_logging.error("value %s", CANARY)
    fail()


def c_library() -> None:
    os.write(2, f"E0000 native code says {CANARY}\n".encode())
    os.write(1, f"native code says {CANARY}\n".encode())
    fail()


def child_process() -> None:
    subprocess.run([sys.executable, "-c", f"raise ValueError({CANARY!r})"], check=True)


def pool_child() -> None:
    process = multiprocessing.get_context("spawn").Process(target=fail)
    process.start()
    process.join()
    fail()


def thread() -> None:
    worker = threading.Thread(target=fail, name=f"worker {CANARY}"[:6])
    worker.start()
    worker.join()
    fail()


def task() -> None:
    async def forget() -> None:
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(0.01)

    asyncio.run(forget())
    fail()


def warning() -> None:
    warnings.warn(f"value {CANARY}", RuntimeWarning, stacklevel=1)
    logging.captureWarnings(True)
    warnings.warn(f"value {CANARY}", UserWarning, stacklevel=1)
    Broken()
    print(CANARY, file=sys.stderr)
    fail()


WAYS: tuple[Callable[[], None], ...] = (
    *(pydicom, gdcm, onnx, opencv, pillow, requests, pydantic, tensorflow, safetensors, absl),
    *(c_library, child_process, pool_child, thread, task, warning),
)


def main() -> None:
    """Each way is tried and logged as our code logs: with the error as an argument, as exc_info, converted."""
    handle_data_privately()
    if len(sys.argv) > 1:
        keep_texts(Path(sys.argv[1]))
    set_up_logging()
    for way in WAYS:
        try:
            with library_errors(way.__name__):
                way()
            LOG.error("%s did not fail", way.__name__)
        except Exception as error:
            LOG.error("%s", error)
            LOG.exception("tried %s", way.__name__)
            LOG.warning("cause: %s", error.__cause__)
    logging.getLogger("mlflow.tracking").error("failed with %s", CANARY, exc_info=ValueError(CANARY))
    print("the end", file=shown_stream())
    raise RuntimeError(CANARY) from KeyError(CANARY)


if __name__ == "__main__":
    main()
