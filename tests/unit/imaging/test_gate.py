"""Images that may show who the patient is wait for a person, and what the person says is done."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from imaging_cases import Label, Settings, WriteXray, film
from pydicom.datadict import tag_for_keyword

from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.deid.options import Options
from wardround.imaging.deid.policy import Action
from wardround.imaging.deid.rules import Rules
from wardround.imaging.gate import GATE_TAGS
from wardround.imaging.intake import preprocess
from wardround.imaging.quarantine import PICTURE, Quarantine, State
from wardround.imaging.reading.grey import GREY_TAGS


@pytest.fixture
def careful(settings: Settings, tmp_path: Path) -> Settings:
    """Settings that look at every image."""

    def make(**changes: object) -> object:
        return settings(**{"burned_in": "quarantine", "quarantine": tmp_path / "work", **changes})

    return make  # type: ignore[return-value]


@pytest.fixture
def prepare(careful: Settings, label: Label, tmp_path: Path) -> Callable[..., DatasetInfo]:
    """One intake of all that was written, everybody labelled normal, as many as there are in training."""

    def run(names: dict[str, str], **changes: object) -> DatasetInfo:
        chosen = careful(fractions=(1, 0, 0), **changes)
        return preprocess(tmp_path / "source", label(names), tmp_path / "out", chosen)

    return run


def test_an_image_with_a_name_in_it_waits_and_a_clean_one_is_used(
    write_xray: WriteXray, prepare: Callable[..., DatasetInfo], tmp_path: Path
) -> None:
    clean, named = (
        write_xray("clean", "P1", film()),
        write_xray("named", "P2", film("MILLER^ANNA 1961-03-04", 1)),
    )
    info = prepare({clean: "normal", named: "normal"})
    assert info.splits["train"].count == 1
    assert info.refusals == {"waits-in-quarantine": 1}
    (entry,) = Quarantine(tmp_path / "work").entries(State.WAITING)
    assert (tmp_path / "work" / "quarantine" / entry.id / PICTURE).is_file()
    assert "MILLER" not in entry.model_dump_json()


def test_what_a_person_releases_is_used_and_what_is_rejected_is_not_asked_again(
    write_xray: WriteXray, prepare: Callable[..., DatasetInfo], tmp_path: Path
) -> None:
    names = {
        write_xray(name, name, film(text, seed)): "normal"
        for seed, (name, text) in enumerate([("P1", ""), ("P2", "WARD 7 MILLER"), ("P3", "BORN 1961-03-04")])
    }
    assert prepare(names).splits["train"].count == 1
    store = Quarantine(tmp_path / "work")
    first, second = store.entries(State.WAITING)
    store.decide(first, State.RELEASED, "A. Steward")
    store.decide(second, State.REJECTED, "A. Steward")
    again = prepare(names)
    assert again.splits["train"].count == 2
    assert again.refusals == {"rejected-in-quarantine": 1}
    assert store.entries(State.WAITING) == []


def test_a_decision_is_for_one_content_and_a_changed_file_waits_again(
    write_xray: WriteXray, prepare: Callable[..., DatasetInfo], tmp_path: Path
) -> None:
    names = {
        write_xray("clean", "P1", film()): "normal",
        write_xray("named", "P2", film("SMITH JOHN")): "normal",
    }
    prepare(names)
    store = Quarantine(tmp_path / "work")
    store.decide(store.entries()[0], State.RELEASED, "A. Steward")
    assert prepare(names).splits["train"].count == 2
    write_xray("named", "P2", film("SMITH JOHN 1950"))
    assert prepare(names).refusals == {"waits-in-quarantine": 1}


def test_a_series_waits_as_a_whole_if_one_of_its_slices_shows_text(
    write_series: Callable[..., str], careful: Settings, label: Label, tmp_path: Path
) -> None:
    clean = np.stack([film("", seed, 192) for seed in range(5)])
    marked = clean.copy()
    marked[3] = film("HOSPITAL 1961-03-04", 3, 192)
    names = {write_series("a", clean, "P1"): "normal", write_series("b", marked, "P2"): "normal"}
    chosen = careful(modality=("MR",), size=(4, 16, 16), fractions=(1, 0, 0))
    info = preprocess(tmp_path / "source", label(names, "series"), tmp_path / "out", chosen)
    assert info.splits["train"].count == 1
    assert info.refusals == {"waits-in-quarantine": 5}
    assert [entry.files for entry in Quarantine(tmp_path / "work").entries()] == [5]


def test_a_hospital_may_choose_not_to_look(
    write_xray: WriteXray, prepare: Callable[..., DatasetInfo], tmp_path: Path
) -> None:
    named = write_xray("named", "P1", film("MILLER^ANNA"))
    assert prepare({named: "normal"}, burned_in="ignore").splits["train"].count == 1
    assert not (tmp_path / "work").exists()


def test_the_second_pass_reads_only_what_the_basic_profile_keeps() -> None:
    actions = Rules.of(Options(), b"k" * 32).actions
    read = {tag_for_keyword(keyword) for keyword in (*GREY_TAGS, *GATE_TAGS) if isinstance(keyword, str)}
    # The SOP class is a UID that the standard registers, so it is kept too, but not as a rule for its attribute.
    left = {tag for tag in read if actions.get(tag) not in (Action.KEEP, Action.WALK)}
    assert left <= {tag_for_keyword("SOPClassUID")}
