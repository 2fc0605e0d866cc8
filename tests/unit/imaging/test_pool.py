"""A worker that dies costs the piece of work that killed it, and nothing else."""

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from wardround.failures import LibraryError
from wardround.imaging.pool import Crew, Limits
from wardround.imaging.reading.deadline import limited
from wardround.imaging.reasons import Reason


@dataclass(frozen=True)
class Job:
    """Numbers to write into a folder, one file each; some are deadly."""

    folder: Path
    numbers: tuple[int, ...]
    deadly: str = ""
    lost: tuple[tuple[int, Reason], ...] = ()


def work(job: Job) -> None:
    for number in job.numbers:
        (job.folder / "busy").with_suffix(f".{job.numbers[0]}").write_text(str(number))
        if number in dict(job.lost):
            continue
        if number % 10 == 7 and job.deadly:
            DEATHS[job.deadly]()
        (job.folder / str(number)).touch()


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def vanish() -> None:
    os._exit(0)


def run_out_of_memory() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    with limited():
        # The interpreter's lock is held for minutes, as by a decoder in C: no Python code could stop this.
        np.array([10**5_000_000 + 1], object) % 3**2_000_000
        while True:
            pass


def fail() -> None:
    raise ValueError("of the work itself")


DEATHS = {"crash": crash, "vanish": vanish, "memory": run_out_of_memory, "hang": hang, "fail": fail}


def blamed(job: Job, reason: Reason) -> Job:
    number = int((job.folder / f"busy.{job.numbers[0]}").read_text())
    return replace(job, lost=(*job.lost, (number, reason)))


def run(folder: Path, deadly: str, workers: int = 2) -> tuple[set[int], dict[int, Reason]]:
    jobs = [Job(folder, tuple(range(at, at + 5)), deadly) for at in range(0, 20, 5)]
    lost: dict[int, Reason] = {}

    def noted(job: Job, reason: Reason) -> Job:
        again = blamed(job, reason)
        lost.update(dict(again.lost))
        return again

    finished: list[int] = []
    with Crew(workers, Limits(seconds=0.5, memory=8 << 30)) as crew:
        crew.run(jobs, work, lambda job: finished.append(job.numbers[0]), noted)
    assert sorted(finished) == [0, 5, 10, 15]
    return {int(path.name) for path in folder.iterdir() if path.name.isdigit()}, lost


@pytest.mark.parametrize(
    ("deadly", "reason"),
    [
        ("crash", Reason.DECODER_CRASH),
        ("vanish", Reason.DECODER_CRASH),
        ("memory", Reason.OUT_OF_MEMORY),
        ("hang", Reason.TOO_SLOW),
    ],
)
def test_work_that_ends_its_process_is_named_with_the_reason_and_the_rest_is_done(
    tmp_path: Path, deadly: str, reason: Reason
) -> None:
    done, lost = run(tmp_path, deadly)
    assert lost == {7: reason, 17: reason} and done == set(range(20)) - {7, 17}


def test_without_trouble_everything_is_done(tmp_path: Path) -> None:
    assert run(tmp_path, "") == (set(range(20)), {})


def test_an_exception_of_the_work_reaches_the_caller_without_its_words(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="work on images failed: ValueError at ") as caught:
        run(tmp_path, "fail")
    assert "of the work itself" not in str(caught.value)


def test_outside_a_worker_no_time_limit_ends_the_process() -> None:
    with limited():
        time.sleep(0.01)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_allocation_beyond_the_limit_is_an_error_of_the_work(tmp_path: Path) -> None:
    with pytest.raises(MemoryError), Crew(1, Limits(memory=3 << 30)) as crew:
        crew.run([tmp_path], allocate, lambda _: None, lambda task, _: task)


def allocate(_: Path) -> None:
    np.ones(4 << 30, np.uint8)
