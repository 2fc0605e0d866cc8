"""Rounds per minute of job F: four site processes, a coordinator process and a real S3 server, against TFF's simulator.

Both run here, one after the other, twice in alternation; the first round is start-up on both sides and is left out.
TFF runs as its documentation builds the process, and once more with the training loop that our compiler chooses.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import job_f
from benchmarks.federation import Federation
from benchmarks.job_f import say
from wardround.compiler_client import compiler_process
from wardround.plan.format import Plan

GOAL = 1.0


def main() -> None:
    """Print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wardround-bench-"))
    try:
        plan = job_f.compile_plan(folder / "plan", arguments.rounds)
        ours, phases = [], {}
        simulator: dict[str, list[float]] = {"default": [], "same_graphs": []}
        for repeat in range(arguments.repeats):
            say(f"wardround, {arguments.rounds} rounds")
            seconds, phases = Federation(folder / f"run{repeat}", plan).measure()
            ours.append(60 / statistics.mean(seconds))
            say(f"  {ours[-1]:.0f} rounds/min; TFF's simulator, {arguments.rounds} rounds")
            for kind, seconds in _simulate(folder, plan, arguments.rounds).items():
                simulator[kind].append(60 / statistics.mean(seconds[1:]))
                say(f"  {kind}: {simulator[kind][-1]:.0f} rounds/min")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rate, reference = statistics.mean(ours), statistics.mean(simulator["default"])
    tuned = statistics.mean(simulator["same_graphs"])
    result = {
        "rounds_per_min": rate,
        "tff_rounds_per_min": reference,
        "tff_with_our_loop_rounds_per_min": tuned,
    }
    result |= {"all": [ours, simulator]}
    result |= {"rounds": arguments.rounds, "cores": os.cpu_count(), "phases_s": phases}
    print(
        json.dumps(
            {"benchmark": "rounds", "ratio": rate / reference, "goal": GOAL, "better": "higher", **result}
        )
    )


def _simulate(folder: Path, plan: Plan, rounds: int) -> dict[str, list[float]]:
    request = folder / "simulate.json"
    request.write_text(json.dumps({"recipe": plan.manifest.recipe, "rounds": rounds}))
    out = folder / "simulated.json"
    with compiler_process() as (python, environment), (folder / "tff.log").open("wb") as log:
        # A file: TFF leaves a process behind that would hold a pipe open.
        command = [python, Path(__file__).with_name("simulator.py"), request, job_f.DEFINITION, out]
        if subprocess.run(command, env=environment, stdout=log, stderr=log, check=False).returncode:
            sys.exit(f"TFF's simulator failed:\n{(folder / 'tff.log').read_text()[-2000:]}")
    figures: dict[str, list[float]] = json.loads(out.read_text())
    return figures


if __name__ == "__main__":
    main()
