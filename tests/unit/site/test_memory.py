"""What a site remembers of what it was shown, over restarts, crashes and power cuts."""

import hashlib
import os
from pathlib import Path

import pytest

from wardround.site.journal import Journal
from wardround.site.memory import Memory

KEY = "rounds/000001/round.json"


def remember(memory: Memory, key: str, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    memory.note(key, digest)
    memory.keep(key, data)
    return digest


def test_the_first_of_two_is_remembered_over_restarts(tmp_path: Path) -> None:
    first = remember(Memory(tmp_path), KEY, b"one")
    remember(Memory(tmp_path), KEY, b"two")
    assert Memory(tmp_path).recall(KEY) == first
    assert Memory(tmp_path).recall("run.json") is None


@pytest.mark.parametrize("end", [-1, -5, -30, -70])
def test_a_line_that_a_crash_left_half_written_is_no_memory_and_spoils_no_other(
    tmp_path: Path, end: int
) -> None:
    remember(Memory(tmp_path), "run.json", b"run")
    ledger = tmp_path / "seen.sha256"
    whole = ledger.read_bytes()
    digest = hashlib.sha256(b"round").hexdigest()
    ledger.write_bytes(whole + f"\n{digest}  {KEY}\n".encode()[:end])
    later = Memory(tmp_path)
    later.note("final.json", "0" * 64)
    again = Memory(tmp_path)
    assert again.recall("run.json") is not None and again.recall("final.json") == "0" * 64
    assert again.recall(KEY) in (None, digest)


def test_a_ledger_of_zero_bytes_after_a_power_cut_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "seen.sha256").write_bytes(b"\0" * 4096)
    assert Memory(tmp_path).recall(KEY) is None


def test_bytes_count_as_evidence_only_if_they_are_those_that_were_seen(tmp_path: Path) -> None:
    remember(Memory(tmp_path), "run.json", b"run")
    assert Memory(tmp_path).kept() == {"run.json": b"run"}
    (tmp_path / "seen" / "run.json").write_bytes(b"")
    assert Memory(tmp_path).kept() == {}
    remember(Memory(tmp_path), "run.json", b"run")
    assert Memory(tmp_path).kept() == {"run.json": b"run"}


def test_the_bytes_of_old_rounds_are_dropped_and_their_digests_stay(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    remember(memory, "run.json", b"run")
    for number in range(1, 41):
        for name in ("round.json", "outcome.json"):
            remember(memory, f"rounds/{number:06d}/{name}", f"{name} {number}".encode())
    kept = Memory(tmp_path).kept()
    assert set(kept) == {"run.json"} | {
        f"rounds/{number:06d}/{name}" for number in range(25, 41) for name in ("round.json", "outcome.json")
    }
    assert Memory(tmp_path).recall("rounds/000001/outcome.json") is not None


def test_only_the_owner_reads_what_the_site_has_seen_and_answered(tmp_path: Path) -> None:
    remember(Memory(tmp_path), KEY, b"one")
    Journal(tmp_path / "answers.jsonl").add("{}")
    assert (tmp_path / "seen").stat().st_mode & 0o777 == 0o700
    for name in ("seen.sha256", "answers.jsonl"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_a_list_of_members_for_every_run_leaves_a_bounded_number_on_disk(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    for epoch in range(2, 60):
        remember(memory, f"federation-{epoch:06d}.json", str(epoch).encode())
        os.utime(tmp_path / "seen" / f"federation-{epoch:06d}.json", ns=(epoch, epoch))
    assert sorted(memory.kept()) == [f"federation-{epoch:06d}.json" for epoch in range(44, 60)]
    assert memory.recall("federation-000002.json") is not None
