"""Without a cluster, and with one that does not answer: one line that says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from wardround.cluster.connect import Cluster, translated
from wardround.cluster.errors import ClusterUnavailableError
from wardround.cluster.secrets import Secrets


def made_key(kubeconfig: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "wardround", "cluster", "make-key"]
    environment = os.environ | {"KUBECONFIG": str(kubeconfig)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def nobody_listens() -> Cluster:
    settings = client.Configuration()
    settings.host, settings.retries = "http://127.0.0.1:9", False
    return Cluster(client.ApiClient(settings), "hospital-a")


def test_without_a_cluster_a_job_ends_with_one_line(tmp_path: Path) -> None:
    done = made_key(tmp_path / "absent")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("wardround: no Kubernetes API is known")
    assert done.stderr.endswith("[no-kubernetes]\n") and done.stderr.count("\n") == 1


def test_a_kubeconfig_that_is_none_is_no_cluster(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump({"clusters": [], "contexts": [], "current-context": "gone"}), "utf-8")
    done = made_key(path)
    assert done.returncode == 1 and "[no-kubernetes]" in done.stderr


def test_an_api_that_does_not_answer_is_unavailable(nobody_listens: Cluster) -> None:
    with pytest.raises(
        ClusterUnavailableError, match=r"could not get Secret 'key' in namespace 'hospital-a'"
    ):
        Secrets(nobody_listens).read("key")


def test_a_server_error_is_unavailable_and_its_body_is_not_told() -> None:
    error = client.ApiException(status=503, reason="Service Unavailable")
    error.body = "top-secret"
    with pytest.raises(ClusterUnavailableError) as caught, translated("get it"):
        raise error
    assert str(caught.value) == "could not get it: HTTP 503, Service Unavailable"
    assert caught.value.__cause__ is None
