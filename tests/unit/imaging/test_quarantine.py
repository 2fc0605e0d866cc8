"""The store of images that wait for a person, and its command line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from wardround.cli.quarantine import app
from wardround.imaging.burned_in import Box, Finding, Outcome, Suspicion, Verdict
from wardround.imaging.quarantine import Quarantine, QuarantineError, State, content_digest

ONE, TWO = "1f" * 32, "2e" * 32
OLD, NEW = "a" * 64, "b" * 64
PICTURE = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
SUSPECT = Verdict(
    Outcome.QUARANTINED, (Suspicion.TEXT,), findings=(Finding(Box(8, 10, 40, 20), 0, 1),), picture=PICTURE
)


def run(work: Path, *words: str) -> str:
    """The output of `wardround quarantine …`, which has to succeed."""
    result = CliRunner().invoke(app, [*words, "--work", str(work)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_put_waits_and_survives_a_restart(tmp_path: Path) -> None:
    Quarantine(tmp_path).put(ONE, OLD, SUSPECT, "CR")
    again = Quarantine(tmp_path)
    assert again.state_of(ONE, OLD) is State.WAITING
    assert again.get(ONE[:6]).boxes == ((8, 10, 40, 20),)


def test_the_picture_shows_the_box(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    path = store.picture(store.put(ONE, OLD, SUSPECT))
    with Image.open(path) as image:
        assert image.size == (512, 384)
        assert image.getpixel((8 * 8 - 2, 15 * 8)) == (255, 176, 0)


def test_an_object_that_could_not_be_drawn_has_no_picture(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    entry = store.put(ONE, OLD, Verdict(Outcome.QUARANTINED, (Suspicion.DOCUMENT,)))
    assert store.picture(entry) is None


def test_a_decision_is_kept_when_the_same_files_come_again(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    store.decide(store.put(ONE, OLD, SUSPECT), State.REJECTED, "MK")
    assert store.put(ONE, OLD, SUSPECT).state is State.REJECTED


def test_a_changed_file_is_asked_again(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    store.decide(store.put(ONE, OLD, SUSPECT), State.RELEASED, "MK")
    assert store.state_of(ONE, NEW) is None
    assert store.put(ONE, NEW, SUSPECT).state is State.WAITING
    assert store.state_of(ONE, OLD) is None


def test_a_decision_about_an_entry_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    seen = store.put(ONE, OLD, SUSPECT)
    store.put(ONE, NEW, SUSPECT)
    with pytest.raises(QuarantineError, match="look at it again"):
        store.decide(seen, State.RELEASED, "MK")


def test_a_damaged_entry_is_an_error_and_no_release(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    entry = store.put(ONE, OLD, SUSPECT)
    (store.folder / entry.id / "entry.json").write_text('{"state": "released"}')
    with pytest.raises(QuarantineError, match="damaged"):
        store.state_of(ONE, OLD)


def test_an_identifier_that_is_no_hash_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuarantineError):
        Quarantine(tmp_path).put("../../outside", OLD, SUSPECT)
    assert list(tmp_path.iterdir()) == []


def test_a_digest_knows_content_and_not_names(tmp_path: Path) -> None:
    first, second, changed = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    first.write_bytes(b"1"), second.write_bytes(b"2"), changed.write_bytes(b"3")
    assert content_digest([first, second]) == content_digest([second, first])
    assert content_digest([first, second]) != content_digest([first, changed])


DECISIONS = st.lists(st.tuples(st.sampled_from(["c", "d", "e"]), st.sampled_from(list(State))), max_size=6)


@settings(deadline=None, max_examples=25)
@given(steps=DECISIONS)
def test_a_decision_is_for_one_content_only(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    store, last = Quarantine(tmp_path_factory.mktemp("q")), {}
    for letter, state in steps:
        content = letter * 64
        entry = store.put(ONE, content, Verdict(Outcome.QUARANTINED, (Suspicion.TEXT,)))
        assert entry.state is last.get(content, State.WAITING)
        store.decide(entry, state, "MK")
        last = {content: state}
    for letter in "cde":
        assert store.state_of(ONE, letter * 64) is last.get(letter * 64)


def test_a_person_lists_shows_releases_and_rejects(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    store.put(ONE, OLD, SUSPECT, "CR"), store.put(TWO, NEW, SUSPECT, "MR", files=20)
    assert ONE[:16] in run(tmp_path, "list") and TWO[:16] in run(tmp_path, "list")
    shown = run(tmp_path, "show", "1f")
    assert str(tmp_path / "quarantine" / ONE[:16] / "picture.png") in shown and "text-in-pixels" in shown
    assert run(tmp_path, "release", "1f", "--by", "MK") == f"released: {ONE[:16]}\n"
    run(tmp_path, "reject", "2e", "--by", "MK")
    assert run(tmp_path, "list") == "nothing in quarantine is waiting\n"
    assert (store.state_of(ONE, OLD), store.state_of(TWO, NEW)) == (State.RELEASED, State.REJECTED)
    assert len((store.folder / "decisions.jsonl").read_text().splitlines()) == 2


def test_a_mistyped_name_decides_nothing(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    store.put(ONE, OLD, SUSPECT)
    result = CliRunner().invoke(app, ["release", "1f", "99", "--by", "MK", "--work", str(tmp_path)])
    assert result.exit_code == 1 and isinstance(result.exception, QuarantineError)
    assert store.state_of(ONE, OLD) is State.WAITING


def test_a_decision_needs_a_name(tmp_path: Path) -> None:
    Quarantine(tmp_path).put(ONE, OLD, SUSPECT)
    assert CliRunner().invoke(app, ["release", "1f", "--work", str(tmp_path)]).exit_code == 2
