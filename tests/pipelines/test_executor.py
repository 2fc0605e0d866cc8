"""What steps leave for Kubeflow's launcher, read back with Kubeflow's own message types."""

import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from kfp.pipeline_spec import pipeline_spec_pb2

from wardround.cli.executor import Artifact, Executor, local_path
from wardround.errors import ConfigurationError


def executor_input(folder: Path) -> str:
    metrics = {"name": "metrics", "type": {"schemaTitle": "system.Metrics"}, "uri": str(folder / "metrics")}
    report = {
        "name": "report",
        "type": {"schemaTitle": "system.HTML"},
        "uri": str(folder / "deep" / "report"),
    }
    outputs = {
        "parameters": {
            "status": {"outputFile": str(folder / "status")},
            "n": {"outputFile": str(folder / "n")},
        },
        "artifacts": {"metrics": {"artifacts": [metrics]}, "report": {"artifacts": [report]}},
        "outputFile": str(folder / "out" / "executor_output.json"),
    }
    return json.dumps({"inputs": {"parameterValues": {"run": "one"}}, "outputs": outputs})


def test_outputs_lie_where_the_launcher_looks_for_them(tmp_path: Path) -> None:
    executor = Executor.parse(executor_input(tmp_path))
    made = {"metrics": Artifact({"auroc": 0.5}), "report": Artifact(content="<p>"), "unasked": Artifact()}
    executor.write({"status": "done", "n": 3, "other": 1}, made)
    assert (tmp_path / "status").read_text() == "done"
    assert json.loads((tmp_path / "n").read_text()) == 3
    assert (tmp_path / "deep" / "report").read_text() == "<p>"
    message = pipeline_spec_pb2.ExecutorOutput()
    json_format.Parse((tmp_path / "out" / "executor_output.json").read_text(), message)
    assert message.artifacts["metrics"].artifacts[0].metadata["auroc"] == 0.5
    assert set(message.artifacts) == {"metrics", "report"}


def test_inputs_are_read(tmp_path: Path) -> None:
    assert Executor.parse(executor_input(tmp_path)).inputs == {"run": "one"}


def test_outside_of_kubeflow_nothing_is_written() -> None:
    Executor.parse(None).write({"status": "done"}, {"metrics": Artifact({"a": 1})})


def test_artifacts_in_buckets_are_written_under_the_launchers_mounts() -> None:
    assert local_path("minio://bucket/a/b") == Path("/minio/bucket/a/b")
    assert local_path("s3://bucket/a") == Path("/s3/bucket/a")
    assert local_path("/tmp/a") == Path("/tmp/a")


def test_a_metric_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Executor.parse(executor_input(tmp_path)).write({}, {"metrics": Artifact({"auroc": float("nan")})})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["inputs", "outputs", "artifacts", "a"]), inner)
    ),
)


@given(JSON)
def test_other_json_is_an_executor_input_or_a_clear_error(value: object) -> None:
    try:
        Executor.parse(json.dumps(value))
    except ConfigurationError as error:
        assert "--executor-input" in str(error)
