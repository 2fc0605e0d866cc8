"""The hospitals' images: generated, or wrapped. One process for each hospital; what is finished is kept.

`python -m wardround.local.demo_data JSON` does one job of them (`Job`).
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from wardround.local.children import Task
from wardround.local.demo_choices import Choices
from wardround.local.demo_folder import DemoFolder
from wardround.local.phantoms import HOSPITALS as XRAY
from wardround.local.phantoms import generate_xray_site
from wardround.local.phantoms_mr import HOSPITALS as MR
from wardround.local.phantoms_mr import generate_mr_site
from wardround.local.wrap import wrap_images
from wardround.private_process import handle_data_privately

LABELS = "labels.csv"


class Job(BaseModel):
    """What one process makes: a hospital's phantoms in `out`, or all hospitals of a manifest below it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["xray", "mr", "images"]
    out: Path
    seed: int
    site: str = ""
    count: int = 0
    images: Path | None = None
    label: str = ""
    split: dict[str, int] = {}


def data_tasks(choices: Choices, folder: DemoFolder) -> list[Task]:
    """The processes that make what is not there yet."""
    missing = [site for site in choices.sites if not (folder.data(site) / LABELS).is_file()]
    if not missing:
        return []
    if choices.images is not None:
        jobs = [_wrapping(choices, folder)]
    else:
        jobs = [
            Job(kind=choices.kind, out=folder.data(s), seed=choices.seed, site=s, count=choices.sites[s])
            for s in missing
        ]
    return [_task(job, folder) for job in jobs]


def make(job: Job) -> None:
    """Makes the images in a folder beside, which then gets its name: they are all there, or none."""
    part = job.out.with_name(f"{job.out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(job.out, ignore_errors=True)
    _makers()[job.kind](job, part)
    os.replace(part, job.out)


def _makers() -> dict[str, Callable[[Job, Path], object]]:
    return {"xray": _xray, "mr": _mr, "images": _wrap}


def _xray(job: Job, out: Path) -> None:
    profile = next(each for each in XRAY if each.name == job.site)
    generate_xray_site(out, profile, job.count, job.seed)


def _mr(job: Job, out: Path) -> None:
    profile = next(each for each in MR if each.name == job.site)
    generate_mr_site(out, profile, job.count, job.seed)


def _wrap(job: Job, out: Path) -> None:
    if job.images is not None:
        wrap_images(job.images, out, job.label, job.split, job.seed)


def _wrapping(choices: Choices, folder: DemoFolder) -> Job:
    return Job(
        kind="images",
        out=folder.root / "data",
        seed=choices.seed,
        images=choices.images,
        label=choices.label or "",
        split=choices.split,
    )


def _task(job: Job, folder: DemoFolder) -> Task:
    name = f"data-{job.site or 'images'}"
    return Task(name, ("-m", "wardround.local.demo_data", job.model_dump_json()), folder.log(name))


if __name__ == "__main__":
    handle_data_privately()
    make(Job.model_validate_json(sys.argv[1]))
