"""A manifest of real images: its labels, its sites, and into how many hospitals each is divided."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wardround.errors import ConfigurationError
from wardround.local.wrap import MANIFEST, dns_label

# Looked for in this order when no column is named.
LABEL_COLUMNS = ("label", "projection", "finding", "diagnosis")
# A hospital with more than so many times the images of the smallest would drown it.
LARGEST_RATIO = 3


@dataclass(frozen=True)
class Manifest:
    """The column that holds the label, the labels in alphabetical order, and images by site."""

    label: str
    labels: tuple[str, ...]
    images: Mapping[str, int]

    @classmethod
    def read(cls, folder: Path, label: str | None = None) -> "Manifest":
        """The manifest in a folder of images. Raises ConfigurationError."""
        path = folder / MANIFEST
        if not path.is_file():
            raise ConfigurationError(
                f"{folder} has no {MANIFEST}; give a folder of images with one (columns file, site, patient, label)"
            )
        with path.open(newline="", encoding="utf-8-sig") as stream:
            table = csv.DictReader(stream)
            column = _label_column(path, table.fieldnames or (), label)
            rows = [row for row in table if row[column]]
        labels = tuple(sorted({row[column] for row in rows}))
        if len(labels) < 2:
            raise ConfigurationError(
                f"column {column!r} of {path} has the labels {labels}; two or more are needed"
            )
        return cls(column, labels, dict(sorted(Counter(row["site"] for row in rows).items())))

    def split(self, wishes: Iterable[str]) -> dict[str, int]:
        """Hospitals per site: as wished (`SITE=K`, the site's name or its start), else by the ratio of sizes.

        Without a wish, a site with more than 3 times the images of the smallest is divided, by patient, into
        as few hospitals as bring each below that. Raises ConfigurationError.
        """
        wished = dict(self._wish(text) for text in wishes)
        if wished:
            return wished
        smallest = min(self.images.values())
        parts = {site: math.ceil(count / (LARGEST_RATIO * smallest)) for site, count in self.images.items()}
        return {site: count for site, count in parts.items() if count > 1}

    def hospitals(self, split: Mapping[str, int]) -> list[str]:
        """The names that `wrap.wrap_images` gives the hospitals."""
        return sorted(name for site in self.images for name in _hospitals(site, split.get(site, 1)))

    def _wish(self, text: str) -> tuple[str, int]:
        name, _, number = text.rpartition("=")
        found = [site for site in self.images if name and dns_label(site).startswith(dns_label(name))]
        if len(found) != 1 or not number.isdecimal() or int(number) < 1:
            raise ConfigurationError(
                f"--split {text!r} is not legal; give SITE=NUMBER with one of the sites {', '.join(self.images)}"
            )
        return found[0], int(number)


def _hospitals(site: str, parts: int) -> list[str]:
    name = dns_label(site)
    return [name] if parts == 1 else [dns_label(f"{name[:60]}-{part + 1}") for part in range(parts)]


def _label_column(path: Path, columns: Iterable[str], wished: str | None) -> str:
    there = list(columns)
    legal = [wished] if wished is not None else list(LABEL_COLUMNS)
    found = next((name for name in legal if name in there), None)
    if found is None or "site" not in there:
        raise ConfigurationError(
            f"{path} has the columns {there}; it needs site and a column of labels: name it with --label"
        )
    return found
