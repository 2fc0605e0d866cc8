"""Job F as a real federation on this machine: embedded S3 server, keys, credentials, one process a party."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import job_f
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.imaging.shards import write_dataset
from wardround.local.seaweed import SeaweedServer, federation_identities
from wardround.plan.format import Plan

FEDERATION, RUN = "bench", "job-f"
LIMIT_S = 600


class Federation:
    """Set up in `folder`, run once, measured from the coordinator's own events."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder, self._plan = folder, plan
        folder.mkdir(parents=True)
        self._keys = {name: SigningKey.generate() for name in (COORDINATOR, *job_f.SITES)}
        for name, key in self._keys.items():
            key.save(folder / f"{name}.pem")
        for name, examples in job_f.sites(job_f.definition().make()).items():
            arrays = (examples.images, examples.labels)
            few = (examples.images[:50], examples.labels[:50])  # scored once, after the last round
            splits = {"train": arrays, "validation": few, "test": few}
            write_dataset(folder / "data" / name, splits, labels=["plain", "blobs"])

    def measure(self) -> tuple[list[float], dict[str, float]]:
        """Return the seconds of each round after the first, and the median seconds of each phase."""
        identities = federation_identities(Layout(FEDERATION), job_f.SITES, self._folder / "identities")
        with SeaweedServer(self._folder / "server", identities.values()) as server:
            parties = [self._start(COORDINATOR, server.endpoint)]
            parties += [self._start(site, server.endpoint) for site in job_f.SITES]
            try:
                codes = [party.wait(LIMIT_S) for party in reversed(parties)]
            finally:
                for party in parties:
                    party.kill()
        if any(codes):
            sys.exit(f"a party failed: {codes}; see {self._folder}")
        return self._figures()

    def _start(self, name: str, address: str) -> "subprocess.Popen[bytes]":
        settings = self._folder / f"{name}.json"
        settings.write_text(json.dumps(self._settings(name, address)))
        part = "coordinator" if name == COORDINATOR else "site"
        command = [sys.executable, "-m", "benchmarks.party", part, settings, self._folder / "events.jsonl"]
        identity = {"WARDROUND_S3_CREDENTIALS_FILE": str(self._folder / "identities" / f"{name}.json")}
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, env={**os.environ, **identity}, stdout=log, stderr=log)

    def _settings(self, name: str, address: str) -> dict[str, Any]:
        common = {
            "federation": FEDERATION,
            "run": RUN,
            "exchange": address,
            "key_file": str(self._folder / f"{name}.pem"),
            "work": str(self._folder / "work" / name),
            "threads": 1,
        }
        if name == COORDINATOR:
            members = {site: self._keys[site].public.text for site in job_f.SITES}
            return common | {"members": members, "plan": str(self._plan.folder)}
        own = {
            "site": name,
            "data": str(self._folder / "data" / name),
            "approved_digests": [self._plan.digest],
        }
        return common | own | {"coordinator_key": self._keys[COORDINATOR].public.text}

    def _figures(self) -> tuple[list[float], dict[str, float]]:
        events = [json.loads(line) for line in (self._folder / "events.jsonl").read_text().splitlines()]
        closed = {event["round"]: event["time"] for event in events if event["kind"] == "closed"}
        opened = {event["round"]: event["time"] for event in events if event["kind"] == "opened"}
        trained = sorted(closed)[: self._plan.manifest.recipe_model().rounds.count]
        seconds = [closed[n] - closed[n - 1] for n in trained[1:]]
        answers: dict[int, list[float]] = {n: [] for n in trained}
        for event in events:
            if event["kind"] == "answered" and event["round"] in answers:
                answers[event["round"]].append(event["time"] - opened[event["round"]])
        later = trained[1:]
        phases = {
            "open": statistics.median(opened[n] - closed[n - 1] for n in later),
            "first_answer": statistics.median(min(answers[n]) for n in later),
            "last_answer": statistics.median(max(answers[n]) for n in later),
            "close": statistics.median(closed[n] - opened[n] - max(answers[n]) for n in later),
            "round": statistics.median(seconds),
        }
        return seconds, phases
