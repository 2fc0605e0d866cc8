"""Images of a bundle are imported under the digests of its lock (docs/air-gapped.md)."""

import json
import os
import subprocess
from pathlib import Path

from tests.k8s.example_objects import ROOT

SCRIPT = ROOT / "tests" / "cluster" / "load_images.sh"
# Stands in for containerd's `ctr`: writes its words down, and finds what it is asked for.
CTR = """#!/usr/bin/env bash
echo "$*" >> "$LOG"
case "$*" in *" list "*) echo "${!##name==}" ;; *) cat >/dev/null ;; esac
"""


def test_a_bundle_s_images_are_imported_from_its_folder_by_its_lock(tmp_path: Path) -> None:
    train, control = (f"registry.example.org/{name}@sha256:{'a' * 64}" for name in ("train", "control"))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "train.tar").touch()
    (tmp_path / "images.lock.json").write_text(json.dumps({"train": train, "control": control}))
    script, ctr = tmp_path / SCRIPT.name, tmp_path / "ctr"
    script.write_bytes(SCRIPT.read_bytes())
    ctr.write_text(CTR)
    for program in (script, ctr):
        program.chmod(0o755)
    given = {
        "WARDROUND_CTR": str(ctr),
        "WARDROUND_IMAGES": "images",
        "WARDROUND_IMAGES_LOCK": "images.lock.json",
        "LOG": str(tmp_path / "log"),
    }
    subprocess.run(["./load_images.sh"], cwd=tmp_path, env={**os.environ, **given}, check=True)
    said = (tmp_path / "log").read_text().splitlines()
    assert said[0] == "--namespace k8s.io images import --base-name registry.example.org/train --digests -"
    assert said[1].endswith(f"name=={train}")
    assert len(said) == 2  # an image that is not in the folder is left out
