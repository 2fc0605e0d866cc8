"""What a cluster's administrator gives Argo's controller for the containers of runs."""

from typing import Any

import pytest
import yaml
from k8s.kind import up
from tests.k8s.example_objects import ROOT

FILE = ROOT / "k8s" / "kubeflow" / "workflow-controller.yaml"
# What Pod Security `restricted` asks of a container, but for the user.
CONFINED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(name="settings")
def fixture_settings() -> dict[str, Any]:
    """The settings: in Argo's ConfigMap each key is a text of YAML."""
    patch = yaml.safe_load(FILE.read_text())
    assert set(patch) == {"data"}
    return {key: yaml.safe_load(text) for key, text in patch["data"].items()}


def test_argo_s_own_containers_are_restricted(settings: dict[str, Any]) -> None:
    context = settings["executor"]["securityContext"]
    assert CONFINED.items() <= context.items()
    assert context["runAsNonRoot"] is True and context["runAsUser"] > 0


def test_steps_are_confined_and_keep_their_image_s_user(settings: dict[str, Any]) -> None:
    # Of Kubeflow 2.14's drivers the kubelet cannot tell that their user is not root.
    assert settings["mainContainer"] == {"securityContext": CONFINED}


def test_what_kubeflow_s_manifests_say_of_the_executor_stays(settings: dict[str, Any]) -> None:
    assert set(settings) == {"executor", "mainContainer"}
    assert settings["executor"]["imagePullPolicy"] == "IfNotPresent"


def test_the_cluster_on_a_laptop_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(up, "_engine", lambda: "docker")
    monkeypatch.setattr(up, "_load", lambda engine: None)
    monkeypatch.setattr(up, "program", lambda name: name)
    monkeypatch.setattr(up, "run", lambda *words, **more: up.CLUSTER)
    monkeypatch.setattr(up, "kubectl", lambda *words: said.append(words))
    up.up()
    patches = [words for words in said if "patch" in words]
    assert len(patches) == 1
    assert f"--patch-file={FILE}" in patches[0]
    applied = [index for index, words in enumerate(said) if up.MULTI_USER in words]
    assert said.index(patches[0]) > applied[0]  # applying resets it
