"""Which processes a federation consists of: for each party one that runs its own compiled pipeline."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wardround.coordinator.settings import CoordinatorSettings
from wardround.errors import ConfigurationError
from wardround.exchange.layout import COORDINATOR
from wardround.imaging.dataset import FILE_NAME
from wardround.imaging.settings import available_cpus
from wardround.local.children import Task
from wardround.local.demo_choices import Choices
from wardround.local.demo_data import LABELS
from wardround.local.demo_folder import DemoFolder
from wardround.local.setup import FEDERATION, Parties, credentials

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Federation:
    """The demo's federation in its folder; `exchange` is an address, `digest` names the plan."""

    folder: DemoFolder
    choices: Choices
    parties: Parties
    exchange: str
    digest: str

    @property
    def sites(self) -> tuple[str, ...]:
        """The hospitals."""
        return tuple(sorted(self.choices.sites))

    @property
    def threads(self) -> int:
        """Threads for each hospital's training: the machine's cores, shared."""
        return max(1, available_cpus() // len(self.sites))


def compile_task(folder: DemoFolder, choices: Choices) -> Task:
    """The process that compiles the recipe with the Python files that it names."""
    names = choices.recipe.files
    arguments = {
        "recipe_yaml": folder.recipe.read_text(),
        "python_files_by_name": {name: (choices.recipe_folder / name).read_text() for name in names},
        "plan_folder": str(folder.plan),
        "settings_file": "",
    }
    return _pipeline("compile", "compile", arguments, folder, {})


def site_task(federation: Federation, site: str) -> Task:
    """A hospital's process."""
    folder = federation.folder
    own, data = folder.site(site), folder.data(site)
    arguments = {
        "run": federation.choices.run,
        "federation": FEDERATION,
        "site": site,
        "exchange_address": federation.exchange,
        "coordinator_public_key": federation.parties.coordinator.public.text,
        "signing_key_file": str(own / "key.pem"),
        "approvals_folder": str(own / "approvals"),
        "dicom_folder_or_archive_url": str(data / "dicom"),
        "labels_csv_file": str(data / LABELS),
        "split_key_file": str(own / "split.key"),
        "work_folder": str(own / "work"),
        "settings_file": "",
    }
    return _pipeline(site, "site", arguments, folder, _variables(federation, site))


def coordinator_task(federation: Federation) -> Task:
    """The coordinator's process."""
    settings = coordinator_settings(federation)
    arguments = {
        "run": settings.run,
        "federation": settings.federation,
        "exchange_address": settings.exchange,
        "signing_key_file": str(settings.key_file),
        "member_public_keys": settings.members,
        "plan_folder": str(settings.plan),
        "work_folder": str(settings.work),
        "mlflow_address": settings.tracking_uri,
        "settings_file": "",
    }
    return _pipeline(
        COORDINATOR, "coordinator", arguments, federation.folder, _variables(federation, COORDINATOR)
    )


def coordinator_settings(federation: Federation) -> CoordinatorSettings:
    """The coordinator's settings, as its pipeline's parameters say them."""
    folder = federation.folder
    return CoordinatorSettings(
        federation=FEDERATION,
        run=federation.choices.run,
        exchange=federation.exchange,
        key_file=folder.coordinator / "key.pem",
        members=federation.parties.sites,
        plan=folder.plan,
        work=folder.coordinator / "work",
        tracking_uri=folder.tracking_uri,
    )


def dataset_of(folder: DemoFolder, site: str) -> Path:
    """The data set that a hospital's intake has made. Raises ConfigurationError when there is not one."""
    found = sorted(folder.site(site).glob(f"work/datasets/*/{FILE_NAME}"))
    if len(found) != 1:
        raise ConfigurationError(
            f"{folder.site(site)} holds {len(found)} data sets instead of one; start again with --fresh"
        )
    return found[0].parent


def compiled_pipelines() -> Path:
    """The folder of compiled pipelines: in an installed package, or beside it in a checkout."""
    installed = _PACKAGE / "pipelines"
    return installed if installed.is_dir() else _PACKAGE.parents[1] / "pipelines" / "compiled"


def _variables(federation: Federation, party: str) -> dict[str, str]:
    threads = str(federation.threads)
    common = {
        "OMP_NUM_THREADS": threads,
        # The demo has just compiled the plan itself.
        "WARDROUND_SITE_VERIFY": "never",
        "WARDROUND_SITE_THREADS": threads,
        "WARDROUND_COORDINATOR_THREADS": threads,
    }
    if federation.choices.exchange_url is not None:
        return common
    return common | {"WARDROUND_S3_CREDENTIALS_FILE": str(credentials(federation.folder, party))}


def _pipeline(
    name: str,
    pipeline: str,
    arguments: Mapping[str, object],
    folder: DemoFolder,
    variables: Mapping[str, str],
) -> Task:
    root = folder.root / "pipelines" / name
    return Task(
        name,
        (
            "-m",
            "wardround.local.kfp_runner",
            str(compiled_pipelines() / f"{pipeline}.yaml"),
            "--arguments",
            json.dumps(arguments),
            "--root",
            str(root),
        ),
        folder.log(name),
        variables,
    )
