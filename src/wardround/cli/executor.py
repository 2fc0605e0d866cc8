"""How a step talks to Kubeflow Pipelines: the executor input it is given, and the files it leaves. Without kfp.

A container component passes `{{$}}`, which becomes a JSON object: the task's inputs, and where its outputs
go (kfp-pipeline-spec, message ExecutorInput). Output parameters are files of their own; what the UI shows of
an artifact (metrics, curves) is metadata in the one file `outputs.outputFile` (message ExecutorOutput).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wardround.errors import ConfigurationError
from wardround.text import foreign

_TEXT = 1000

# Where the launcher mounts an address (kfp 2.17, dsl/types/artifact_types.py). A plain path is itself.
_MOUNTS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/", "file://": "/"}


@dataclass(frozen=True)
class Artifact:
    """What a step says of an output artifact: metadata for the UI, and its content if it has one."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    content: str | None = None


@dataclass(frozen=True)
class Executor:
    """One task's inputs and the places of its outputs; all empty outside of Kubeflow Pipelines."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Path] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    output_file: Path | None = None

    @property
    def is_task(self) -> bool:
        """Whether this is a task of Kubeflow Pipelines."""
        return self.output_file is not None

    @classmethod
    def parse(cls, text: str | None) -> "Executor":
        """The executor that `{{$}}` describes. Raises ConfigurationError."""
        if not text:
            return cls()
        try:
            data = json.loads(text)
            inputs, outputs = data.get("inputs", {}), data.get("outputs", {})
            return cls(
                inputs=inputs.get("parameterValues", {}),
                parameters={k: Path(v["outputFile"]) for k, v in outputs.get("parameters", {}).items()},
                artifacts={k: v["artifacts"][0] for k, v in outputs.get("artifacts", {}).items()},
                output_file=Path(outputs["outputFile"]) if "outputFile" in outputs else None,
            )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigurationError(
                f"--executor-input is not what {{{{$}}}} becomes ({type(error).__name__}); leave it out outside of "
                "Kubeflow Pipelines"
            ) from None

    def write(self, parameters: Mapping[str, Any], artifacts: Mapping[str, Artifact] | None = None) -> None:
        """Leaves output parameters and artifacts where they are expected; those nobody asked for are left out."""
        for name in self.parameters.keys() & parameters.keys():
            _write(self.parameters[name], _text(parameters[name]))
        found = {name: made for name, made in (artifacts or {}).items() if name in self.artifacts}
        for name, made in found.items():
            if made.content is not None:
                _write(local_path(str(self.artifacts[name]["uri"])), made.content)
        if self.output_file is not None:
            _write(self.output_file, json.dumps(self._output(found), allow_nan=False, sort_keys=True))

    def _output(self, made: Mapping[str, Artifact]) -> dict[str, Any]:
        described = {name: self._described(name, artifact) for name, artifact in sorted(made.items())}
        return {"artifacts": described} if described else {}

    def _described(self, name: str, made: Artifact) -> dict[str, Any]:
        given = self.artifacts[name]
        metadata = shown(made.metadata)
        entry = {"name": given.get("name", name), "uri": given["uri"], "metadata": metadata}
        return {"artifacts": [entry]}


def shown(value: Any) -> Any:
    """Metadata as Kubeflow's page may show it: every text in it sanitized, names included."""
    if isinstance(value, str):
        return foreign(value, _TEXT)
    if isinstance(value, Mapping):
        return {foreign(name, _TEXT): shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    return value


def local_path(uri: str) -> Path:
    """Where an artifact's bytes are written so that the launcher stores them under `uri`."""
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return Path(mount + uri.removeprefix(scheme).lstrip("/"))
    return Path(uri)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
