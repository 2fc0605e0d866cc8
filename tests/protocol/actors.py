"""What a process of the tests does: one side of a federation, through the functions that the containers call."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from killing import DeadlyExchange, Deaths

from wardround.coordinator import commands as coordinator
from wardround.coordinator.settings import CoordinatorSettings
from wardround.errors import WardroundError
from wardround.exchange.connect import open_exchange
from wardround.exchange.store import Exchange
from wardround.log_lines import set_up_logging
from wardround.processes import run_until_signal
from wardround.site import commands as site
from wardround.site.settings import SiteSettings


def coordinate(settings: CoordinatorSettings, output: Path, environment: dict[str, str], deaths: Any) -> None:
    """The coordinator's process."""
    _prepare(coordinator, output, environment, deaths)
    _end_with(lambda stop: coordinator.aggregate(settings, stop))


def train(settings: SiteSettings, output: Path, environment: dict[str, str], deaths: Any) -> None:
    """A site's process."""
    _prepare(site, output, environment, deaths)
    _end_with(lambda stop: site.train(settings, stop))


def _prepare(commands: Any, output: Path, environment: dict[str, str], deaths: Deaths | None) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(environment)
    set_up_logging()
    if deaths is not None:
        commands.open_exchange = _deadly(deaths)
        deaths.haunt_files()


def _deadly(deaths: Deaths) -> Callable[[str, threading.Event], Exchange]:
    return lambda address, stop: DeadlyExchange(open_exchange(address, stop), deaths)


def _end_with(command: Callable[[threading.Event], object]) -> None:
    try:
        result = run_until_signal(command)
    except WardroundError as error:
        logging.getLogger("actor").error("%s: %s", error.code, error)
        sys.exit(1)
    logging.getLogger("actor").info("%s", result)
