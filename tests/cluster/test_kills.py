"""Pods and servers are killed in the middle of a run: it ends well, and no round is lost or counted twice."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cluster import kubeflow, people
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, SITES, Cluster
from tests.cluster.kubeflow import Run
from tests.cluster.shell import eventually, kubectl

# Long enough that the last attack meets it, also where rounds are short.
ROUNDS = 30
VICTIM = "nih-bethesda-us-2"


@dataclass
class Attacked:
    """A run that is going on."""

    cluster: Cluster
    name: str
    digest: str
    runs: dict[str, Run]

    def closed(self) -> int:
        """How many rounds have their outcome."""
        return len(people.status(self.cluster, self.name)["rounds"])

    def wait_for_round(self, number: int) -> None:
        """Until so many rounds are closed."""
        eventually(lambda: self.closed() >= number, f"round {number} of {self.name}", 600, every=2)

    def states(self) -> dict[str, str]:
        """How all runs end."""
        return kubeflow.wait(self.cluster.kubeflow, list(self.runs.values()), 1200)

    def retries(self, namespace: str) -> int:
        """How often the namespace's keeper had this run gone on with."""
        said = kubectl("-n", namespace, "logs", "deployment/wardround-keeper")
        return len([line for line in said.splitlines() if f"/{self.name}/" in line and "retried" in line])


@pytest.fixture(scope="module")
def attacked(cluster: Cluster, demo: Demo) -> Iterator[Attacked]:
    """A run during which everything is killed once, one thing a round or two."""
    name = f"kills-{int(time.time())}"
    rounds = {"count": ROUNDS, "quorum": len(SITES), "deadline": "10m"}
    file = demo.altered(cluster.work / "kills.yaml", rounds)
    digest, coordinator = people.submit(cluster, file, name)
    runs = {COORDINATOR: coordinator}
    for site in SITES:
        cluster.approve(site, digest)
        runs[SITES[site]] = people.submit_site(cluster, site, name)
    going = Attacked(cluster, name, digest, runs)
    attacks: list[Callable[[Attacked], None]] = [
        train_pod,
        aggregate_pod,
        exchange_pod,
        kubeflow_api,
        kubelet,
    ]
    for number, attack in enumerate(attacks):
        going.wait_for_round(1 + 2 * number)
        attack(going)
    yield going


def train_pod(run: Attacked) -> None:
    """The pod that trains at one hospital."""
    _delete(run.runs[SITES[VICTIM]], "train")


def aggregate_pod(run: Attacked) -> None:
    """The pod that plays the rounds."""
    _delete(run.runs[COORDINATOR], "aggregate")


def exchange_pod(run: Attacked) -> None:
    """The S3 server."""
    kubectl("-n", COORDINATOR, "delete", "pod", "wardround-exchange-0", "--grace-period=0", "--force")


def kubeflow_api(run: Attacked) -> None:
    """Kubeflow's API server."""
    kubectl("-n", "kubeflow", "delete", "pod", "-l", "app=ml-pipeline", "--grace-period=0", "--force")
    kubectl("-n", "kubeflow", "rollout", "status", "deployment/ml-pipeline", "--timeout=180s")


def kubelet(run: Attacked) -> None:
    """The node's kubelet: it hears and does nothing for longer than the node counts as healthy."""
    found = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm") if _is_kubelet(path)]
    if not found:
        warnings.warn("not attacked: the node's kubelet is no process of this machine", stacklevel=1)
        return
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    threading.Event().wait(60)
    for pid in found:
        os.kill(pid, signal.SIGCONT)
    # The node counted as lost, and with it the cluster's names.
    eventually(lambda: run.cluster.bed.missing() is None, "Kubeflow after the node was away", 180, every=2)


def _is_kubelet(path: Path) -> bool:
    try:
        words = (path.parent / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return Path(words[0].decode(errors="replace")).name == "kubelet"


def _delete(run: Run, step: str) -> None:
    live = [pod for pod in kubeflow.step_pods(run, step) if pod["status"]["phase"] == "Running"]
    assert live, f"no pod of {step} runs"
    kubectl("-n", run.namespace, "delete", "pod", live[0]["metadata"]["name"], "--grace-period=0", "--force")


def test_the_run_ends_well_for_everybody(attacked: Attacked) -> None:
    assert set(attacked.states().values()) == {"SUCCEEDED"}


def test_every_round_was_counted_once_with_everybodys_update(attacked: Attacked) -> None:
    found = people.status(attacked.cluster, attacked.name)
    assert found["state"] == "finished"
    trained = [each for each in found["rounds"] if each["status"] == "completed"]
    assert len(trained) == ROUNDS
    assert [each["round"] for each in found["rounds"]] == sorted({each["round"] for each in found["rounds"]})
    assert {tuple(sorted(each["accepted"])) for each in trained} == {tuple(sorted(SITES))}


def test_the_keepers_had_the_runs_that_lost_a_pod_gone_on_with_and_no_others(attacked: Attacked) -> None:
    hit = {SITES[VICTIM], COORDINATOR}
    assert {name: attacked.retries(name) for name in attacked.runs} == {
        name: int(name in hit) for name in attacked.runs
    }
