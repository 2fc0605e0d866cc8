"""Generated head MR phantoms of four hospitals with different scanners, written as DICOM series of slices.

A head is a stack of soft ellipsoids (scalp, skull, brain, ventricles) that vary from patient to patient. The label
`lesion` is a small bright blob, several slices thick. Two hospitals' sequences show water bright, as T2 weighting
does: a lesion is then no brighter than every head's ventricles. The other two suppress it, as FLAIR does
(Hajnal et al. 1992). So what one kind of hospital can learn is not enough for the other's patients. Every object
says in its elements that it is generated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from wardround.imaging.labels import write_labels
from wardround.imaging.writer import Grey, Origin, Plane, write_mr

LABELS = ("normal", "lesion")

# Direction cosines of an axial slice's columns and rows; the second scanner stores its slices turned over.
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
TURNED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
TILTED = (1.0, 0.0, 0.0, 0.0, 0.9848, -0.1736)
_HEAD_MM = (190.0, 230.0, 230.0)
# How steep tissues' edges are, per half field of view: over about three pixels from a tenth to nine tenths.
_EDGE = 40.0


@dataclass(frozen=True)
class MRProfile:
    """A hospital's MR scanner and patients.

    slices, side: slices of side x side pixels; orientation: direction cosines of columns and rows; order: how
    instance numbers run along the head (up, down or interleaved); scale: stored value of the brain; water: the
    signal of water, noise and shading: shares of it; positive: share of series with a lesion.
    """

    name: str
    slices: int
    side: int
    orientation: tuple[float, ...] = AXIAL
    order: str = "up"
    scale: float = 500
    water: float = 1.5
    noise: float = 0.06
    shading: float = 0.1
    positive: float = 0.5


HOSPITALS = (
    MRProfile("alder", 20, 64, AXIAL, "up", 500, 1.5, 0.05, 0.1, 0.5),
    MRProfile("birch", 24, 64, TURNED, "down", 1400, 0.45, 0.07, 0.2, 0.4),
    MRProfile("cedar", 16, 80, TILTED, "interleaved", 220, 1.4, 0.08, 0.15, 0.6),
    MRProfile("dogwood", 18, 72, AXIAL, "interleaved", 3000, 0.55, 0.06, 0.25, 0.35),
)


def generate_mr_site(out: Path, site: MRProfile, n: int, seed: int) -> Path:
    """Writes `n` series into `out/dicom` and `out/labels.csv` (series, label); returns the latter.

    One in four patients has two series. The same arguments give the same files.
    """
    rows = []
    for index in range(n):
        rng = np.random.default_rng([seed, crc32(site.name.encode()), index])
        label = int(rng.random() < site.positive)
        shape = (site.slices, site.side, site.side)
        volume = head(shape, rng, lesion=bool(label), water=site.water)
        stored = _scanned(_as_oriented(volume, site), site, rng)
        unique = f"{seed}/{site.name}/mr/{index}"
        rows.append(
            (_write_series(out / "dicom" / f"{index:05d}", stored, site, unique, index), LABELS[label])
        )
    return write_labels(out / "labels.csv", "series", rows)


def head(
    shape: tuple[int, int, int], rng: np.random.Generator, *, lesion: bool, water: float = 1.5
) -> np.ndarray:
    """Signal of a head, float32 [slices, rows, columns]: brain about 1, ventricles `water`, air 0.

    Slices run to the head's top, rows to the back, columns to the left.
    """
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in shape), indexing="ij")
    y, x = y - rng.normal(0, 0.03), x - rng.normal(0, 0.03)
    size = rng.uniform(0.92, 1.04, 3) * (0.95, 0.88, 0.72)
    # Scalp is bright, being fat, and skull is dark.
    signal = 2.2 * _blob(z, y, x, (0, 0, 0), size) - 2.1 * _blob(z, y, x, (0, 0, 0), size * 0.92)
    signal += 0.9 * _blob(z, y, x, (0, 0, 0), size * 0.84)
    swell = rng.uniform(0.8, 1.3)
    for side in (-1, 1):
        radii = np.array([0.3, 0.3, 0.08]) * swell
        signal += (water - 1) * _blob(z, y, x, (0.1, -0.03, side * 0.13), radii)
    # Sulci: where folds of grey matter meet water, stripes near the surface.
    folds = np.cos(9 * x + rng.uniform(0, 6)) * np.cos(9 * y + rng.uniform(0, 6)) * np.cos(7 * z)
    rim = _blob(z, y, x, (0, 0, 0), size * 0.84) - _blob(z, y, x, (0, 0, 0), size * 0.66)
    signal += 0.24 * (water - 1) * folds * rim
    if lesion:
        signal += _lesion(z, y, x, size, rng)
    return signal.astype(np.float32)


def _blob(
    z: np.ndarray, y: np.ndarray, x: np.ndarray, middle: tuple[float, float, float], radii: np.ndarray
) -> np.ndarray:
    distance = ((z - middle[0]) / radii[0]) ** 2 + ((y - middle[1]) / radii[1]) ** 2
    distance = np.sqrt(distance + ((x - middle[2]) / radii[2]) ** 2)
    beyond = _EDGE * float(np.mean(radii)) * (distance - 1)
    inside: np.ndarray = 1 / (1 + np.exp(np.clip(beyond, -30, 30)))
    return inside


def _lesion(
    z: np.ndarray, y: np.ndarray, x: np.ndarray, size: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    direction = rng.standard_normal(3)
    middle = direction / np.linalg.norm(direction) * size * rng.uniform(0.35, 0.6)
    radii = rng.uniform(0.12, 0.22) * rng.uniform(0.8, 1.25, 3)
    return rng.uniform(0.4, 0.65) * _blob(z, y, x, (middle[0], middle[1], middle[2]), radii)


def _as_oriented(volume: np.ndarray, site: MRProfile) -> np.ndarray:
    # Rows and columns are stored along the scanner's own directions.
    return volume[:, :: -1 if site.orientation[4] < 0 else 1, :: -1 if site.orientation[0] < 0 else 1]


def _scanned(volume: np.ndarray, site: MRProfile, rng: np.random.Generator) -> np.ndarray:
    ramp = np.linspace(-1, 1, site.side, dtype=np.float32)
    coil = 1 + site.shading * (rng.normal() * ramp[:, np.newaxis] + rng.normal() * ramp) / 2
    # The magnitude of a complex signal: noise is Rician (Gudbjartsson and Patz 1995).
    real, imaginary = (site.noise * rng.standard_normal(volume.shape, np.float32) for _ in range(2))
    signal = site.scale * rng.uniform(0.85, 1.15) * np.hypot(volume * coil + real, imaginary)
    stored: np.ndarray = np.rint(np.clip(signal, 0, 4095))
    return stored.astype(np.uint16)


def _write_series(folder: Path, stored: np.ndarray, site: MRProfile, unique: str, index: int) -> str:
    patient = f"{site.name[0].upper()}{index - (index % 5 == 4):04d}"
    spacing = (_HEAD_MM[1] / site.side, _HEAD_MM[2] / site.side)
    series = ""
    for number, (place, plane) in zip(_numbers(site), _planes(site, spacing), strict=True):
        instance = f"{unique}/{place}"
        origin = Origin(patient, f"PHANTOM^{patient}", unique, unique, instance, number)
        series = write_mr(
            folder / f"{number:03d}.dcm", stored[place], origin, Grey(12, spacing=spacing), plane
        )
    return series


def _numbers(site: MRProfile) -> list[int]:
    upward = list(range(1, site.slices + 1))
    if site.order == "up":
        return upward
    if site.order == "down":
        return upward[::-1]
    half = (site.slices + 1) // 2
    return [place // 2 + 1 + (place % 2) * half for place in range(site.slices)]


def _planes(site: MRProfile, spacing: tuple[float, float]) -> Iterator[tuple[int, Plane]]:
    columns, rows = np.array(site.orientation[:3]), np.array(site.orientation[3:])
    normal, distance = np.cross(columns, rows), _HEAD_MM[0] / site.slices
    corner = -(columns * spacing[1] + rows * spacing[0]) * (site.side - 1) / 2
    for place in range(site.slices):
        position = corner + normal * distance * (place - (site.slices - 1) / 2)
        yield place, Plane(site.orientation, tuple(position), distance)
