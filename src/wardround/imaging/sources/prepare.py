"""From a source to a dataset: fetch what is missing, run the folder intake on it, tidy up.

The fetched files are removed when the dataset is complete (unless `keep_files`), so a receipt beside the dataset
remembers what it was made from: the same selection, labels, settings and key find it ready with nothing but a
search. Where a person has decided about images since, only the parcels of those are fetched again. As long as a
parcel could not be fetched, the files stay, and the next run tries that parcel again.
"""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from logging import getLogger
from pathlib import Path

from wardround.imaging import intake
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.inventory import Inventory
from wardround.imaging.label_file import KEY_COLUMNS
from wardround.imaging.labels import read_labels
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.sources.archive import Archive, Parcel, Unfetched
from wardround.imaging.sources.delivery import Progress, Terms, deliver
from wardround.imaging.sources.dicomweb import DicomWebArchive, selection_of
from wardround.imaging.sources.errors import (
    ChangedError,
    EmptySelectionError,
    NothingFetchedError,
    SourceError,
    Why,
)
from wardround.imaging.sources.patience import Patience
from wardround.imaging.sources.receipt import Receipt
from wardround.imaging.sources.s3 import S3Archive
from wardround.imaging.sources.settings import DicomWebSource, FolderSource, ImageSource, S3Source
from wardround.imaging.sources.spool import UNFETCHED, Spool, opened
from wardround.private_files import keep_private

_LOG = getLogger(__name__)

Bring = Callable[[Sequence[Parcel]], list[Unfetched]]


@dataclass(frozen=True)
class Order:
    """A dataset to be made: of a source and a label table, into `out`; fetched files lie below `incoming`."""

    source: ImageSource
    labels: Path
    out: Path
    incoming: Path
    settings: IntakeSettings = field(repr=False)


def prepare(
    order: Order,
    stop: threading.Event | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> DatasetInfo:
    """Makes the dataset, or finds it ready. `progress` has the stages "fetch" (parcels), "scan" and "decode".

    Raises what `intake.preprocess` raises; StoppedError within two seconds of `stop` while fetching; SourceError
    and its kinds, NoSpaceError and UntrustedSourceError when fetching ends early. Then the next call goes on.
    """
    keep_private()
    source, order = order.source, replace(order, settings=order.settings.for_dataset(order.out))
    if isinstance(source, FolderSource):
        return intake.preprocess(source.path, order.labels, order.out, order.settings, progress)
    with opened(order.incoming / spool_name(source)) as spool:
        return _prepare(order, source, spool, stop or threading.Event(), progress)


def spool_name(source: S3Source | DicomWebSource) -> str:
    """A folder name for a selection: the same for the same selection, whatever its login or connections."""
    content = source.model_dump(
        mode="json", exclude={*S3Source.model_fields} - {"bucket", "prefix", "endpoint"}
    )
    kind = "s3" if isinstance(source, S3Source) else "dicomweb"
    return f"{kind}-{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]}"


def _prepare(
    order: Order, source: S3Source | DicomWebSource, spool: Spool, stop: threading.Event, progress: Progress
) -> DatasetInfo:
    patience = Patience(source.outage_s)
    archive = _open(order, source, patience)
    parcels = archive.find(stop)
    if not parcels:
        raise EmptySelectionError("nothing was found where the images are; check what is selected")
    spool.prune(parcels)
    bring = partial(_bring, archive, spool, Terms(source.connections, patience), stop, progress)
    receipt = Receipt.of(order.out, parcels, order.labels, order.settings)
    if known := receipt.read():
        try:
            info = _from_known(order, spool, known, parcels, bring, progress)
            _tidy(spool, source)
            return info
        except ChangedError as error:
            _LOG.warning("%s; all files are fetched again", error)
            receipt.forget()
            spool.clear()
            spool.make()
    unfetched = bring(parcels)
    info = intake.preprocess(spool.files, order.labels, order.out, order.settings, progress)
    if not unfetched:
        receipt.write(Inventory.of(spool.files))
        _tidy(spool, source)
    return info


def _from_known(
    order: Order, spool: Spool, known: Inventory, parcels: Sequence[Parcel], bring: Bring, progress: Progress
) -> DatasetInfo:
    """The dataset of files that were there before, of which those that are to be read anew are fetched again."""

    def supply(paths: set[str]) -> None:
        names = {spool.parcel_name(path) for path in paths}
        wanted = [parcel for parcel in parcels if parcel.name in names]
        try:
            reasons = {failed.why for failed in bring(wanted)} if wanted else set()
        except NothingFetchedError as error:
            reasons = {*error.reasons}
        if reasons - {Why.MISSING}:
            raise SourceError(
                "some of what was decided about could not be fetched; start again to try it again"
            )
        if (
            reasons
            or not known.fits(spool.files)
            or not all((spool.files / path).is_file() for path in paths)
        ):
            raise ChangedError("what is fetched now is not what was fetched before")

    return intake.preprocess(
        spool.files, order.labels, order.out, order.settings, progress, intake.Supply(known, supply)
    )


def _bring(
    archive: Archive,
    spool: Spool,
    terms: Terms,
    stop: threading.Event,
    progress: Progress,
    parcels: Sequence[Parcel],
) -> list[Unfetched]:
    unfetched = deliver(archive, parcels, spool, terms, stop, progress)
    _tell(spool, unfetched, len(parcels))
    return unfetched


def _open(order: Order, source: S3Source | DicomWebSource, patience: Patience) -> Archive:
    key = order.settings.split_key()
    if isinstance(source, S3Source):
        return S3Archive(source, key, patience)
    table = read_labels(order.labels, order.settings.labels, order.settings.label_encoding)
    labelled = [(KEY_COLUMNS[column], identifier) for column, identifier in table.said]
    return DicomWebArchive(source, selection_of(source, order.settings.modality, labelled), key, patience)


def _tell(spool: Spool, unfetched: Sequence[Unfetched], total: int) -> None:
    spool.write_unfetched(unfetched)
    for why, count in sorted(Counter(failed.why.value for failed in unfetched).items()):
        _LOG.warning("not fetched: %d of %d (%s); listed in %s", count, total, why, spool.root / UNFETCHED)


def _tidy(spool: Spool, source: S3Source | DicomWebSource) -> None:
    if not source.keep_files:
        spool.clear()
