"""Which piece of work a process was busy with when it ended: a small file beside the work's result says so."""

from collections.abc import Container
from pathlib import Path

from wardround.errors import StoppedError, WardroundError
from wardround.imaging.pool import stopping
from wardround.imaging.reading.deadline import begin_piece


def begin(result: Path, place: int, work: str) -> None:
    """Says that the piece at `place` is begun. Raises StoppedError, naming the work, once it is to stop."""
    if stopping():
        raise StoppedError(f"{work} was stopped; start it again to go on")
    _mark(result).write_text(str(place))
    begin_piece()


def finished(result: Path) -> None:
    """Says that all pieces are done."""
    _mark(result).unlink(missing_ok=True)


def culprit(result: Path, known: Container[int]) -> int:
    """The piece that a process ended with. Raises WardroundError if there is none, or it was left out before."""
    mark = _mark(result)
    place = int(mark.read_text()) if mark.exists() else None
    if place is None or place in known:
        raise WardroundError(
            "worker processes end before they begin; is there enough memory?", code="worker-died"
        )
    mark.unlink()
    return place


def _mark(result: Path) -> Path:
    return result.with_suffix(".busy")
