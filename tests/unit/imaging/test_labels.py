"""Labels and splits: who gets which class, and who is never in two splits."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from wardround.errors import ConfigurationError
from wardround.imaging.labels import read_labels
from wardround.imaging.reasons import Refusal
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.splits import split_of

LEGAL = ("normal", "opacity")


def table(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(content, encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("column", ["patient", "study", "series", "sop_instance", "accession", "Patient "])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_identifying_column_is_found_by_its_name(tmp_path: Path, column: str, separator: str) -> None:
    read = read_labels(table(tmp_path, f"label{separator}{column}\nopacity{separator}A\n"), LEGAL)
    assert read.column == column.strip().lower() and read.class_of({"A"}) == 1


def test_of_several_columns_the_most_specific_counts(tmp_path: Path) -> None:
    read = read_labels(table(tmp_path, "patient,sop_instance,label\nP,1.2,normal\n"), LEGAL)
    assert read.keyword == "SOPInstanceUID"


@pytest.mark.parametrize("header", ["name,label", "patient,class", "", "patient"])
def test_a_table_without_the_needed_columns_lists_the_legal_ones(tmp_path: Path, header: str) -> None:
    with pytest.raises(ConfigurationError, match="sop_instance, series, study, accession, patient"):
        read_labels(table(tmp_path, f"{header}\n"), LEGAL)


@pytest.mark.parametrize(
    ("wanted", "reason"), [("C", "label-conflict"), ("U", "label-unknown"), ("X", "label-missing")]
)
def test_conflicting_unknown_and_missing_labels_have_reasons(
    tmp_path: Path, wanted: str, reason: str
) -> None:
    read = read_labels(
        table(tmp_path, "patient,label\nC,normal\nC,opacity\nU,fracture\nR,normal\nR,normal\n"), LEGAL
    )
    assert read.class_of({"R"}) == 0
    with pytest.raises(Refusal, match=reason):
        read.class_of({wanted})


@given(st.binary(max_size=400))
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_bytes_as_label_table_are_read_or_refused_cleanly(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("t") / "labels.csv"
    path.write_bytes(raw)
    try:
        read_labels(path, LEGAL)
    except ConfigurationError as error:
        assert error.code == "configuration"


@given(st.text(min_size=1), st.binary(min_size=16, max_size=40), st.integers(1, 98))
def test_a_patient_is_always_in_one_and_the_same_split(patient: str, key: bytes, percent: int) -> None:
    fractions = (percent / 100, 0.01, 0.99 - percent / 100)
    assert len({split_of(patient, key, fractions) for _ in range(3)}) == 1


def test_splits_have_about_their_shares_and_depend_on_the_key() -> None:
    first, second = (
        [split_of(f"P{n}", key, (0.7, 0.1, 0.2)) for n in range(4000)] for key in (b"a" * 16, b"b" * 16)
    )
    assert abs(first.count("train") / 4000 - 0.7) < 0.03 and abs(first.count("test") / 4000 - 0.2) < 0.03
    assert first != second


def test_a_share_of_nothing_gets_nobody() -> None:
    assert {split_of(f"P{n}", b"k" * 16, (1.0, 0.0, 0.0)) for n in range(500)} == {"train"}


def test_a_short_key_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    chosen = IntakeSettings(labels=LEGAL, size=(8, 8), split_key_file=tmp_path / "key")
    with pytest.raises(ConfigurationError, match="head -c 32"):
        chosen.split_key()


@pytest.mark.parametrize(
    "wrong", [{"size": (8,)}, {"fractions": (0.5, 0.1, 0.1)}, {"labels": ("a", "a")}, {"bits": 12}]
)
def test_impossible_settings_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        IntakeSettings.model_validate({"labels": LEGAL, "size": (8, 8), "split_key_file": tmp_path, **wrong})
