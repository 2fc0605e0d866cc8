"""The label table: who gets which class, what is refused, and that every row is accounted for."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from imaging_cases import Label, Settings, WriteXray

from wardround.errors import ConfigurationError
from wardround.imaging.intake import preprocess
from wardround.imaging.label_file import KEY_COLUMNS
from wardround.imaging.labels import Fate, LabelTable, Said, image_keys, read_labels
from wardround.imaging.reasons import Refusal

LEGAL = ("normal", "opacity")
KEY = b"k" * 16


def read(tmp_path: Path, content: str | bytes, encoding: str = "utf-8") -> LabelTable:
    path = tmp_path / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_labels(path, LEGAL, encoding)


# --- the file


@pytest.mark.parametrize("column", ["patient", "study", "series", "sop_instance", "accession"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_identifying_column_is_found_by_its_name(
    tmp_path: Path, column: str, separator: str, mark: str
) -> None:
    table = read(tmp_path, f"{mark}label{separator}{column}\nopacity{separator}A\n")
    assert table.class_of([{column: "A"}]) == 1


@pytest.mark.parametrize(
    ("written", "column"),
    [
        ("SOPInstanceUID", "sop_instance"),
        ("Accession Number", "accession"),
        ("PATIENT_ID", "patient"),
        ("study-instance-uid", "study"),
        (" Series ", "series"),
    ],
)
def test_columns_may_be_called_as_in_dicom(tmp_path: Path, written: str, column: str) -> None:
    assert read(tmp_path, f"{written},Label\nA,normal\n").class_of([{column: "A"}]) == 0


def test_quotes_blank_lines_spaces_and_case_are_what_spreadsheets_make_of_them(tmp_path: Path) -> None:
    table = read(
        tmp_path, 'note,accession,label\r\n\r\n"a, ""b""\nc", 007 ,Opacity\r\n , ,\r\nx,8,NORMAL \r\n'
    )
    assert table.class_of([{"accession": "007"}]) == 1 and table.class_of([{"accession": "8"}]) == 0
    assert table.account([[{"accession": "007"}], [{"accession": "8"}]]) == {"used": 2}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    assert (
        read(tmp_path, "patient,label\nMüller,normal\n".encode(encoding)).class_of([{"patient": "Müller"}])
        == 0
    )


def test_a_line_that_names_the_separator_is_understood(tmp_path: Path) -> None:
    assert read(tmp_path, "sep=;\npatient;label\nA;normal\n").class_of([{"patient": "A"}]) == 0


def test_another_encoding_has_to_be_declared(tmp_path: Path) -> None:
    content = "patient,label\nA,normal\nMüller,opacity\n".encode("cp1252")
    with pytest.raises(ConfigurationError, match=r"line 3 .* is not UTF-8.*cp1252") as refused:
        read(tmp_path, content)
    assert "ller" not in str(refused.value)
    assert read(tmp_path, content, "cp1252").class_of([{"patient": "Müller"}]) == 1


def test_an_unknown_encoding_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="label_encoding"):
        settings(label_encoding="utf-9")


@pytest.mark.parametrize("header", ["name,label", "patient,class", "", "patient"])
def test_a_table_without_the_needed_columns_lists_the_legal_ones(tmp_path: Path, header: str) -> None:
    with pytest.raises(ConfigurationError, match="sop_instance, series, study, accession, patient"):
        read(tmp_path, f"{header}\n")


def test_a_table_without_a_header_does_not_give_its_first_patient_away(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, "Miller,normal\n")
    assert "Miller" not in str(refused.value)


@pytest.mark.parametrize(
    "header", ["patient,patient,label", "PatientID,patient,label", "patient,label,Label"]
)
def test_a_needed_column_that_is_there_twice_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(ConfigurationError, match="more than once"):
        read(tmp_path, f"{header}\nA,A,normal\n")


def test_other_columns_may_be_there_twice(tmp_path: Path) -> None:
    assert read(tmp_path, "note,note,patient,label\n,,A,normal\n").class_of([{"patient": "A"}]) == 0


@pytest.mark.parametrize("number", ["1.2346E+10", "1,23457E+11", "2e+15"])
def test_numbers_that_a_spreadsheet_has_shortened_are_refused_with_advice(
    tmp_path: Path, number: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"row 3 .* accession .*formatted as text") as refused:
        read(tmp_path, f'accession;label\nA;normal\n"{number}";normal\n')
    assert number not in str(refused.value)


def test_a_quotation_mark_left_open_does_not_swallow_the_rest(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="quotation mark"):
        read(tmp_path, 'patient,label\nA,"normal\nB,opacity\nC,normal\n')


def test_text_without_byte_order_mark_in_two_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not text"):
        read(tmp_path, "patient,label\nA,normal\n".encode("utf-16-le"))


@given(st.binary(max_size=400))
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_bytes_as_label_table_are_read_or_refused_cleanly(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    try:
        read(tmp_path_factory.mktemp("t"), raw)
    except ConfigurationError as error:
        assert error.code == "configuration"


# --- the rules


def test_the_most_specific_identifier_that_is_filled_in_counts(tmp_path: Path) -> None:
    table = read(tmp_path, "patient,series,label\nP,S,opacity\nQ,,normal\n")
    assert table.class_of([{"patient": "P", "series": "S"}]) == 1
    assert table.class_of([{"patient": "Q", "series": "T"}]) == 0
    with pytest.raises(Refusal, match="label-missing"):
        table.class_of([{"patient": "P", "series": "T"}])


def test_one_accession_labels_all_its_images(tmp_path: Path) -> None:
    table = read(tmp_path, "accession,label\nA,opacity\n")
    images = [{"accession": "A", "sop_instance": str(n)} for n in range(3)]
    assert [table.class_of([image]) for image in images] == [1, 1, 1]
    assert table.account([[image] for image in images]) == {"used": 1}


@pytest.mark.parametrize(
    ("wanted", "reason"), [("C", "label-conflict"), ("U", "label-unknown"), ("X", "label-missing")]
)
def test_conflicting_unknown_and_missing_labels_have_reasons(
    tmp_path: Path, wanted: str, reason: str
) -> None:
    table = read(
        tmp_path,
        "patient,label\nC,normal\nC,opacity\nU,fracture\nR,normal\nR,Normal\nZ,\n,normal\nS,normal,x\n",
    )
    assert table.class_of([{"patient": "R"}]) == 0
    with pytest.raises(Refusal, match=reason):
        table.class_of([{"patient": wanted}])
    assert table.account([[{"patient": name}] for name in "CURX"]) == {
        "used": 1,
        "repeats-another-row": 1,
        "more-cells-than-columns": 1,
        "no-identifier": 1,
        "no-label": 1,
        "unknown-label": 1,
        "same-identifier-other-label": 2,
    }


def test_rows_of_different_levels_must_agree(tmp_path: Path) -> None:
    table = read(tmp_path, "study,series,label\nA,,normal\n,X,opacity\nB,,opacity\n,Y,opacity\n")
    with pytest.raises(Refusal, match="label-conflict"):
        table.class_of([{"study": "A", "series": "X"}])
    assert table.class_of([{"study": "B", "series": "Y"}]) == 1
    items = [[{"study": "A", "series": "X"}], [{"study": "B", "series": "Y"}]]
    assert table.account(items) == {"used": 2, "disagrees-with-a-row-of-another-level": 2}


def test_a_table_whose_columns_were_sorted_separately_is_found_out(tmp_path: Path) -> None:
    table = read(tmp_path, "accession,patient,label\n1,Q,normal\n2,P,opacity\n3,,normal\n")
    for image in ({"accession": "1", "patient": "P"}, {"accession": "2", "patient": "Q"}):
        with pytest.raises(Refusal, match="label-conflict"):
            table.class_of([image])
    assert table.class_of([{"accession": "3", "patient": "P"}]) == 0
    items = [[{"accession": "1", "patient": "P"}], [{"accession": "2", "patient": "Q"}], [{"accession": "3"}]]
    assert table.account(items) == {"used": 1, "other-identifiers-are-not-the-images": 2}


def test_slices_of_a_series_with_different_labels_are_a_conflict(tmp_path: Path) -> None:
    table = read(tmp_path, "sop_instance,label\n1,normal\n2,opacity\n")
    with pytest.raises(Refusal, match="label-conflict"):
        table.class_of([{"sop_instance": "1"}, {"sop_instance": "2"}, {"sop_instance": "3"}])


def test_lost_leading_zeros_match_nothing_but_are_told(tmp_path: Path) -> None:
    table = read(tmp_path, "accession,label\n123,normal\n9,normal\n").hashed(KEY)
    image = image_keys({"accession": "00123", "patient": "P"}, KEY)
    with pytest.raises(Refusal, match="label-missing"):
        table.class_of([image])
    assert table.account([[image]]) == {"no-image": 1, "no-image-leading-zeros-lost": 1}


# --- laws

cells = st.sampled_from(["", "1", "2", "01"])
rows = st.lists(
    st.tuples(
        cells,
        cells,
        cells,
        st.sampled_from(["", "normal", "Opacity", "fracture"]),
        st.sampled_from(["", "x"]),
    ),
    max_size=12,
)
images = st.lists(st.fixed_dictionaries(dict.fromkeys(("series", "accession", "patient"), cells)), max_size=8)


@given(rows, images)
@hypothesis_settings(max_examples=200, deadline=None)
def test_every_row_has_one_fate_and_hashing_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], images: list[dict[str, str]]
) -> None:
    written = [("series", "accession", "patient", "label"), *rows]
    content = "\n".join(",".join(row) for row in written)
    table = read(tmp_path_factory.mktemp("t"), content)
    hashed = [image_keys(image, KEY) for image in images]
    account = table.hashed(KEY).account([[image] for image in hashed])
    filled = [row for row in rows if any(row)]
    assert sum(account.values()) == len(filled)
    labelled = [outcome(table.hashed(KEY), [image]) for image in hashed]
    assert labelled == [outcome(table, [{k: v for k, v in image.items() if v}]) for image in images]
    # A row that is in conflict over one of its images may still label another.
    in_conflict = {"other-identifiers-are-not-the-images", "disagrees-with-a-row-of-another-level"}
    reaching = account.keys() & {"used", *in_conflict}
    assert bool(reaching) >= any(isinstance(found, int) for found in labelled)


@given(rows, images, st.randoms())
@hypothesis_settings(max_examples=100, deadline=None)
def test_the_order_of_rows_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    images: list[dict[str, str]],
    random: object,
) -> None:
    folder = tmp_path_factory.mktemp("t")
    shuffled = random.sample(rows, len(rows))
    tables = [
        read(folder, "\n".join(",".join(row) for row in [("series", "accession", "patient", "label"), *each]))
        for each in (rows, shuffled)
    ]
    first, second = ([outcome(table, [image]) for image in images] for table in tables)
    assert first == second


def outcome(table: LabelTable, item: list[dict[str, str]]) -> int | str:
    try:
        return table.class_of(item)
    except Refusal as refusal:
        return refusal.code


def test_a_hash_says_nothing_without_the_key_and_keeps_columns_apart() -> None:
    seen = {
        image_keys({column: "1"}, key)[column] for column in KEY_COLUMNS for key in (KEY, b"other key 123456")
    }
    assert len(seen) == 2 * len(KEY_COLUMNS)
    assert Said(0, 1, {}).contradicts({"patient": "1"}) is False


# --- the whole way


def test_a_table_with_several_columns_labels_a_folder_of_images(
    tmp_path: Path, write_xray: WriteXray, settings: Settings
) -> None:
    uid = write_xray("one", "P1", AccessionNumber="0815")
    write_xray("two", "P1", AccessionNumber="0815")
    write_xray("three", "P2", AccessionNumber="0816")
    write_xray("four", "P3", AccessionNumber="0817")
    table = tmp_path / "labels.csv"
    table.write_text(
        f"sop_instance;accession;patient;label\n{uid};;;opacity\n;0815;;OPACITY\n;;P2;normal\n;817;;normal\n"
    )
    info = preprocess(tmp_path / "source", table, tmp_path / "out", settings(fractions=(1, 0, 0)))
    assert info.splits["train"].counts == {"normal": 1, "opacity": 2}
    assert info.refusals == {"label-missing": 1}


def test_a_table_of_one_column_still_works(
    tmp_path: Path, write_xray: WriteXray, label: Label, settings: Settings
) -> None:
    uid = write_xray("one")
    info = preprocess(
        tmp_path / "source", label({uid: "normal"}), tmp_path / "out", settings(fractions=(1, 0, 0))
    )
    assert info.splits["train"].count == 1


def test_the_manual_explains_every_fate_of_a_row() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(.*?)` \|", manual, re.MULTILINE) == [fate.value for fate in Fate]
