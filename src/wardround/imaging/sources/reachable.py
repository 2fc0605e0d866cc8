"""Whether an archive or a bucket of images answers with this login; nothing is fetched."""

from wardround.imaging.sources.archive import Archive
from wardround.imaging.sources.dicomweb import DicomWebArchive
from wardround.imaging.sources.patience import Patience
from wardround.imaging.sources.s3 import S3Archive
from wardround.imaging.sources.selection import Selection
from wardround.imaging.sources.settings import DicomWebSource, S3Source


def check_reachable(source: S3Source | DicomWebSource) -> str:
    """Asks once; returns what kind of source answered.

    Raises AwayError, SourceDeniedError, UntrustedSourceError, SourceError, ConfigurationError.
    """
    archive, kind = _opened(source)
    archive.check()
    return kind


def _opened(source: S3Source | DicomWebSource) -> tuple[Archive, str]:
    # The key only makes names on disk, and nothing gets there.
    if isinstance(source, S3Source):
        return S3Archive(source, b"", Patience()), "a bucket"
    return DicomWebArchive(source, Selection(source, (), None), b"", Patience()), "DICOMweb"
