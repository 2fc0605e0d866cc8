"""A selection as searches, and as a check of what they bring."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import product

from wardround.imaging.sources.search import Level, Record, value, values
from wardround.imaging.sources.settings import DicomWebSource

# At which level an identifier of a label table can be searched for.
LEVELS: Mapping[str, Level] = {
    "PatientID": "studies",
    "AccessionNumber": "studies",
    "StudyInstanceUID": "studies",
    "SeriesInstanceUID": "series",
    "SOPInstanceUID": "instances",
}
# What is left of a value that is searched for. All else is an archive's to misread: it has to be encoded in an
# address, or separates values.
_UNMISTAKABLE = re.compile(r"[^A-Za-z0-9._~*/?:-]")


@dataclass(frozen=True)
class Query:
    """One search: its level, and what must match."""

    level: Level
    filters: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def sent(self) -> dict[str, str]:
        """The filters as they are sent, with `?` (any one character, PS3.4 section C.2.2.2.4) for what may be misread.

        So an answer may hold more than what was asked for, and is checked.
        """
        return {keyword: _UNMISTAKABLE.sub("?", wanted) for keyword, wanted in self.filters}


@dataclass(frozen=True)
class Selection:
    """Which studies, and which series of them. `identifiers`: pairs of keyword and value, None to take all."""

    source: DicomWebSource
    modalities: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...] | None = field(repr=False)

    @property
    def fields(self) -> tuple[str, ...]:
        """What an answer should hold beyond what it must, so that it can be checked."""
        return ("StudyDescription",) if self.source.study_descriptions else ()

    def studies(self) -> Iterator[Query]:
        """The searches whose answers together are the studies: one an identifier, or one a combination."""
        dates = [("StudyDate", self._dates())] if self._dates() else []
        if self.identifiers is not None:
            for keyword, identifier in self.identifiers:
                yield Query(LEVELS[keyword], ((keyword, identifier), *dates))
            return
        described = [("StudyDescription", pattern) for pattern in self.source.study_descriptions]
        taken = [("ModalitiesInStudy", modality) for modality in self.modalities]
        for filters in product(*filter(None, [taken, described])):
            yield Query("studies", (*filters, *dates))

    def series(self) -> Iterator[Query]:
        """The searches in a study whose answers together are the series to take."""
        source = self.source
        choices = [
            [("Modality", modality) for modality in self.modalities],
            [("SeriesDescription", pattern) for pattern in source.series_descriptions],
            [("BodyPartExamined", part) for part in source.body_parts],
        ]
        for filters in product(*filter(None, choices)):
            yield Query("series", filters)

    def takes_study(self, record: Record, query: Query) -> bool:
        """Whether what a record tells of its study is what was asked for."""
        date = value(record, "StudyDate")
        since, until = self.source.since, self.source.until
        return (
            self._names(record, query)
            and not (date and since and date < f"{since:%Y%m%d}")
            and not (date and until and date > f"{until:%Y%m%d}")
            and _any_of(values(record, "ModalitiesInStudy") or None, self.modalities)
            and _any_of(values(record, "StudyDescription"), self.source.study_descriptions)
        )

    def takes_series(self, record: Record) -> bool:
        """Whether what a record tells of its series is what was asked for."""
        return (
            _any_of(values(record, "Modality"), self.modalities)
            and _any_of(values(record, "SeriesDescription"), self.source.series_descriptions)
            and _any_of(values(record, "BodyPartExamined"), self.source.body_parts)
        )

    def _names(self, record: Record, query: Query) -> bool:
        # Identifiers may hold `*`, which a server takes for a wildcard.
        told = [(values(record, keyword), wanted) for keyword, wanted in query.filters if keyword in LEVELS]
        return all(found is None or wanted in found for found, wanted in told)

    def _dates(self) -> str:
        since, until = (f"{day:%Y%m%d}" if day else "" for day in (self.source.since, self.source.until))
        return f"{since}-{until}" if since or until else ""


def _any_of(told: tuple[str, ...] | None, patterns: tuple[str, ...]) -> bool:
    """Whether a value matches a pattern; an element that the server does not tell is taken to match."""
    if told is None or not patterns:
        return True
    literal = [
        pattern.upper().replace("[", "[[]") for pattern in patterns
    ]  # a bracket is no wildcard in DICOM
    return any(fnmatchcase(each.upper(), pattern) for each in told for pattern in literal)
