"""MLflow model folders that differ in nothing but weights and identity.

Saving a SavedModel costs ten times as much as writing its variables, and the graph is the same in every
round: so one folder is saved, and each round gets its copy with variables and MLmodel written anew.
"""

import importlib.metadata
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow.tensorflow
import numpy as np
import tensorflow as tf
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from wardround.registry.predictor import PredictGraph, Predictor
from wardround.registry.records import Weights

_SAVED_MODEL = "tf2model"


class ModelFolders:
    """Makes one model folder after the other in `work`, which belongs to it."""

    def __init__(self, graph: PredictGraph, work: Path) -> None:
        self._predictor = Predictor(graph)
        self._template = work / "template"
        self._folder = work / "model"
        self._saved = False
        self._signature = _signature(graph)

    def write(self, weights: Weights, *, model_id: str, run_id: str, location: str) -> Path:
        """The folder with these weights, to be uploaded before the next is written.

        Raises:
            RegistryError: the weights do not fit the graph.
        """
        self._predictor.assign(weights)
        self._save_template()
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._template, self._folder, copy_function=os.link)
        self._write_variables()
        self._write_identity(model_id, run_id, location)
        return self._folder

    def _save_template(self) -> None:
        if self._saved:
            return
        shutil.rmtree(self._template, ignore_errors=True)
        with _without_chatter():
            mlflow.tensorflow.save_model(
                self._predictor, self._template, signature=self._signature, pip_requirements=_requirements()
            )
        # It holds a hash of the variables that stood there first.
        (self._template / _SAVED_MODEL / "fingerprint.pb").unlink(missing_ok=True)
        self._saved = True

    def _write_variables(self) -> None:
        variables = self._folder / _SAVED_MODEL / "variables"
        shutil.rmtree(variables)
        tf.train.Checkpoint(root=self._predictor).write(str(variables / "variables"))

    def _write_identity(self, model_id: str, run_id: str, location: str) -> None:
        path = self._folder / "MLmodel"
        known = Model.load(str(path)).to_dict()
        path.unlink()
        identity = {"model_id": model_id, "model_uuid": model_id, "run_id": run_id, "artifact_path": location}
        Model.from_dict({**known, **identity}).save(str(path))


def _signature(graph: PredictGraph) -> ModelSignature:
    # Without names, because MLflow hands named inputs over as a dict, which its TensorFlow flavour refuses.
    images = TensorSpec(np.dtype(np.float32), (-1, *graph.image_shape))
    scores = TensorSpec(np.dtype(np.float32), (-1, graph.classes))
    return ModelSignature(inputs=Schema([images]), outputs=Schema([scores]))


def _requirements() -> list[str]:
    """What a user of the model installs; named here because MLflow would load the model to find out."""
    names = {name: _version(name) for name in ("mlflow", "tensorflow-cpu", "tensorflow", "numpy")}
    return [f"{name}=={version}" for name, version in names.items() if version]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back the note of where assets were written; there are none."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
