"""The same job by the demo on this machine: the cluster is compared with it, and gets its input from there."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pydicom
import yaml
from tests.cluster.shell import ROOT

IMAGES = ROOT.parent / "shared" / "data" / "cxr_sites"
ROUNDS = 5


@dataclass(frozen=True)
class Demo:
    """A finished demo's folder."""

    root: Path

    @property
    def recipe(self) -> Path:
        """Its recipe, with everything filled in."""
        return self.root / "recipe.yaml"

    def altered(self, file: Path, rounds: Mapping[str, object], **fields: object) -> Path:
        """Its recipe with other rounds and fields, written into a file."""
        recipe = yaml.safe_load(self.recipe.read_text()) | fields
        recipe["rounds"] |= rounds
        file.write_text(yaml.safe_dump(recipe))
        return file

    @property
    def digest(self) -> str:
        """Its plan's digest."""
        from wardround.plan.format import load_plan

        return load_plan(self.root / "plan").digest

    @property
    def registry(self) -> str:
        """Its MLflow."""
        return f"sqlite:///{self.root / 'mlflow' / 'mlflow.db'}"

    @property
    def model_name(self) -> str:
        """What its model is called there."""
        return str(yaml.safe_load(self.recipe.read_text())["name"])

    def images(self, site: str) -> Path:
        """A hospital's DICOM files and labels."""
        return self.root / "data" / site

    def identifiers(self, site: str) -> set[bytes]:
        """What tells a patient or a study in the headers of the hospital's files."""
        found: set[bytes] = set()
        for file in sorted(self.images(site).rglob("*.dcm")):
            header = pydicom.dcmread(file, stop_before_pixels=True)
            for name in ("PatientID", "PatientName", "AccessionNumber", "StudyInstanceUID", "SOPInstanceUID"):
                found.add(str(header.get(name) or "").encode())
        return {each for each in found if len(each) > 4}

    def split_key(self, site: str) -> Path:
        """The key that assigned its patients to splits."""
        return self.root / "sites" / site / "split.key"


def run_demo(folder: Path) -> Demo:
    """Runs the demo on real X-rays, in a folder of its own; one that is finished is kept."""
    if not (folder / "finished").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "wardround", "demo", "--images", str(IMAGES), "--no-report"]
        command += ["--rounds", str(ROUNDS), "--folder", str(folder)]
        subprocess.run(command, check=True, timeout=1800, stdout=subprocess.DEVNULL)
        (folder / "finished").touch()
    return Demo(folder)
