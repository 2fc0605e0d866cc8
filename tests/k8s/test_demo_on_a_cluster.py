"""The demo's own parts, without a cluster: its values fit the charts, and what it brings arrives whole."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from helm.program import find_program, manifests, run_helm
from k8s.demo import images
from k8s.demo.names import SITES, demo_names
from k8s.demo.training import _line, has_ended
from k8s.demo.values import CHARTS, LAPTOP, coordinator_values, image_values, site_values

KEY = "0123456789abcdef" * 4
NAMES = demo_names("trial-")


def render(
    chart: str, namespace: str, values: dict[str, object], folder: Path
) -> dict[str, dict[str, object]]:
    """A chart's objects by kind and name, with the demo's values as it passes them."""
    if find_program("helm") is None:
        pytest.skip("no helm program")
    steps = ("control", "mlflow", "compile", "preprocess", "train", "aggregate", "evaluate")
    given = {
        "images": {each: f"registry.example.org/{each}@sha256:{'a' * 64}" for each in steps},
        "networkPolicy": {"kubernetesApi": {"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]}},
    }
    files = [folder / "images.yaml", folder / "values.yaml"]
    for file, content in zip(files, (given, {**values, **LAPTOP[chart]}), strict=True):
        file.write_text(yaml.safe_dump(content))
    words = [word for file in files for word in ("--values", str(file))]
    text = run_helm("template", "wardround", CHARTS / chart, "--namespace", namespace, *words)
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in manifests(text)}


def test_a_hospital_that_told_its_key_is_a_member_and_the_others_are_not_yet(tmp_path: Path) -> None:
    values = coordinator_values(NAMES, {"alder": KEY})
    objects = render("wardround-coordinator", NAMES.coordinator, values, tmp_path)
    settings = yaml.safe_load(objects["ConfigMap/wardround-coordinator"]["data"]["coordinator.yaml"])  # type: ignore[index]
    assert settings["members"] == {"alder": KEY}
    cluster = yaml.safe_load(objects["ConfigMap/wardround-cluster"]["data"]["cluster.yaml"])  # type: ignore[index]
    assert cluster["hospitals"] == list(SITES)
    assert "localhost" in cluster["certificate"]["names"]  # by which the demo comes, through a forwarded port


@pytest.mark.parametrize("site", SITES)
def test_a_hospital_runs_the_approved_plan_only(site: str, tmp_path: Path) -> None:
    for approved in ([], ["b" * 64]):
        values = site_values(NAMES, site, KEY, approved)
        objects = render("wardround-site", NAMES.site(site), values, tmp_path)
        settings = yaml.safe_load(objects["ConfigMap/wardround-site"]["data"]["site.yaml"])  # type: ignore[index]
        assert (settings["federation"], settings["site"]) == (NAMES.federation, site)
        assert settings["approved_digests"] == approved
        assert settings["exchange"] == NAMES.exchange


def test_the_label_table_is_brought_last_so_that_where_it_is_everything_is(tmp_path: Path) -> None:
    folder = images.generate(tmp_path, "alder", 3)
    with tarfile.open(fileobj=io.BytesIO(images.packed(folder))) as archive:
        names = archive.getnames()
    assert names[-1] == "labels.csv"
    assert len(names) == 4


def test_images_that_were_generated_before_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = images.generate(tmp_path, "birch", 2)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    assert images.generate(tmp_path, "birch", 2) == folder
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before


def test_a_closed_round_is_told_in_one_line() -> None:
    done = {"round": 2, "status": "completed", "accepted": ["alder", "cedar"], "figures": {"auroc": 0.91}}
    line = _line(done, {"rounds_wanted": 3})
    assert line == "round 2 (3 train): completed, 2 of 3 hospitals, auroc 0.9100"


def test_without_a_cluster_the_demo_says_so_in_a_line(tmp_path: Path) -> None:
    empty = tmp_path / "kubeconfig"
    empty.write_text("apiVersion: v1\nkind: Config\n")
    home = Path.home() / ".cache" / "wardround-cluster" / "bin"
    environment = {"KUBECONFIG": str(empty), "PATH": f"/usr/local/bin:/usr/bin:/bin:{home}"}
    command = [sys.executable, "-m", "k8s.demo", "--folder", str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "error: " in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("chart", ["wardround-site", "wardround-coordinator"])
def test_of_the_images_of_all_files_a_chart_is_given_its_own(chart: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump({"images": {"control": "a", "train": "b", "mlflow": "c"}}))
    second.write_text(yaml.safe_dump({"images": {"control": "d", "minio": "e"}}))
    chosen = image_values(chart, [first, second])["images"]
    mine = {"train": "b"} if chart == "wardround-site" else {"mlflow": "c", "minio": "e"}
    assert chosen["control"] == "d"
    assert mine.items() <= chosen.items()
    assert "minio" not in chosen or chart == "wardround-coordinator"


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ({}, False),
        ({"state": "not-opened"}, False),
        ({"state": "open"}, False),
        ({"state": "finished"}, True),
    ],
)
def test_a_run_that_is_not_open_yet_has_not_ended(status: dict[str, str], ended: bool) -> None:
    assert has_ended(status) is ended
