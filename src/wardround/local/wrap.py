"""Real greyscale images with a manifest, wrapped as DICOM: one folder a site, as if each were a hospital's export."""

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wardround.errors import ConfigurationError
from wardround.imaging.labels import write_labels
from wardround.imaging.writer import Grey, Origin, write_dx

MANIFEST = "manifest.csv"
_NEEDED = ("file", "site", "patient")
_BITS = {"L": 8, "I;16": 16, "I;16L": 16, "I;16B": 16}


@dataclass(frozen=True)
class _Entry:
    path: Path
    site: str
    patient: str
    label: str


def wrap_images(
    images: Path, out: Path, label: str, by_site: Mapping[str, int] | None = None, seed: int = 0
) -> dict[str, Path]:
    """Writes `out/<site>/dicom/*.dcm` and `out/<site>/labels.csv`; returns each site's label table by site name.

    images: folder with `manifest.csv` (columns file, site, patient, and the one named by `label`); files are
    PNG or JPEG, 8 or 16 bit grey, named relative to the folder or its `img` folder.
    by_site: into how many hospitals a site is split, by patient: {"NIH-Bethesda-US": 2} gives
    `nih-bethesda-us-1` and `-2`, of about as many images each; `seed` chooses who goes where.

    Raises ConfigurationError if the manifest lacks a column, or a file is missing, outside the folder, or not grey.
    """
    entries = _read_manifest(images, label)
    parts = dict(by_site or {})
    unknown = sorted(set(parts) - {entry.site for entry in entries})
    if unknown:
        legal = ", ".join(sorted({entry.site for entry in entries}))
        raise ConfigurationError(f"sites {unknown} are not in {MANIFEST}; legal: {legal}")
    hospitals = _by_hospital(entries, parts, seed)
    return {name: _wrap_site(out / name, name, hospitals[name]) for name in sorted(hospitals)}


def dns_label(name: str) -> str:
    """A name as a DNS label (RFC 1123): lower case letters, digits and inner hyphens, at most 63."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")
    if not label:
        raise ConfigurationError(f"site name {name!r} has no letter or digit; give it one")
    return label


def _read_manifest(images: Path, label: str) -> list[_Entry]:
    path = images / MANIFEST
    if not path.is_file():
        raise ConfigurationError(f"{images} has no {MANIFEST}; give a folder of images with a manifest")
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = csv.DictReader(stream)
        missing = [name for name in (*_NEEDED, label) if name not in (rows.fieldnames or ())]
        if missing:
            raise ConfigurationError(f"{path} lacks the columns {missing}; it has {rows.fieldnames}")
        return [_Entry(_inside(images, row["file"]), row["site"], row["patient"], row[label]) for row in rows]


def _inside(images: Path, name: str) -> Path:
    root = images.resolve()
    for candidate in (root / name, root / "img" / name):
        path = candidate.resolve()
        if not path.is_relative_to(root):
            raise ConfigurationError(
                f"{MANIFEST} names {name!r}, which is outside {images}; nothing was read"
            )
        if path.is_file():
            return path
    raise ConfigurationError(
        f"{MANIFEST} names {name!r}, which is neither in {images} nor in {images / 'img'}"
    )


def _by_hospital(entries: Sequence[_Entry], parts: Mapping[str, int], seed: int) -> dict[str, list[_Entry]]:
    by_site: dict[str, list[_Entry]] = defaultdict(list)
    for entry in entries:
        by_site[entry.site].append(entry)
    hospitals: dict[str, list[_Entry]] = {}
    for site in sorted(by_site):
        for name, members in _divide(site, by_site[site], parts.get(site, 1), seed).items():
            if name in hospitals:
                raise ConfigurationError(
                    f"two sites are called {name!r} as a DNS label; rename one in {MANIFEST}"
                )
            hospitals[name] = members
    return hospitals


def _divide(site: str, entries: Sequence[_Entry], parts: int, seed: int) -> dict[str, list[_Entry]]:
    if parts < 1:
        raise ConfigurationError(f"site {site!r} cannot be split into {parts} hospitals; give 1 or more")
    if parts == 1:
        return {dns_label(site): list(entries)}
    images = Counter(entry.patient for entry in entries)
    sizes, place = [0] * parts, {}
    for patient in sorted(images, key=lambda name: hashlib.sha256(f"{seed}/{site}/{name}".encode()).digest()):
        place[patient] = sizes.index(min(sizes))
        sizes[place[patient]] += images[patient]
    return {
        dns_label(f"{dns_label(site)[:60]}-{part + 1}"): [e for e in entries if place[e.patient] == part]
        for part in range(parts)
    }


def _wrap_site(out: Path, site: str, entries: Sequence[_Entry]) -> Path:
    rows = [
        (_wrap(out / "dicom" / f"{index:05d}.dcm", site, entry), entry.label)
        for index, entry in enumerate(entries)
    ]
    return write_labels(out / "labels.csv", "sop_instance", [row for row in rows if row[1]])


def _wrap(path: Path, site: str, entry: _Entry) -> str:
    stored, bits = _read_grey(entry.path)
    origin = Origin(
        patient=entry.patient,
        name=f"WRAPPED^{entry.patient}"[:64],
        study=f"{site}/{entry.patient}/{entry.path.name}",
        series=f"{site}/{entry.patient}/{entry.path.name}",
        instance=f"{site}/{entry.patient}/{entry.path.name}",
        manufacturer="WARDROUND WRAPPED IMAGE",
        comments="wrapped from an image file",
    )
    # A window over the whole range keeps the grey values as they are.
    return write_dx(path, stored, origin, Grey(bits, window=(2 ** (bits - 1), 2**bits)))


def _read_grey(path: Path) -> tuple[np.ndarray, int]:
    with Image.open(path) as image:
        if image.mode not in _BITS:
            raise ConfigurationError(
                f"{path.name} is of mode {image.mode}; legal: grey of 8 or 16 bit. Convert it first"
            )
        return np.asarray(image), _BITS[image.mode]
