"""Splits: nobody straddles, nobody moves, and no class is left without patients where there are enough."""

import multiprocessing
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from imaging_cases import Label, Settings, WriteXray

from wardround.errors import ConfigurationError
from wardround.imaging.assignments import Assignments
from wardround.imaging.intake import preprocess
from wardround.imaging.settings import SPLITS, IntakeSettings
from wardround.imaging.splits import assign, keyed, quotas, strata

FRACTIONS = (0.7, 0.1, 0.2)
KEY = b"0123456789abcdef"


def hashed(number: int, key: bytes = KEY) -> str:
    return keyed(key, "patient", str(number))


numbers = st.integers(0, 400)
batches = st.lists(
    st.dictionaries(numbers.map(hashed), st.integers(0, 2), max_size=60), min_size=1, max_size=5
)
shares = st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10)).filter(any)
fractions_of = shares.map(lambda parts: tuple(part / sum(parts) for part in parts))


@given(batches, fractions_of)
@hypothesis_settings(deadline=None)
def test_patients_never_move_when_others_arrive(
    batches: list[dict[str, int]], fractions: tuple[float, ...]
) -> None:
    known: dict[str, str] = {}
    for batch in batches:
        placed = assign(batch, known, fractions)
        assert set(placed) == set(batch) - set(known)
        known |= placed


@given(st.dictionaries(numbers.map(hashed), st.integers(0, 2)), st.randoms(), fractions_of)
@hypothesis_settings(deadline=None)
def test_the_order_of_patients_makes_no_difference(
    patients: dict[str, int], random: object, fractions: tuple[float, ...]
) -> None:
    shuffled = dict(random.sample(list(patients.items()), len(patients)))
    assert assign(patients, {}, fractions) == assign(shuffled, {}, fractions)


@given(st.dictionaries(numbers.map(hashed), st.sets(st.integers(0, 2), min_size=1)), st.integers(1, 9))
def test_the_number_of_images_makes_no_difference(labels: dict[str, set[int]], times: int) -> None:
    assert strata(labels) == strata({patient: list(found) * times for patient, found in labels.items()})


@given(st.integers(0, 500), fractions_of)
def test_newcomers_alone_come_as_near_to_the_fractions_as_whole_patients_allow(
    count: int, fractions: tuple[float, ...]
) -> None:
    got = quotas(count, {}, fractions)
    assert sum(got.values()) == count
    wanted = dict(zip(SPLITS, fractions, strict=True))
    # A split that would get less than one patient gets one, at the others' expense.
    raised = sum(1 for share in fractions if 0 < share * count < 1)
    for split in SPLITS:
        assert abs(got[split] - wanted[split] * count) < 1.5 + raised
    assert all(got[split] == 0 for split in SPLITS if wanted[split] == 0)


@given(st.integers(0, 200), st.dictionaries(st.sampled_from(SPLITS), st.integers(0, 50)), fractions_of)
def test_no_split_is_left_without_a_class_that_has_enough_patients(
    count: int, present: dict[str, int], fractions: tuple[float, ...]
) -> None:
    got = quotas(count, present, fractions)
    assert sum(got.values()) == count and min(got.values()) >= 0
    empty = [s for s, share in zip(SPLITS, fractions, strict=True) if share > 0 and not present.get(s)]
    assert sum(got[split] > 0 for split in empty) == min(count, len(empty))


def test_three_patients_with_a_rare_finding_are_in_three_splits() -> None:
    patients = {hashed(n): int(n < 3) for n in range(100)}
    placed = assign(patients, {}, FRACTIONS)
    assert sorted(placed[hashed(n)] for n in range(3)) == sorted(SPLITS)
    assert Counter(placed.values()) == {"train": 69, "validation": 11, "test": 20}


def test_a_patient_with_several_findings_counts_for_the_rarest() -> None:
    assert strata({"a": [0, 0, 1], "b": [0], "c": [0, 2, 1], "d": [0]}) == {"a": 1, "b": 0, "c": 2, "d": 0}


def test_patients_who_come_one_by_one_end_near_the_fractions_too() -> None:
    known: dict[str, str] = {}
    for number in range(300):
        known |= assign({hashed(n): 0 for n in range(number + 1)}, known, FRACTIONS)
    counts = Counter(known.values())
    assert all(abs(counts[s] - share * 300) <= 1 for s, share in zip(SPLITS, FRACTIONS, strict=True))


def test_another_key_gives_other_splits() -> None:
    first, second = (
        [assign({hashed(n, key): 0 for n in range(400)}, {}, FRACTIONS)[hashed(n, key)] for n in range(400)]
        for key in (KEY, b"fedcba9876543210")
    )
    same = sum(a == b for a, b in zip(first, second, strict=True)) / 400
    # By chance: 0.7² + 0.1² + 0.2² = 0.54.
    assert 0.44 < same < 0.64


def test_without_its_file_most_patients_find_their_split_again() -> None:
    """The hash order alone gives a patient's place up to what the numbers of others shift."""
    half = assign({hashed(n): 0 for n in range(400)}, {}, FRACTIONS)
    both = assign({hashed(n): 0 for n in range(800)}, {}, FRACTIONS)
    assert sum(both[patient] == split for patient, split in half.items()) > 0.9 * len(half)


# --- the file


def test_assignments_are_remembered_by_key_and_fractions(tmp_path: Path) -> None:
    first = Assignments.of(tmp_path, KEY, FRACTIONS)
    placed = first.place({hashed(n): n % 2 for n in range(50)})
    more = first.place({hashed(n): 1 for n in range(25, 90)})
    assert all(more[p] == placed[p] for p in placed.keys() & more.keys())
    assert first.read() == placed | more
    assert len({each.path for each in (first, Assignments.of(tmp_path, b"x" * 16, FRACTIONS))}) == 2
    assert Assignments.of(tmp_path, KEY, (0.5, 0.2, 0.3)).read() == {}
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-20],
        lambda raw: raw.replace(b"train", b"trial", 1),
        lambda raw: raw + raw.splitlines(keepends=True)[1],
        lambda raw: raw[5:],
        lambda raw: raw + b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_refused_instead_of_begun_anew(tmp_path: Path, damage: object) -> None:
    kept = Assignments.of(tmp_path, KEY, FRACTIONS)
    kept.place({hashed(n): 0 for n in range(9)})
    before = damage(kept.path.read_bytes())
    kept.path.write_bytes(before)
    with pytest.raises(ConfigurationError, match=r"line \d+ .*backup"):
        kept.place({hashed(99): 0})
    assert kept.path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="folder for assignments"):
        Assignments.of(tmp_path / "file" / "below", KEY, FRACTIONS).place({hashed(1): 0})


def _place(folder: Path, start: int) -> None:
    for number in range(start, start + 40):
        Assignments.of(folder, KEY, FRACTIONS).place({hashed(number): 0})


def test_processes_that_assign_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_place, args=(tmp_path, start)) for start in (0, 20)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert set(Assignments.of(tmp_path, KEY, FRACTIONS).read()) == {hashed(n) for n in range(60)}


# --- the whole way


def test_new_images_leave_everybody_where_they_were(
    tmp_path: Path, write_xray: WriteXray, label: Label, settings: Settings
) -> None:
    names = {write_xray(f"a{n}", f"P{n}"): ("normal", "opacity")[n < 4] for n in range(20)}
    first = preprocess(tmp_path / "source", label(names), tmp_path / "first", settings())
    kept = Assignments.of(tmp_path, settings().split_key(), FRACTIONS)
    before = kept.read()
    assert all(split.counts["opacity"] for split in first.splits.values())
    # Old patients come back with another finding, and new ones with them.
    names |= {write_xray(f"b{n}", f"P{n}"): "opacity" for n in range(10, 30)}
    second = preprocess(tmp_path / "source", label(names), tmp_path / "second", settings())
    assert before.items() <= kept.read().items() and len(kept.read()) == 30
    assert sum(split.count for split in second.splits.values()) == 40


def test_the_files_of_assignments_hold_no_identifier(
    tmp_path: Path, write_xray: WriteXray, label: Label, settings: Settings
) -> None:
    chosen = settings(assignments=tmp_path / "kept")
    names = {write_xray(f"a{n}", f"PATIENT{n}"): "normal" for n in range(5)}
    preprocess(tmp_path / "source", label(names), tmp_path / "out", chosen)
    (kept,) = (tmp_path / "kept").glob("splits-*.csv")
    assert "PATIENT" not in kept.read_text() and len(kept.read_text().splitlines()) == 6
    assert not list(tmp_path.glob("splits-*"))


def test_a_short_key_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    chosen = IntakeSettings(labels=("normal",), size=(8, 8), split_key_file=tmp_path / "key")
    with pytest.raises(ConfigurationError, match="head -c 32"):
        chosen.split_key()


@pytest.mark.parametrize(
    "wrong", [{"size": (8,)}, {"fractions": (0.5, 0.1, 0.1)}, {"labels": ("a", "a")}, {"bits": 12}]
)
def test_impossible_settings_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    given = {"labels": ("a", "b"), "size": (8, 8), "split_key_file": tmp_path, **wrong}
    with pytest.raises(ValueError):
        IntakeSettings.model_validate(given)
