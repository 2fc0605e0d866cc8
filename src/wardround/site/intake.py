"""The site's preprocessing for a run: its plan says which images, labels and shapes, so nobody types them twice."""

import hashlib
import json
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from wardround.errors import ConfigurationError
from wardround.exchange.connect import open_patient
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.settings import IntakeSettings, available_cpus
from wardround.imaging.sources.delivery import Progress
from wardround.imaging.sources.prepare import Order, prepare
from wardround.imaging.sources.settings import ImageSource
from wardround.private_files import keep_private
from wardround.recipe.schema import Task
from wardround.site.context import take_seat
from wardround.site.pick import pick_run
from wardround.site.plans import approved_plan, find_run
from wardround.site.settings import SiteSettings
from wardround.turns import one_at_a_time

_KEY_BYTES = 32


@dataclass(frozen=True)
class Source:
    """Where the hospital's images and labels are. `split_key`: None keeps one in the work folder."""

    images: ImageSource
    labels: Path
    split_key: Path | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Prepared:
    """A dataset on disk, for the plan of the run that asked for it."""

    run: str
    folder: Path
    info: DatasetInfo
    plan_digest: str


def preprocess(
    settings: SiteSettings,
    source: Source,
    stop: threading.Event | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Prepared | None:
    """Waits for the run, checks its plan as training does, and makes the dataset that the plan takes.

    Without a run in the settings it takes the newest open one; None when there was none within `start_wait_s`.
    The folder is `work/datasets/<name>`, where the name follows from the plan's task: another plan with the
    same task finds the dataset ready, and so does another process, after it has waited for this one. What is
    fetched lies in `work/incoming` until the dataset is complete.
    Raises UnwantedPlanError, IntakeError, SourceError, NoSpaceError, ConfigurationError, RefusedError.
    """
    keep_private()
    stop = stop or threading.Event()
    exchange = open_patient(settings.exchange, settings.outage_s, stop)
    run = pick_run(settings, exchange, stop)
    if run is None:
        return None
    seat = take_seat(settings.model_copy(update={"run": run}), exchange, stop)
    described = find_run(seat)
    seat = seat.bound_to(described.plan_digest)
    plan = approved_plan(seat, described.message)
    task = plan.manifest.recipe_model().task
    folder = settings.work / "datasets" / dataset_name(task)
    chosen = intake_settings(task, source, settings.work / "split.key").model_copy(update=_chosen(settings))
    order = Order(source.images, source.labels, folder, settings.work / "incoming", chosen)
    with one_at_a_time(settings.work / "locks" / folder.name, "the dataset of this task", stop):
        return Prepared(run, folder, prepare(order, stop, progress), plan.digest)


def _chosen(settings: SiteSettings) -> dict[str, object]:
    """What the hospital has chosen: how its label table is written, and what is done against text in its images."""
    return {
        "label_encoding": settings.label_encoding,
        "burned_in": settings.burned_in,
        "quarantine": settings.work,
        "devices": settings.devices,
        "harmless_words": settings.harmless_words,
        "follow_links": settings.follow_links,
    }


def dataset_name(task: Task) -> str:
    """A name for the data that a task takes: the same for the same task, whoever trains on it."""
    content = json.dumps(task.model_dump(mode="json"), sort_keys=True)
    return f"{task.kind}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def intake_settings(task: Task, source: Source, own_key: Path) -> IntakeSettings:
    """The intake that gives a task its examples; `own_key` is made if there is no other split key."""
    return IntakeSettings(
        labels=task.labels,
        modality=task.image.modality,
        size=task.image.size,
        spacing=task.image.spacing,
        bits=task.image.bits,
        split_key_file=source.split_key or make_split_key(own_key),
        # The key may lie where nothing can be written.
        assignments=own_key.parent,
        workers=available_cpus() if source.workers is None else source.workers,
    )


def make_split_key(path: Path) -> Path:
    """The file, with secret bytes that only its owner can read; an existing one stays. Raises ConfigurationError."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        # A link, not a rename: of two steps that start at once, both use the first one's key.
        os.link(part, path)
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigurationError(
            f"split key {str(path)!r} cannot be made ({error.strerror}); give a work folder that can be written"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return path
