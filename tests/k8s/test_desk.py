"""The desk starts beside any hospital's release: what it mounts is what the chart makes."""

from pathlib import Path

import yaml
from tests.k8s.example_objects import RELEASES, ROOT, render

DESK = ROOT / "k8s" / "desk" / "pod.yaml"


def test_the_desk_mounts_and_is_what_the_chart_makes(tmp_path: Path) -> None:
    spec = yaml.safe_load(DESK.read_text())["spec"]
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    }
    for name, (chart, *_) in RELEASES.items():
        if chart != "wardround-site":
            continue
        made = {(each["kind"], each["metadata"]["name"]) for each in render(name, tmp_path)}
        assert {("PersistentVolumeClaim", claim) for claim in claims} <= made
        assert ("ServiceAccount", spec["serviceAccountName"]) in made


def test_what_is_commented_out_can_be_let_in() -> None:
    lines = DESK.read_text().splitlines()
    start = lines.index("apiVersion: v1")
    text = "\n".join(line.replace("# ", "", 1) if _code(line) else line for line in lines[start:])
    spec = yaml.safe_load(text)["spec"]
    mounted = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]} == {"work", "images", "tmp"}
    assert spec["nodeSelector"] and spec["tolerations"]


def _code(line: str) -> bool:
    """Whether a comment is a line of YAML, and no sentence."""
    return line.lstrip().startswith(("# - ", "#   ", "# nodeSelector:", "# tolerations:"))
