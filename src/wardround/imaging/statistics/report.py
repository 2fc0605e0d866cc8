"""The reports on a dataset's folder: the hospital's own, and the one that may leave."""

from collections.abc import Collection
from pathlib import Path

from wardround.errors import ConfigurationError
from wardround.exchange.files import whole_file
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.statistics.model import Statistics
from wardround.imaging.statistics.page import own_page
from wardround.imaging.statistics.page_outside import outside_page
from wardround.imaging.statistics.pictures import take_samples
from wardround.imaging.statistics.suppression import Outside, for_outside
from wardround.private_files import keep_private

OWN_FILE = "data-report.html"
OUTSIDE_FILE = "data-report-for-outside.html"


def write_report(folder: Path, out: Path, pictures: int = 8) -> Statistics:
    """Writes the hospital's own page to `out`; `pictures` of each label and split are shown.

    Raises ConfigurationError, DatasetError.
    """
    info, found = _load(folder)
    _write(out, own_page(found, take_samples(folder, info, pictures)))
    return found


def write_outside_report(folder: Path, out: Path, devices: Collection[str] = ()) -> Outside:
    """Writes the page that may leave to `out`; `devices` are scanners whose models may be named.

    Raises ConfigurationError, DatasetError.
    """
    info, found = _load(folder)
    outside = for_outside(found, devices)
    _write(out, outside_page(outside, take_samples(folder, info, 0)))
    return outside


def _load(folder: Path) -> tuple[DatasetInfo, Statistics]:
    info, found = DatasetInfo.load(folder), Statistics.load(folder)
    if found.dataset != info.digest:
        raise ConfigurationError(
            f"the statistics in {folder} are of another dataset; run the preprocessing again"
        )
    return info, found


def _write(out: Path, page: str) -> None:
    keep_private()
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists() and not out.is_file():
        raise ConfigurationError(f"{str(out)!r} is not a file; give the name of one for the page")
    with whole_file(out) as file:
        file.write(page.encode())
