"""Whether a site's images and labels can be read, by the reader that preprocessing uses. No value of a file is shown."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from wardround.errors import ConfigurationError
from wardround.exchange.findings import Finding, attempt
from wardround.imaging.label_file import read_rows
from wardround.imaging.reading.files import SourceFile, walk_files
from wardround.imaging.reading.header import IDENTITY_TAGS, quiet, read_dataset
from wardround.imaging.reasons import Refusal
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.sources.reachable import check_reachable
from wardround.imaging.sources.settings import FolderSource, image_source
from wardround.site.settings import SiteSettings

_MAX_BYTES = IntakeSettings.model_fields["max_bytes"].default


def image_findings(settings: SiteSettings, most: int, labels: Path | None) -> Iterator[Finding]:
    """The first `most` files of the folder, or whether the archive answers. `labels` may lie among the images.

    Raises ConfigurationError for an illegal source.
    """
    if settings.dicom is None:
        yield Finding("images", None, "the settings name no source of images")
        return
    source = image_source(settings.dicom, settings.select)
    if isinstance(source, FolderSource):
        yield _folder(source.path, most, labels, follow_links=settings.follow_links)
    else:
        yield attempt("images", lambda: f"the archive answers: {check_reachable(source)}")


def label_finding(labels: Path, encoding: str) -> Finding:
    """Whether the label table is one."""

    def look() -> str:
        rows = len(read_rows(labels, encoding))
        if not rows:
            raise ConfigurationError(f"label table {labels.name} has no row")
        return f"{labels}: {rows} rows"

    return attempt("labels", look)


def _folder(folder: Path, most: int, labels: Path | None, *, follow_links: bool) -> Finding:
    # In the order in which they are found: a list of millions would take minutes.
    found = (SourceFile(folder, path, follow_links) for path in walk_files(folder, follow_links=follow_links))
    what, files = "images", list(islice((file for file in found if folder / file.path != labels), most))
    if not files:
        return Finding(what, False, f"no file in {folder}")
    reasons = Counter(filter(None, map(_refusal, files)))
    readable = len(files) - reasons.total()
    told = "".join(f", {count} {reason}" for reason, count in sorted(reasons.items()))
    # Other files among the images are usual: preprocessing counts and skips them too.
    ok = None if readable and reasons else readable > 0
    return Finding(what, ok, f"{readable} of the first {len(files)} files are DICOM that can be read{told}")


def _refusal(file: SourceFile) -> str | None:
    try:
        with quiet():
            read_dataset(file, IDENTITY_TAGS, _MAX_BYTES)
    except Refusal as refusal:
        return refusal.code
    return None
