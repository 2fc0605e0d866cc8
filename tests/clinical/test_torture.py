"""Difficult files of many origins: each is read as it should be, or refused, and none ends the run."""

from pathlib import Path

import pytest

from wardround.imaging.reasons import Reason

from .torture import PEAK_MB, SECONDS, Expected, Seen, difference, judge

TORTURE = Path(__file__).parents[3] / "shared" / "data" / "dicom_torture"
BASELINE, J2K = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91"


@pytest.mark.skipif(not TORTURE.is_dir(), reason="the collection of difficult files is not here")
def test_every_difficult_file_is_read_or_refused_as_known() -> None:
    verdict = judge(TORTURE)
    assert verdict.differences == {} and len(verdict.seen) > 90
    assert max(one.seconds for one in verdict.seen) < SECONDS and verdict.peak_mb < PEAK_MB
    # Each refused file that says what it is has a name for it.
    assert all(one.kind.sop_class for one in verdict.seen if one.reason == Reason.TRUNCATED)


@pytest.mark.parametrize(
    ("expected", "seen", "found"),
    [
        ({"sha256": "a"}, {"sha256": ("a", "b")}, None),
        ({"sha256": "b"}, {"sha256": ("a", "b")}, None),
        ({"sha256": "c"}, {"sha256": ("a", "b")}, "has other values"),
        ({"shape": (3, 2)}, {"shape": (2, 3)}, "has shape"),
        ({"syntax": BASELINE, "range": (0, 200)}, {"low": 6, "high": 206}, None),
        ({"syntax": BASELINE, "range": (0, 200)}, {"low": 0, "high": 207}, "has range 0 to 207"),
        ({"syntax": J2K, "range": (0, 200)}, {"low": 6, "high": 206}, "has range"),
        ({}, {"reason": Reason.SYNTAX}, "is refused: transfer-syntax-unsupported"),
        ({"decodes": False}, {"reason": Reason.SYNTAX}, None),
        ({"decodes": False}, {}, "is read, where nothing should be"),
        ({}, {"seconds": 21}, "took 21 s"),
    ],
)
def test_a_difference_is_told(
    expected: dict[str, object], seen: dict[str, object], found: str | None
) -> None:
    row = Expected("a", "", None, True, None, "")._replace(**expected)
    told = difference(row, Seen.model_validate({"file": "a", **seen}))
    assert (told is None) if found is None else (told is not None and told.startswith(found))
