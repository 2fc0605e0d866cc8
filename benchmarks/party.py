"""One side of a federation in a process of its own: the production command, with the coordinator's events on record.

`python -m benchmarks.party site|coordinator SETTINGS.json [EVENTS.jsonl]`
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import TextIO

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from wardround.coordinator import commands as coordinator
from wardround.coordinator.context import Event
from wardround.coordinator.settings import CoordinatorSettings
from wardround.processes import run_until_signal
from wardround.site import commands as site
from wardround.site.settings import SiteSettings


def main() -> None:
    """Play the part until the run ends."""
    part, settings = sys.argv[1], Path(sys.argv[2])
    if part == "site":
        run_until_signal(lambda stop: site.train(SiteSettings.load(settings), stop))
        return
    with Path(sys.argv[3]).open("w") as record:
        chosen = CoordinatorSettings.load(settings)
        run_until_signal(lambda stop: coordinator.aggregate(chosen, stop, lambda event: _note(record, event)))


def _note(record: TextIO, event: Event) -> None:
    line = {"time": time.monotonic(), "kind": event.kind, "round": event.round, "site": event.site}
    record.write(json.dumps(line) + "\n")
    record.flush()


if __name__ == "__main__":
    main()
