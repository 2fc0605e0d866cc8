"""A person's decision costs what it is about: only those images are read and decoded again."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from imaging_cases import Label, Settings, WriteXray, film

from wardround.imaging import chunks, intake
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.quarantine import Quarantine, State
from wardround.imaging.reading.files import SourceFile

Hospital = Callable[[str], DatasetInfo]
WORDS = {"P1": "", "P2": "WARD 7 MILLER", "P3": "BORN 1961-03-04", "P4": "", "P5": "", "P6": "SMITH^JOHN"}


@pytest.fixture
def hospital(write_xray: WriteXray, settings: Settings, label: Label, tmp_path: Path) -> Hospital:
    """An intake of six images, three of them with text, into a folder of that name."""
    names = {
        write_xray(name, name, film(text, seed)): ("normal", "opacity")[seed % 2]
        for seed, (name, text) in enumerate(WORDS.items())
    }
    table = label(names)

    def run(out: str) -> DatasetInfo:
        chosen = settings(
            burned_in="quarantine", quarantine=tmp_path / "work", fractions=(1, 0, 0), assignments=tmp_path
        )
        return intake.preprocess(tmp_path / "source", table, tmp_path / out, chosen)

    return run


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, in order."""
    seen: list[str] = []
    real = chunks.decode_item

    def noted(files: list[SourceFile], *more: object) -> object:
        seen.extend(Path(file.path).stem for file in files)
        return real(files, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(chunks, "decode_item", noted)
    return seen


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.tfrecord")}


def test_a_release_decodes_what_was_released_and_gives_what_a_new_intake_gives(
    hospital: Hospital, decoded: list[str], tmp_path: Path
) -> None:
    first = hospital("out")
    assert sorted(decoded) == sorted(WORDS) and first.refusals == {"waits-in-quarantine": 3}
    store = Quarantine(tmp_path / "work")
    waiting = store.entries(State.WAITING)
    store.decide(waiting[0], State.RELEASED, "A. Steward")
    store.decide(waiting[1], State.REJECTED, "A. Steward")
    decoded.clear()
    again = hospital("out")
    assert len(decoded) == 2 and set(decoded) <= {"P2", "P3", "P6"}
    assert again == hospital("anew") and shards(tmp_path / "out") == shards(tmp_path / "anew")
    assert again.splits["train"].count == 4
    # A second thought costs one image too.
    store.decide(store.get(waiting[0].id), State.REJECTED, "A. Steward")
    decoded.clear()
    assert hospital("out").splits["train"].count == 3 and len(decoded) == 1


def test_an_altered_shard_is_not_built_upon(hospital: Hospital, decoded: list[str], tmp_path: Path) -> None:
    hospital("out")
    (shard,) = (tmp_path / "out").glob("*.tfrecord")
    content = bytearray(shard.read_bytes())
    content[200] ^= 1
    shard.write_bytes(content)
    store = Quarantine(tmp_path / "work")
    store.decide(store.entries()[0], State.RELEASED, "A. Steward")
    decoded.clear()
    assert hospital("out") == hospital("anew") and len(decoded) == 2 * len(WORDS)


def _killed(*preprocess: object) -> None:
    before: list[int] = []

    def kill(stage: str, done: int, _: int) -> None:
        before.extend([done] if stage == "decode" and not before else [])
        if before and done > before[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    intake.preprocess(*preprocess, kill)  # type: ignore[arg-type]


@pytest.fixture
def killed(hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """An intake into `out` in a process of its own, killed once something is decoded."""

    def run() -> None:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(intake, "preprocess", lambda *order: order)
            order = hospital("out")
        process = multiprocessing.get_context("spawn").Process(target=_killed, args=order)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL and not (tmp_path / "out" / "dataset.json").exists()

    return run


def test_a_second_decision_after_a_killed_run_costs_what_it_is_about(
    hospital: Hospital, decoded: list[str], killed: Callable[[], None], tmp_path: Path
) -> None:
    hospital("out")
    store = Quarantine(tmp_path / "work")
    first, second, third = store.entries(State.WAITING)
    store.decide(first, State.RELEASED, "A. Steward")
    killed()
    # The shards of the finished intake are gone by now: what it decoded lies in the unfinished one alone.
    assert not shards(tmp_path / "out")
    store.decide(second, State.REJECTED, "A. Steward")
    store.decide(store.get(first.id), State.REJECTED, "B. Steward")
    killed()
    store.decide(third, State.RELEASED, "A. Steward")
    decoded.clear()
    again = hospital("out")
    assert len(decoded) <= 3 and set(decoded) <= {"P2", "P3", "P6"}
    assert again == hospital("anew") and shards(tmp_path / "out") == shards(tmp_path / "anew")
    assert again.refusals == {"rejected-in-quarantine": 2}


def test_a_decision_during_a_first_intake_that_was_killed_costs_what_it_is_about(
    hospital: Hospital, decoded: list[str], killed: Callable[[], None], tmp_path: Path
) -> None:
    store = Quarantine(tmp_path / "work")
    while not (waiting := store.entries(State.WAITING)):
        killed()
    store.decide(waiting[0], State.RELEASED, "A. Steward")
    again = hospital("out")
    assert 0 < len(decoded) < len(WORDS)
    assert again == hospital("anew") and shards(tmp_path / "out") == shards(tmp_path / "anew")


def test_of_a_chunk_of_several_items_only_the_changed_ones_are_decoded_again(
    hospital: Hospital, decoded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_CHUNKS", 1)

    def interrupt(*_: object) -> DatasetInfo:
        raise KeyboardInterrupt

    store = Quarantine(tmp_path / "work")
    for state in (State.RELEASED, State.REJECTED):
        with monkeypatch.context() as once, pytest.raises(KeyboardInterrupt):
            once.setattr(intake, "_assemble", interrupt)
            hospital("out")
        decoded.clear()
        store.decide(store.entries()[0], state, "A. Steward")
    again = hospital("out")
    assert len(decoded) == 1 and again == hospital("anew")
    assert shards(tmp_path / "out") == shards(tmp_path / "anew")


def test_a_run_that_is_killed_after_a_release_goes_on_with_what_was_kept(
    hospital: Hospital, decoded: list[str], killed: Callable[[], None], tmp_path: Path
) -> None:
    hospital("out")
    store = Quarantine(tmp_path / "work")
    store.decide(store.entries()[0], State.RELEASED, "A. Steward")
    killed()
    decoded.clear()
    again = hospital("out")
    assert len(decoded) <= 1 and again == hospital("anew")
