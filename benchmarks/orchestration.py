"""What Kubeflow costs: a federation's run on the cluster of KUBECONFIG, against the same job by the demo here.

Both are timed from the moment that recipe, plan and images are there, to the end of everybody's last step, at two
numbers of rounds. Each is close to a line, `fixed + per_round * rounds`; the ratio is the cluster's time over the
demo's for as many rounds as take the demo ten minutes. With the cluster on this machine both have the same cores; see
`tests/cluster/bed.py` for what describes the cluster.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cluster import kubeflow, people
from tests.cluster.bed import Bed
from tests.cluster.demo import IMAGES, Demo, run_demo
from tests.cluster.federation import COORDINATOR, SITES, Cluster, set_up
from tests.cluster.kubeflow import Run
from tests.cluster.shell import ROOT

from benchmarks.job_f import say

GOAL = 1.1
JOB_SECONDS = 600.0
_FORGET = "import shutil; shutil.rmtree('/work/datasets', ignore_errors=True)"


def main() -> None:
    """Print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, nargs=2, default=(5, 25), metavar=("FEW", "MANY"))
    rounds = parser.parse_args().rounds
    bed = Bed.from_environment()
    if (missing := bed.missing()) is not None:
        sys.exit(f"benchmarks.orchestration: {missing}")
    with tempfile.TemporaryDirectory(prefix="wardround-bench-") as folder:
        demo = run_demo(ROOT / "build" / "cluster-demo")
        cluster = set_up(Cluster(bed, Path(folder)), demo)
        here = {count: _demo_seconds(Path(folder) / f"demo-{count}", count) for count in rounds}
        there: dict[int, float] = {}
        parts: dict[str, float] = {}
        for count in rounds:
            there[count], parts = _cluster_seconds(cluster, demo, count)
    print(json.dumps(_result(here, there, parts)))


def _result(
    here: Mapping[int, float], there: Mapping[int, float], parts: Mapping[str, float]
) -> dict[str, Any]:
    fixed_here, round_here = _line(here)
    fixed_there, round_there = _line(there)
    job = (JOB_SECONDS - fixed_here) / round_here
    ratio = (fixed_there + round_there * job) / JOB_SECONDS
    return {
        "benchmark": "orchestration",
        "ratio": ratio,
        "goal": GOAL,
        "better": "lower",
        "job_rounds": job,
        "demo": {"seconds": here, "fixed_s": fixed_here, "per_round_s": round_here},
        "cluster": {"seconds": there, "fixed_s": fixed_there, "per_round_s": round_there},
        "cluster_parts_s": parts,
        "cores": os.cpu_count(),
    }


def _line(seconds: Mapping[int, float]) -> tuple[float, float]:
    (few, low), (many, high) = sorted(seconds.items())
    slope = (high - low) / (many - few)
    return low - slope * few, slope


def _demo_seconds(folder: Path, rounds: int) -> float:
    """From the moment that the demo's hospitals begin, to its end."""
    say(f"the demo, {rounds} rounds")
    command = [sys.executable, "-u", "-m", "wardround", "demo", "--images", str(IMAGES), "--no-report"]
    command += ["--rounds", str(rounds), "--folder", str(folder)]
    began = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                if began is None and line.startswith("exchange"):
                    began = time.monotonic()
        except BaseException:
            process.send_signal(signal.SIGINT)
            raise
    if process.returncode != 0 or began is None:
        sys.exit(f"the demo ended with {process.returncode}")
    shutil.rmtree(folder)
    say(f"  {time.monotonic() - began:.0f} s")
    return time.monotonic() - began


def _cluster_seconds(cluster: Cluster, demo: Demo, rounds: int) -> tuple[float, dict[str, float]]:
    """From the moment that Kubeflow has the coordinator's run, to everybody's end; and what it consists of."""
    say(f"the cluster, {rounds} rounds")
    for site in SITES:  # as in the demo's fresh folder, and as where the plan was looked at before
        cluster.in_volumes(site, lambda pod: pod.python("-c", _FORGET))
        cluster.approve(site, demo.digest)
    name = f"bench-{rounds}-{int(time.time())}"
    digest, coordinator = people.submit(cluster, demo.recipe, name, "--rounds", str(rounds))
    if digest != demo.digest:
        sys.exit("the cluster's plan is not the demo's")
    runs = {COORDINATOR: coordinator}
    with ThreadPoolExecutor() as hospitals:  # none of them waits for another one's shell
        started = list(hospitals.map(lambda site: people.submit_site(cluster, site, name), SITES))
    runs |= {run.namespace: run for run in started}
    submitted = time.time()
    states = kubeflow.wait(cluster.kubeflow, list(runs.values()), 3600)
    ended = time.time()
    if set(states.values()) != {"SUCCEEDED"}:
        sys.exit(f"the runs ended as {states}")
    began = cluster.kubeflow(COORDINATOR).get_run(coordinator.run_id).created_at.timestamp()
    say(f"  {ended - began:.0f} s")
    return ended - began, {"all_submitted": submitted - began} | _parts(runs, began)


def _parts(runs: Mapping[str, Run], began: float) -> dict[str, float]:
    """When steps' own containers start and end, in seconds after `began`: of the last hospital, and the coordinator."""
    found: dict[str, float] = {}
    for run in runs.values():
        for each in kubeflow.timeline(run):
            if each["container"] == "main" and each["step"]:
                for what in ("started", "ended"):
                    moment = datetime.fromisoformat(each[what]).timestamp() - began
                    name = f"{each['step']}_{what}"
                    found[name] = max(found.get(name, 0.0), moment)
    return found


if __name__ == "__main__":
    main()
