"""A person decides about images whose copies are gone: only those are fetched again."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from wardround.imaging.quarantine import Quarantine, State
from wardround.imaging.sources.archive import Parcel
from wardround.imaging.sources.dicomweb import DicomWebArchive
from wardround.imaging.sources.errors import ParcelError, SourceError, Why
from wardround.imaging.sources.prepare import Order, prepare

from .conftest import Hospital
from .orthanc import Orthanc
from .test_archive import MakeOrder, incoming, shards, total
from .test_troubles import once, run_until_killed, unfetched

FEW = 8
WAITING = (1, 4, 6)


@pytest.fixture
def archive(hospital: Hospital, tmp_path: Path) -> Iterator[Orthanc]:
    """A few studies, of which some say that text is burned in."""
    files = tmp_path / "files"
    files.mkdir()
    for index, path in enumerate(sorted(hospital.files.iterdir())[:FEW]):
        dataset = pydicom.dcmread(path)
        dataset.BurnedInAnnotation = "YES" if index in WAITING else "NO"
        dataset.save_as(files / path.name)
    with Orthanc(tmp_path / "orthanc") as archive:
        archive.store(sorted(files.iterdir()))
        yield archive


@pytest.fixture
def first(archive: Orthanc, order: MakeOrder, tmp_path: Path) -> Order:
    """The order of a dataset that is ready, with images waiting and no copy left."""
    chosen = order(archive.url)
    info = prepare(chosen)
    assert (total(info), info.refusals) == (FEW - len(WAITING), {"waits-in-quarantine": len(WAITING)})
    assert incoming(tmp_path) == []
    return chosen


@pytest.fixture
def decide(tmp_path: Path) -> Quarantine:
    return Quarantine(tmp_path / "out")


def fetched(order: Order) -> list[tuple[int, int]]:
    """Makes the dataset; returns how many parcels had arrived of how many, each time it was told."""
    seen: list[tuple[int, int]] = []
    prepare(order, progress=lambda stage, *counts: seen.extend([counts] if stage == "fetch" else []))
    return seen


def as_if_anew(order: MakeOrder, archive: Orthanc, tmp_path: Path) -> dict[str, bytes]:
    """The shards of a folder in which nothing was before, after the same decisions."""
    anew = order(archive.url, out="anew", page_size=50)
    decided = anew.settings.model_copy(update={"quarantine": tmp_path / "out"})
    prepare(Order(anew.source, anew.labels, anew.out, anew.incoming, decided))
    return shards(tmp_path / "anew")


def test_only_the_studies_about_which_somebody_decided_are_fetched_again(
    first: Order, decide: Quarantine, order: MakeOrder, archive: Orthanc, tmp_path: Path
) -> None:
    released, rejected, _ = decide.entries(State.WAITING)
    decide.decide(released, State.RELEASED, "A. Steward")
    decide.decide(rejected, State.REJECTED, "A. Steward")
    assert fetched(first) == [(0, 2), (1, 2), (2, 2)]
    assert incoming(tmp_path) == [] and fetched(first) == []
    assert shards(tmp_path / "out") == as_if_anew(order, archive, tmp_path) != {}


def test_a_step_that_is_killed_while_it_fetches_them_goes_on_with_what_is_there(
    first: Order, decide: Quarantine, order: MakeOrder, archive: Orthanc, tmp_path: Path
) -> None:
    for entry in decide.entries(State.WAITING)[:2]:
        decide.decide(entry, State.RELEASED, "A. Steward")
    run_until_killed(first, "fetch", 1)
    # The other one is on its way at the same time, and may have arrived before the end.
    there = sum("files" in path.parts for path in incoming(tmp_path))
    assert there >= 1 and fetched(first)[0] == (there, 2)
    assert shards(tmp_path / "out") == as_if_anew(order, archive, tmp_path)


def test_a_study_that_was_replaced_meanwhile_has_all_of_them_fetched_again(
    first: Order,
    decide: Quarantine,
    order: MakeOrder,
    archive: Orthanc,
    hospital: Hospital,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for entry in decide.entries(State.WAITING):
        decide.decide(entry, State.RELEASED, "A. Steward")
    dataset = pydicom.dcmread(tmp_path / "files" / "001.dcm")
    dataset.PatientComments = "corrected"
    dataset.save_as(tmp_path / "corrected.dcm")
    archive.delete_study(str(dataset.StudyInstanceUID))
    archive.store([tmp_path / "corrected.dcm"])
    seen = fetched(first)
    assert seen[0] == (0, len(WAITING)) and seen[-1] == (FEW, FEW)
    assert "is not what was fetched before; all files are fetched again" in caplog.text
    assert shards(tmp_path / "out") == as_if_anew(order, archive, tmp_path)


def test_a_study_that_is_gone_is_listed_and_the_others_are_used(
    first: Order, decide: Quarantine, archive: Orthanc, hospital: Hospital, tmp_path: Path
) -> None:
    for entry in decide.entries(State.WAITING):
        decide.decide(entry, State.RELEASED, "A. Steward")
    gone = once("fetch", 0, lambda: archive.delete_study(hospital.studies[WAITING[0]]))
    assert total(prepare(first, progress=gone)) == FEW - 1
    assert unfetched(tmp_path) == ["not-in-archive"]


def test_a_study_of_which_less_arrives_than_before_has_all_of_them_fetched_again(
    first: Order, decide: Quarantine, archive: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for entry in decide.entries(State.WAITING):
        decide.decide(entry, State.RELEASED, "A. Steward")
    real, left = DicomWebArchive.fetch, [1]

    def fetch(self: DicomWebArchive, parcel: Parcel, target: Path, stop: threading.Event) -> None:
        real(self, parcel, target, stop)
        if left:
            left.pop()
            next(target.rglob("*.dcm")).unlink()

    monkeypatch.setattr(DicomWebArchive, "fetch", fetch)
    assert total(prepare(first)) == FEW


def test_an_archive_that_fails_for_a_moment_does_not_have_everything_fetched_again(
    first: Order,
    decide: Quarantine,
    order: MakeOrder,
    archive: Orthanc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide.decide(decide.entries(State.WAITING)[0], State.RELEASED, "A. Steward")

    def fail(*_: object) -> None:
        raise ParcelError(Why.DENIED)

    with monkeypatch.context() as moment:
        moment.setattr(DicomWebArchive, "fetch", fail)
        with pytest.raises(SourceError, match="start again to try it again"):
            prepare(first)
    assert fetched(first) == [(0, 1), (1, 1)]
    assert shards(tmp_path / "out") == as_if_anew(order, archive, tmp_path)
