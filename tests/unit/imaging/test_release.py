"""A person's decision costs what it is about: only those images are read and decoded again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from imaging_cases import Label, Settings, WriteXray, film

from wardround.imaging import chunks, intake
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.quarantine import Quarantine, State

WORDS = {"P1": "", "P2": "WARD 7 MILLER", "P3": "BORN 1961-03-04", "P4": "", "P5": "", "P6": "SMITH^JOHN"}


@pytest.fixture
def hospital(
    write_xray: WriteXray, settings: Settings, label: Label, tmp_path: Path
) -> Callable[[str], DatasetInfo]:
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

    def noted(paths: list[Path], *more: object) -> object:
        seen.extend(path.stem for path in paths)
        return real(paths, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(chunks, "decode_item", noted)
    return seen


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.tfrecord")}


def test_a_release_decodes_what_was_released_and_gives_what_a_new_intake_gives(
    hospital: Callable[[str], DatasetInfo], decoded: list[str], tmp_path: Path
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


def test_an_altered_shard_is_not_built_upon(
    hospital: Callable[[str], DatasetInfo], decoded: list[str], tmp_path: Path
) -> None:
    hospital("out")
    (shard,) = (tmp_path / "out").glob("*.tfrecord")
    content = bytearray(shard.read_bytes())
    content[200] ^= 1
    shard.write_bytes(content)
    store = Quarantine(tmp_path / "work")
    store.decide(store.entries()[0], State.RELEASED, "A. Steward")
    decoded.clear()
    assert hospital("out") == hospital("anew") and len(decoded) == 2 * len(WORDS)


def test_a_run_that_is_killed_after_a_release_goes_on_with_what_was_kept(
    hospital: Callable[[str], DatasetInfo],
    decoded: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hospital("out")
    store = Quarantine(tmp_path / "work")
    store.decide(store.entries()[0], State.RELEASED, "A. Steward")
    decoded.clear()
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(intake, "_assemble", _stopped)
        hospital("out")
    again = hospital("out")
    assert len(decoded) == 1 and again == hospital("anew")


def _stopped(*_: object) -> DatasetInfo:
    raise KeyboardInterrupt
