"""Archives, networks and disks that fail, and processes that die: nothing is lost, and the next run goes on."""

import csv
import json
import multiprocessing
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.certificates import self_signed
from conformance.tap import Tap
from wardround.errors import ConfigurationError, StoppedError, WardroundError
from wardround.exchange.errors import NoSpaceError
from wardround.imaging import intake
from wardround.imaging.sources.errors import AwayError, SourceDeniedError, UntrustedSourceError
from wardround.imaging.sources.prepare import Order, prepare

from .conftest import STUDIES, Hospital
from .orthanc import USER, Orthanc, free_port
from .test_archive import MakeOrder, incoming, shards, total
from .tls import TlsFront

Disturb = Callable[[str, int, int], None]


@pytest.fixture
def archive(hospital: Hospital, tmp_path: Path) -> Iterator[Orthanc]:
    """An archive of the test's own, which it may stop and change."""
    with Orthanc(tmp_path / "orthanc") as archive:
        archive.store(sorted(hospital.files.iterdir()))
        yield archive


def once(stage: str, done: int, action: Callable[[], None]) -> Disturb:
    """Does something in the moment that a stage has come so far."""
    left = [action]

    def disturb(at: str, so_far: int, _: int) -> None:
        if left and at == stage and so_far >= done:
            left.pop()()

    return disturb


def unfetched(folder: Path) -> list[str]:
    (path,) = folder.glob("incoming/*/unfetched.csv")
    with path.open() as stream:
        return [row["reason"] for row in csv.DictReader(stream)]


def killed_at(order: Order, stage: str, done: int) -> None:
    """Prepares in a process that kills itself at a stage."""

    def die(at: str, so_far: int, _: int) -> None:
        if at == stage and so_far >= done:
            os.kill(os.getpid(), signal.SIGKILL)

    intake._CHUNK_ITEMS = 4
    prepare(order, progress=die)


def run_until_killed(order: Order, stage: str, done: int) -> None:
    process = multiprocessing.get_context("spawn").Process(target=killed_at, args=(order, stage, done))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_a_step_that_was_killed_while_fetching_and_while_decoding_ends_with_the_same_shards(
    filled: Orthanc,
    hospital: Hospital,
    order: MakeOrder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "_CHUNK_ITEMS", 4)
    run_until_killed(order(filled.url), "fetch", 10)
    there = {path.name: path.stat().st_ino for path in incoming(tmp_path) if "files" in path.parts}
    assert 10 <= len(there) < STUDIES
    run_until_killed(order(filled.url), "decode", 8)
    assert there.items() <= {path.name: path.stat().st_ino for path in incoming(tmp_path)}.items()
    seen: list[tuple[str, int, int]] = []
    resumed = prepare(order(filled.url), progress=lambda *step: seen.append(step))
    assert (
        seen[0] == ("fetch", STUDIES, STUDIES) and seen[1] == ("scan", STUDIES, STUDIES) and seen[2][1] >= 8
    )
    undisturbed = prepare(order(filled.url, out="undisturbed"))
    read = prepare(order(str(hospital.files), out="folder"))
    assert resumed == undisturbed == read
    assert shards(tmp_path / "out") == shards(tmp_path / "undisturbed") == shards(tmp_path / "folder") != {}


def test_an_archive_that_goes_away_for_a_while_is_waited_for(archive: Orthanc, order: MakeOrder) -> None:
    back = threading.Timer(2.0, archive.start)

    def go() -> None:
        archive.stop()
        back.start()

    try:
        assert total(prepare(order(archive.url), progress=once("fetch", 8, go))) == STUDIES
    finally:
        back.join()


def test_an_archive_that_stays_away_ends_the_step_and_nothing_is_lost(
    archive: Orthanc, order: MakeOrder, tmp_path: Path
) -> None:
    with pytest.raises(AwayError):
        prepare(order(archive.url, outage_s=1), progress=once("fetch", 8, archive.stop))
    there = len([path for path in incoming(tmp_path) if "files" in path.parts])
    assert there >= 8 and not (tmp_path / "out/dataset.json").exists()
    with pytest.raises(AwayError):
        prepare(order(archive.url, outage_s=0.2))
    archive.start()
    seen: list[int] = []
    assert total(prepare(order(archive.url), progress=lambda stage, done, _: seen.append(done))) == STUDIES
    assert seen[0] == there


def test_a_study_that_is_deleted_meanwhile_is_listed_and_the_others_arrive(
    archive: Orthanc, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    seen: list[str] = []
    gone = once("fetch", 0, lambda: archive.delete_study(hospital.studies[7]))
    info = prepare(order(archive.url), progress=gone)
    assert total(info) == STUDIES - 1 == len(incoming(tmp_path)) and unfetched(tmp_path) == ["not-in-archive"]
    # The archive does not name it any more, so now nothing is missing.
    assert prepare(order(archive.url), progress=lambda stage, *_: seen.append(stage)) == info
    assert "decode" not in seen and incoming(tmp_path) == []


def test_a_study_that_the_archive_cannot_read_is_tried_again_by_the_next_run(
    archive: Orthanc, order: MakeOrder, tmp_path: Path
) -> None:
    stored = [path for path in archive.folder.glob("data/*/*/*") if path.read_bytes()[128:132] == b"DICM"]
    broken = max(stored, key=lambda path: path.stat().st_size)
    whole = broken.read_bytes()
    archive.stop()  # it keeps in memory what it has just stored
    broken.unlink()
    archive.start()
    info = prepare(order(archive.url))
    assert total(info) == STUDIES - 1 and unfetched(tmp_path) == ["archive-error"]
    broken.write_bytes(whole)
    assert total(prepare(order(archive.url))) == STUDIES and incoming(tmp_path) == []


def test_a_broken_connection_never_leaves_half_a_file(
    filled: Orthanc, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    with Tap(filled.port) as tap:
        url = f"{tap.address}/dicom-web"

        def cut() -> None:
            tap.cut_after = 5000

        seen = once("fetch", 0, cut)

        def heal_at(stage: str, done: int, total: int) -> None:
            seen(stage, done, total)
            if tap.broken > 6:
                tap.cut_after = None

        healer = threading.Timer(3.0, lambda: setattr(tap, "cut_after", None))
        healer.start()
        info = prepare(order(url, keep_files=True), progress=heal_at)
        healer.join()
        assert tap.broken > 3
        missing = unfetched(tmp_path)
    assert total(info) == STUDIES - len(missing)
    stored = {path.read_bytes() for path in hospital.files.iterdir()}
    assert {path.read_bytes() for path in incoming(tmp_path)} <= stored
    assert total(prepare(order(filled.url))) == STUDIES


@pytest.mark.parametrize(
    "login",
    [{"user": USER, "password": "wrong-9a7b"}, {"token": "wrong-9a7b"}, {}],
    ids=["password", "token", "none"],
)
def test_a_wrong_login_is_denied_at_once_and_not_shown(
    filled: Orthanc, order: MakeOrder, tmp_path: Path, login: dict[str, str]
) -> None:
    (tmp_path / "source.json").write_text(json.dumps(login))
    with pytest.raises(SourceDeniedError) as refusal:
        prepare(order(filled.url))
    assert "wrong-9a7b" not in f"{refusal.value!r}" and refusal.value.code == "source-denied"


def test_a_login_that_is_renewed_meanwhile_is_used(
    archive: Orthanc, order: MakeOrder, tmp_path: Path
) -> None:
    renewed = json.dumps({"user": "renewed", "password": "new-password"})

    def renew() -> None:
        archive.stop()
        archive.change(RegisteredUsers={"renewed": "new-password"})
        fresh = tmp_path / "source.json.new"
        fresh.write_text(renewed)
        fresh.replace(tmp_path / "source.json")  # whole at once, as Kubernetes changes a mounted secret
        archive.start()

    assert total(prepare(order(archive.url), progress=once("fetch", 8, renew))) == STUDIES


def test_a_certificate_is_trusted_with_its_authority_only(
    filled: Orthanc, order: MakeOrder, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path)
    with TlsFront(filled.port, certificate) as front:
        url = f"{front.address}/dicom-web"
        with pytest.raises(UntrustedSourceError, match="ca_file"):
            prepare(order(url))
        assert total(prepare(order(url, ca_file=str(certificate.certificate)))) == STUDIES


def limited(order: Order, size: int) -> None:
    """Prepares in a process whose files cannot grow beyond a size, as if the disk were full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        prepare(order)
    except NoSpaceError as error:
        os._exit(77 if "no space is left" in str(error) else 1)


def test_a_full_disk_is_said_and_the_next_run_goes_on(
    filled: Orthanc, order: MakeOrder, tmp_path: Path
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=limited, args=(order(filled.url), 6000))
    process.start()
    process.join()
    assert process.exitcode == 77 and not (tmp_path / "out/dataset.json").exists()
    assert total(prepare(order(filled.url))) == STUDIES


def test_a_step_that_is_told_to_stop_does_so_within_two_seconds(filled: Orthanc, order: MakeOrder) -> None:
    stop = threading.Event()
    with pytest.raises(StoppedError):
        prepare(order(filled.url), stop, once("fetch", 8, stop.set))
    assert total(prepare(order(filled.url))) == STUDIES


@pytest.mark.parametrize("answers", [True, False], ids=["silent", "nobody"])
def test_an_archive_that_never_answers_does_not_hold_a_step_that_is_told_to_stop(
    order: MakeOrder, answers: bool
) -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if answers else free_port()
        threading.Timer(0.5, stop.set).start()
        start = time.monotonic()
        with pytest.raises(StoppedError):
            prepare(order(f"http://127.0.0.1:{port}/dicom-web"), stop)
        assert time.monotonic() - start < 0.5 + 2


def test_two_steps_do_not_fetch_into_one_folder(filled: Orthanc, order: MakeOrder) -> None:
    refusals: list[WardroundError] = []

    def again() -> None:
        with pytest.raises(ConfigurationError) as refusal:
            prepare(order(filled.url))
        refusals.append(refusal.value)

    prepare(order(filled.url), progress=once("fetch", 4, again))
    assert [refusal.code for refusal in refusals] == ["spool-busy"]
