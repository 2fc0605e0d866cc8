"""What a hospital can know of its data: facts from headers, counts, remarks and the page."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from imaging_cases import Label, Settings, WriteSeries, WriteXray, change, picture
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from wardround.cli.data import app
from wardround.errors import ConfigurationError
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.intake import preprocess
from wardround.imaging.statistics.facts import DIMENSIONS, Facts, facts_of
from wardround.imaging.statistics.model import ALL, Cell, Statistics
from wardround.imaging.statistics.pictures import flat, take_samples
from wardround.imaging.statistics.remarks import association, remarks
from wardround.imaging.statistics.report import write_outside_report, write_report
from wardround.imaging.statistics.vocabulary import NOT_STATED, SEXES, VIEWS


def header(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


# --- facts


@pytest.mark.parametrize(
    ("elements", "dimension", "word"),
    [
        ({"ViewPosition": "pa"}, "view", "PA"),
        ({"ViewPosition": "Dr Miller"}, "view", "other"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.98, -0.17]}, "view", "axial"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "view", "sagittal"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.7071, -0.7071]}, "view", "oblique"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "view", NOT_STATED),
        (
            {"Manufacturer": "SIEMENS Healthineers", "ManufacturerModelName": "Ysio\tMax"},
            "scanner",
            "Siemens · Ysio Max",
        ),
        ({"Manufacturer": "GE MEDICAL SYSTEMS"}, "scanner", "GE"),
        ({"Manufacturer": "Imagerie"}, "scanner", "Imagerie"),
        ({"StudyDate": "20190431"}, "year", NOT_STATED),
        ({"AcquisitionDate": "20190430"}, "year", "2019"),
        ({"PatientAge": "043Y"}, "age", "40–49"),
        ({"PatientAge": "011M"}, "age", "0–9"),
        ({"PatientAge": "101Y"}, "age", "80 and over"),
        ({"PatientBirthDate": "19800602", "StudyDate": "20200601"}, "age", "30–39"),
        ({"PatientBirthDate": "20210602", "StudyDate": "20200601"}, "age", NOT_STATED),
        ({"PatientSex": "F "}, "sex", "female"),
        ({"PatientSex": "Miller"}, "sex", NOT_STATED),
        ({"Rows": 3000, "Columns": 2000}, "size", "up to 4096 pixels"),
        ({"BitsStored": 12}, "bits", "12 bits"),
    ],
)
def test_facts_are_words_of_a_bounded_vocabulary(
    elements: dict[str, object], dimension: str, word: str
) -> None:
    assert getattr(facts_of(header(**elements)), dimension) == word


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "ViewPosition",
                "PatientSex",
                "PatientAge",
                "StudyDate",
                "PatientBirthDate",
                "Manufacturer",
                "ManufacturerModelName",
            ]
        ),
        st.text(max_size=30),
    )
)
@hypothesis_settings(deadline=None)
def test_whatever_a_header_says_no_free_text_but_the_scanners_gets_through(elements: dict[str, str]) -> None:
    dataset = Dataset()
    for keyword, value in elements.items():
        dataset.add_new(keyword, "UT", value)
    facts = facts_of(dataset)
    assert facts.view in {*VIEWS, "other", NOT_STATED}
    assert facts.sex in {*SEXES.values(), NOT_STATED}
    assert re.fullmatch(r"\d+–\d+|80 and over|not stated", facts.age)
    assert re.fullmatch(r"(19|20)\d\d|not stated", facts.year)
    assert re.fullmatch(r"[A-Za-z0-9 .+/()·-]{1,51}", facts.scanner)


def test_elements_of_another_type_are_not_stated() -> None:
    dataset = Dataset()
    dataset.add_new("ImageOrientationPatient", "LO", ["a"] * 6)
    dataset.add_new("PatientSex", "SQ", [Dataset()])
    assert facts_of(dataset) == Facts(size="up to 256 pixels")


# --- counts


@pytest.fixture
def prepared(
    tmp_path: Path, write_xray: WriteXray, label: Label, settings: Settings
) -> tuple[Path, DatasetInfo]:
    """Forty images of twenty patients; patient 0 has both labels, and images of two years."""
    names = {}
    for index in range(40):
        view, year = ("AP", "PA")[index % 4 == 0], 2010 + index % 2
        uid = write_xray(
            f"x{index}",
            f"SECRETID{index // 2}",
            ViewPosition=view,
            StudyDate=f"{year}0304",
            PatientSex="F",
            Manufacturer="Philips",
            ManufacturerModelName="<b>Room</b> 7",
            AccessionNumber=f"SECRETACC{index}",
        )
        names[uid] = ("normal", "opacity")[index // 2 % 4 == 0 and index != 1]
    write_xray("unlabelled", "SECRETID99")
    info = preprocess(tmp_path / "source", label(names), tmp_path / "out", settings())
    return tmp_path / "out", info


def test_every_table_adds_up_to_the_dataset(prepared: tuple[Path, DatasetInfo]) -> None:
    out, info = prepared
    found = Statistics.load(out)
    assert found.dataset == info.digest and found.files == 41 and found.refusals == {"label-missing": 1}
    assert found.rows == {"used": 40}
    for dimension in (ALL, *DIMENSIONS):
        counted = Counter[tuple[str, str]]()
        for (_, split, name), count in found.images(dimension).items():
            counted[split, name] += count
        assert all(counted[s, n] == c for s, held in info.splits.items() for n, c in held.counts.items())
        assert found.patients(dimension).total() == 20
    assert sum(count for (view, _, _), count in found.images("view").items() if view == "PA") == 10


def test_a_patient_with_two_labels_counts_at_the_rarer_one(prepared: tuple[Path, DatasetInfo]) -> None:
    found = Statistics.load(prepared[0])
    by_label = Counter[str]()
    for (_, _, name), count in found.patients().items():
        by_label[name] += count
    assert by_label == {"normal": 15, "opacity": 5}


def test_neither_statistics_nor_pages_name_anybody(prepared: tuple[Path, DatasetInfo]) -> None:
    out, _ = prepared
    write_report(out, out / "own.html")
    write_outside_report(out, out / "outside.html")
    for name in ("statistics.json", "own.html", "outside.html"):
        content = (out / name).read_text()
        assert "SECRET" not in content and "0304" not in re.sub(r'base64,[^"]*', "", content), name


def test_statistics_of_another_dataset_are_refused(
    prepared: tuple[Path, DatasetInfo], settings: Settings
) -> None:
    out, _ = prepared
    other = Statistics.load(out).model_copy(update={"dataset": "0" * 64})
    other.save(out)
    with pytest.raises(ConfigurationError, match="another dataset"):
        write_report(out, out / "own.html")
    (out / "statistics.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="altered"):
        write_report(out, out / "own.html")
    (out / "statistics.json").unlink()
    with pytest.raises(ConfigurationError, match="preprocess"):
        write_report(out, out / "own.html")


def test_lost_statistics_are_counted_again(
    prepared: tuple[Path, DatasetInfo], tmp_path: Path, settings: Settings
) -> None:
    out, info = prepared
    before = (out / "statistics.json").read_text()
    (out / "statistics.json").unlink()
    assert preprocess(tmp_path / "source", tmp_path / "labels.csv", out, settings()) == info
    assert (out / "statistics.json").read_text() == before


# --- the page


def test_the_own_page_shows_images_and_loads_nothing(prepared: tuple[Path, DatasetInfo]) -> None:
    out, info = prepared
    write_report(out, out / "own.html", pictures=3)
    page = (out / "own.html").read_text()
    shown = sum(min(3, count) for split in info.splits.values() for count in split.counts.values())
    assert page.count('src="data:image/png;base64,') == shown == page.count("<img")
    assert "<script" not in page and not re.search(r'(src|href)="(?!data:)', page) and "http" not in page
    assert "<b>Room</b>" not in page and "label missing" in page and "not used" in page
    assert "<polyline" in page


def test_the_commands_write_both_pages_and_print_tables(prepared: tuple[Path, DatasetInfo]) -> None:
    out, _ = prepared
    runner = CliRunner()
    own = runner.invoke(app, ["report", str(out)])
    assert own.exit_code == 0 and "label missing" in own.output and (out / "data-report.html").is_file()
    outside = runner.invoke(app, ["report", str(out), "--for-outside", "--device", "Philips · b Room /b 7"])
    page = (out / "data-report-for-outside.html").read_text()
    assert outside.exit_code == 0 and "Room" in page and "<img" not in page
    runner.invoke(app, ["report", str(out), "--for-outside"])
    assert "Room" not in (out / "data-report-for-outside.html").read_text()


def test_pictures_are_those_of_the_shards(prepared: tuple[Path, DatasetInfo]) -> None:
    out, info = prepared
    samples = take_samples(out, info, 2)
    for (split, name), sample in samples.items():
        assert sample.counted == info.splits[split].counts[name]
        assert sample.histogram.sum() == 16 * 16 * sample.counted
        assert len(sample.images) == min(2, sample.counted)
        assert all(image.dtype == np.uint8 and image.max() > 200 for image in sample.images)


def test_a_volume_is_shown_by_three_slices(
    tmp_path: Path, write_series: WriteSeries, label: Label, settings: Settings
) -> None:
    volume = np.stack([picture(20, 20) // (1 + n) for n in range(8)])
    names = {write_series(f"s{n}", volume, f"P{n}"): "normal" for n in range(3)}
    for path in (tmp_path / "source").rglob("*.dcm"):
        change(path, Manufacturer="Canon")
    chosen = settings(size=(8, 12, 10), modality=("MR",), bits=16)
    info = preprocess(tmp_path / "source", label(names, "series"), tmp_path / "out", chosen)
    found = write_report(tmp_path / "out", tmp_path / "own.html")
    assert found.unit == "volume" and found.images("view").total() == 3
    assert {view for view, _, _ in found.images("view")} == {"axial"}
    samples = take_samples(tmp_path / "out", info, 1)
    assert samples["train", "normal"].images[0].shape == (36, 10)
    assert "three slices" in (tmp_path / "own.html").read_text()


def test_a_stored_value_is_shown_as_bright_as_it_is() -> None:
    stored = np.array([[[0], [65535]]], np.uint16)
    assert flat(stored, 1 / 65535).tolist() == [[0, 255]]


# --- remarks


def statistics(patients: dict[tuple[str, str, str], int], **fields: object) -> Statistics:
    """Statistics of patients by view, split and label, with one image each."""
    cells = tuple(
        Cell(value=view, split=split, label=name, images=count, patients=count)
        for (view, split, name), count in patients.items()
    )
    everything = {dimension: cells if dimension in ("view", ALL) else () for dimension in (ALL, *DIMENSIONS)}
    given = {"files": 100, **fields}
    return Statistics(
        dataset="0" * 64,
        unit="image",
        labels=("normal", "opacity"),
        splits=("train", "test"),
        cells=everything,
        **given,
    )


def test_a_label_that_goes_with_the_view_is_told() -> None:
    apart = {("AP", "train", "opacity"): 40, ("PA", "train", "normal"): 30, ("AP", "train", "normal"): 10}
    said = remarks(statistics({**apart, ("PA", "test", "normal"): 10, ("AP", "test", "opacity"): 10}))
    assert [line for line in said if "Label and view go together" in line and "100% of “opacity”" in line]
    mixed = {
        (view, split, name): 10
        for view in ("AP", "PA")
        for split in ("train", "test")
        for name in ("normal", "opacity")
    }
    assert remarks(statistics(mixed)) == []


def test_thin_and_empty_splits_are_told() -> None:
    said = " ".join(
        remarks(
            statistics(
                {("AP", "train", "normal"): 3, ("AP", "train", "opacity"): 3, ("AP", "test", "normal"): 9}
            )
        )
    )
    assert "No image of “opacity” is in the test split" in said and "9 with “normal”" in said
    assert "train" not in said


def test_lost_files_and_rows_are_told_with_advice() -> None:
    good = {("AP", split, name): 10 for split in ("train", "test") for name in ("normal", "opacity")}
    said = " ".join(
        remarks(statistics(good, refusals={"blank": 20}, rows={"used": 40, "no-image-leading-zeros-lost": 2}))
    )
    assert "20 of 100 files" in said and "2 of 42 rows: no image, but there is one with leading zeros" in said


@given(st.integers(0, 2**32), st.integers(2, 12))
@hypothesis_settings(max_examples=30, deadline=None)
def test_by_chance_nothing_goes_together(seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(400, np.full(values * 2, 0.5 / values)).reshape(values, 2)
    assert 0 <= association(drawn) < 0.3
    assert association(np.diag(rng.integers(5, 50, 3))) > 0.9
