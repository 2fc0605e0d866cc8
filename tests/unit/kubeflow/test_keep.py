"""What the keeper does about lost runs: Kubernetes and Kubeflow answer over HTTP, as a test says.

`tests/cluster/test_kills.py` has it go on with real runs.
"""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from json_server import json_server
from kubernetes import client

from wardround.cluster.connect import Cluster
from wardround.kubeflow.alive import Pulse
from wardround.kubeflow.client import Connection, Kubeflow
from wardround.kubeflow.keep import Kept, Rule, keep, keep_watching

FOR_EVER = 1e10
RULE = Rule(most=2, within_s=FOR_EVER)


class Servers:
    """Both APIs: workflows whose pods were deleted, and the state of each run."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.after_retry = "RUNNING"
        self.pipeline = "wardround-site"
        self.retried: list[str] = []
        self.tokens: list[str] = []
        self.failures = 0
        self.url = ""

    def cluster(self) -> Cluster:
        return Cluster(client.ApiClient(client.Configuration(host=self.url)), "hospital-a")

    def kubeflow(self, token: Path | None = None) -> Kubeflow:
        return Kubeflow(Connection("hospital-a", self.url, token))

    def _workflow(self, run: str) -> dict[str, Any]:
        pod = {"type": "Pod", "phase": "Error", "message": "pod deleted", "displayName": "train"}
        driver = {
            "container": {"args": ["--type", "ROOT_DAG", "--pipeline_name", self.pipeline, "--run_id", run]}
        }
        return {
            "metadata": {"name": f"ward-recurring-{run}", "labels": {"pipeline/runid": run}},
            "spec": {"templates": [{"dag": {}}, driver]},
            "status": {"finishedAt": "2026-03-01T10:00:00Z", "nodes": {"a": pod}},
        }

    def answer(self, method: str, path: str, authorization: str) -> tuple[int, object]:
        self.tokens.append(authorization)
        if self.failures:
            self.failures -= 1
            return 503, {"message": "away"}
        if "/workflows" in path:
            # A list has its version; a watch (which starts from one) ends at once, without an event.
            lost = [self._workflow(run) for run, state in self.states.items() if state != "RUNNING"]
            return 200, {} if "watch=True" in path else {"items": lost, "metadata": {"resourceVersion": "7"}}
        run = path.rsplit("/", 1)[-1].partition(":")[0]
        if method == "POST":
            self.retried.append(run)
            self.states[run] = self.after_retry
            return 200, {}
        return 200, {"run_id": run, "display_name": f"ward/{run}/a", "state": self.states[run]}


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    with json_server(made.answer) as made.url:
        yield made


def test_a_lost_run_is_retried_and_one_that_a_person_ended_is_not(servers: Servers) -> None:
    servers.states = {"lost": "FAILED", "ended": "CANCELED"}
    found = {kept.lost.run_id: kept.what for kept in keep(servers.kubeflow(), servers.cluster(), FOR_EVER)}
    assert found == {"lost": "retried", "ended": "not failed yet"}
    assert servers.retried == ["lost"]


def test_runs_of_other_pipelines_and_runs_that_ended_long_ago_are_left(servers: Servers) -> None:
    servers.states = {"a": "FAILED"}
    assert not [*keep(servers.kubeflow(), servers.cluster(), within_s=3600)]
    servers.pipeline = "somebody-elses"
    assert not [*keep(servers.kubeflow(), servers.cluster(), FOR_EVER)]
    assert servers.retried == []


def test_a_run_that_is_lost_again_and_again_is_given_up_in_the_end(servers: Servers) -> None:
    servers.states, servers.after_retry = {"a": "FAILED"}, "FAILED"
    told: list[Kept] = []
    stop = threading.Event()
    for _ in keep_watching(servers.kubeflow(), servers.cluster(), RULE, told.append, stop):
        if told[-1].what == "given up":
            stop.set()
    assert [kept.what for kept in told] == ["retried", "retried", "given up"]
    assert servers.retried == ["a", "a"]


def test_a_keeper_sits_out_servers_that_are_away(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wardround.kubeflow.keep._SOON_SECONDS", 0.01)
    servers.states, servers.failures = {"a": "FAILED"}, 3
    told: list[Kept] = []
    stop = threading.Event()
    for _ in keep_watching(servers.kubeflow(), servers.cluster(), RULE, told.append, stop):
        if told:
            stop.set()
    assert [kept.what for kept in told] == ["retried"]


def test_a_token_that_is_renewed_in_its_file_is_used(servers: Servers, tmp_path: Path) -> None:
    servers.states = {"a": "FAILED", "b": "FAILED"}
    token = tmp_path / "token"
    token.write_text("first")
    kubeflow = servers.kubeflow(token)
    for _ in keep(kubeflow, servers.cluster(), FOR_EVER):
        token.write_text("second")
    sent = [each for each in servers.tokens if each]
    assert sent == ["Bearer first"] * 2 + ["Bearer second"] * 2


def test_a_pulse_that_is_not_renewed_shows() -> None:
    pulse = Pulse(limit_s=1e-9)
    address = f"http://127.0.0.1:{pulse.serve(0, '127.0.0.1')}/"
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(address)
    pulse.limit_s = 60
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 200
