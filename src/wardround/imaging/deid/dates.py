"""Moving dates: all of a patient's by the same number of whole days, so that intervals stay (PS3.15 E.3.6)."""

import re
from datetime import date, timedelta

_DATE = re.compile(rb"(\d{4})\.?(\d{2})\.?(\d{2})")
_DATE_TIME = re.compile(rb"(\d{8})(\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?([+-]\d{4})?")
_TIME = re.compile(rb"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.\d{1,6})?)?)?")


def shifted(vr: str, value: bytes, days: int) -> bytes | None:
    """A DA or DT value (of one or several) `days` earlier; None if it is no full date, or would leave the calendar.

    A date-time without day cannot be moved by days. A time of day and an offset from UTC stay.
    """
    moved = [_shift(vr, part.strip(b" \0"), days) for part in value.split(b"\\")]
    if any(part is None for part in moved):
        return None
    return b"\\".join(part or b"" for part in moved)


def is_time(value: bytes) -> bool:
    """Whether every component is a time of day (PS3.5 table 6.2-1)."""
    return all(not part.strip() or _TIME.fullmatch(part.strip(b" \0")) for part in value.split(b"\\"))


def _shift(vr: str, value: bytes, days: int) -> bytes | None:
    if not value:
        return b""
    if vr == "DA":
        return _shift_date(value, days)
    found = _DATE_TIME.fullmatch(value)
    if found is None:
        return None
    day = _shift_date(found[1], days)
    return None if day is None else day + (found[2] or b"") + (found[3] or b"")


def _shift_date(value: bytes, days: int) -> bytes | None:
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    try:
        moved = date(int(found[1]), int(found[2]), int(found[3])) - timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}".encode()
