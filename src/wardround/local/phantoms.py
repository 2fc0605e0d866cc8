"""Generated chest X-ray phantoms of four hospitals with different scanners, written as DICOM.

They are drawings, not patients: a body's attenuation is drawn as a sum of soft shapes that vary from patient to
patient, and every scanner turns it into grey values in its own way. The label `opacity` is a soft consolidation
in a lung, of about the contrast of a rib or a vessel's shadow. Every object says in its elements that it is generated.
"""

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from wardround.imaging.labels import write_labels
from wardround.imaging.writer import Grey, Origin, write_dx

LABELS = ("normal", "opacity")


@dataclass(frozen=True)
class ScannerProfile:
    """A hospital's X-ray machine and patients.

    rows, columns: image size; bits: stored bits (8 in uint8, else uint16); photometric: MONOCHROME1 or 2;
    gamma: the curve from attenuation to grey; span: darkest and brightest share of the stored range;
    noise: standard deviation as a share of the span; blur: pixels per smallest detail that the detector sees;
    positive: share of images with an opacity; windowed: whether the object carries a display window.
    """

    name: str
    rows: int
    columns: int
    bits: int
    photometric: str = "MONOCHROME2"
    gamma: float = 1.0
    span: tuple[float, float] = (0.05, 0.95)
    noise: float = 0.02
    blur: float = 1.25
    positive: float = 0.5
    windowed: bool = True
    compression: str = "none"


HOSPITALS = (
    ScannerProfile("alder", 256, 256, 12, gamma=1.0, noise=0.015, positive=0.5),
    ScannerProfile("birch", 320, 256, 10, "MONOCHROME1", 0.75, (0.1, 0.8), 0.02, 1.5, 0.35),
    ScannerProfile("cedar", 288, 288, 8, gamma=1.35, noise=0.025, positive=0.6, windowed=False),
    ScannerProfile(
        "dogwood", 400, 320, 16, "MONOCHROME1", 1.1, (0.2, 0.6), 0.03, 2.0, 0.25, compression="jpeg-ls"
    ),
)


@dataclass(frozen=True)
class Body:
    """One patient's proportions, in units of half the image (x to the right, y down, 0 in the middle)."""

    width: float
    lung: tuple[float, float]
    apart: float
    top: float
    heart: tuple[float, float]
    ribs: int
    slope: float
    density: float
    texture: float


def generate_xray_site(out: Path, site: ScannerProfile, n: int, seed: int) -> Path:
    """Writes `n` X-ray objects into `out/dicom` and `out/labels.csv` (sop_instance, label); returns the latter.

    A patient has one to three images. The same arguments give the same files.
    """
    rows = []
    for index, (patient, visit) in enumerate(_visits(site, n, seed)):
        rng = np.random.default_rng([seed, crc32(site.name.encode()), index])
        label = int(rng.random() < site.positive)
        body = _body(np.random.default_rng([seed, crc32(site.name.encode()), patient, 7]))
        # Drawn at the detector's true resolution, which is less than its number of pixels.
        drawn = (round(site.rows / site.blur), round(site.columns / site.blur))
        stored = _expose(attenuation(body, drawn, rng, opacity=bool(label)), site, rng)
        path = out / "dicom" / f"{index:05d}.dcm"
        rows.append((write_dx(path, stored, _origin(site, seed, patient, visit), _grey(site)), LABELS[label]))
    return write_labels(out / "labels.csv", "sop_instance", rows)


def attenuation(body: Body, size: tuple[int, int], rng: np.random.Generator, *, opacity: bool) -> np.ndarray:
    """A body's attenuation in [0, ~1], float32 of `size` (rows, columns), with or without an opacity."""
    y, x = _grid(size, rng)
    lungs = [_ellipse(y, x, body.top + body.lung[0], side * body.apart, body.lung, 18) for side in (-1, 1)]
    lungs[0] *= _above(y, 0.52 - 0.3 * (x + body.apart) ** 2)
    lungs[1] *= _above(y, 0.58 - 0.3 * (x - body.apart) ** 2)
    air = np.maximum(*lungs)
    torso = _above(np.abs(x), body.width - 0.25 * np.exp(-(((y + 1.1) / 0.35) ** 2)), 14)
    image = body.density * torso * (0.75 + 0.25 * np.sqrt(np.clip(1 - (x / body.width) ** 2, 0, 1)))
    image -= 0.36 * air * torso
    image += 0.2 * np.exp(-((x / 0.09) ** 2)) * torso
    image += 0.28 * _ellipse(y, x, 0.22, 0.16, body.heart, 12) * torso
    image += _ribs(y, x, body) * torso * 0.075
    image += body.texture * _clouds(size, rng) * (0.35 * torso + air)
    if opacity:
        image += _consolidation(y, x, body, size, rng) * air
    return image


def _visits(site: ScannerProfile, n: int, seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng([seed, crc32(site.name.encode())])
    images = rng.choice([1, 2, 3], n, p=[0.75, 0.18, 0.07])
    return [(patient, visit) for patient, count in enumerate(images) for visit in range(count)][:n]


def _body(rng: np.random.Generator) -> Body:
    return Body(
        width=rng.uniform(0.78, 0.98),
        lung=(rng.uniform(0.58, 0.74), rng.uniform(0.27, 0.35)),
        apart=rng.uniform(0.4, 0.47),
        top=rng.uniform(-0.9, -0.76),
        heart=(rng.uniform(0.28, 0.38), rng.uniform(0.24, 0.36)),
        ribs=int(rng.integers(8, 11)),
        slope=rng.uniform(0.25, 0.6),
        density=rng.uniform(0.52, 0.66),
        texture=rng.uniform(0.01, 0.022),
    )


def _grid(size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    # Each exposure is turned, shifted and scaled a little.
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in size), indexing="ij")
    turn, scale = rng.normal(0, 0.03), rng.normal(1, 0.03)
    down, right = rng.normal(0, 0.035, 2)
    y, x = (y - down) * scale, (x - right) * scale
    return y + turn * x, x - turn * y


def _above(value: np.ndarray, bound: np.ndarray | float, sharpness: float = 25) -> np.ndarray:
    edge: np.ndarray = 1 / (1 + np.exp(np.clip(sharpness * (value - bound), -30, 30)))
    return edge


def _ellipse(
    y: np.ndarray,
    x: np.ndarray,
    middle_y: float,
    middle_x: float,
    radii: tuple[float, float],
    sharpness: float,
) -> np.ndarray:
    distance = np.sqrt(((y - middle_y) / radii[0]) ** 2 + ((x - middle_x) / radii[1]) ** 2)
    return _above(distance, 1, sharpness)


def _ribs(y: np.ndarray, x: np.ndarray, body: Body) -> np.ndarray:
    # Back ribs fall towards the sides; all of them at once as a wave along the height above their arc.
    height = y - body.slope * x**2 + 0.35 * np.abs(x)
    wave = np.cos(height * np.pi * body.ribs)
    ribs: np.ndarray = _above(-wave, -0.45, 12) * _above(np.abs(x), 0.8 * body.width) * _above(y, 0.75)
    return ribs


def _clouds(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    # Smooth noise at three scales stands for vessels and tissue.
    layers = ((6, 1.0), (14, 0.8), (32, 0.6))
    noise = [weight * _stretch(rng.standard_normal((cells, cells)), size) for cells, weight in layers]
    return np.asarray(sum(noise))


def _stretch(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    image = Image.fromarray(grid.astype(np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _consolidation(
    y: np.ndarray, x: np.ndarray, body: Body, size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    side = rng.choice([-1, 1])
    middle_y = body.top + body.lung[0] * rng.uniform(0.45, 1.7)
    middle_x = side * body.apart + body.lung[1] * rng.uniform(-0.55, 0.55)
    radius = rng.uniform(0.13, 0.25)
    ragged = 1 + 0.35 * _stretch(rng.standard_normal((12, 12)), size)
    squared = ((y - middle_y) / rng.uniform(0.8, 1.3)) ** 2 + (x - middle_x) ** 2
    shadow: np.ndarray = ragged * np.exp(-((squared / radius**2) ** 1.5))
    return rng.uniform(0.22, 0.36) * shadow


def _expose(image: np.ndarray, site: ScannerProfile, rng: np.random.Generator) -> np.ndarray:
    low, high = site.span
    grey = np.clip(image * rng.normal(1, 0.04) + rng.normal(0, 0.02), 0, 1) ** site.gamma
    size = (site.rows, site.columns)
    grey = _stretch(grey, size) + site.noise * rng.standard_normal(size, np.float32)
    grey = low + (high - low) * np.clip(grey, 0, 1)
    if site.photometric == "MONOCHROME1":
        grey = 1 - grey
    stored: np.ndarray = np.rint(grey * (2**site.bits - 1))
    return stored.astype(np.uint8 if site.bits <= 8 else np.uint16)


def _grey(site: ScannerProfile) -> Grey:
    low, high = site.span if site.photometric == "MONOCHROME2" else (1 - site.span[1], 1 - site.span[0])
    top = 2**site.bits - 1
    window = ((low + high) / 2 * top, (high - low) * top) if site.windowed else None
    spacing = (350 / site.columns,) * 2
    return Grey(site.bits, site.photometric, window, spacing, site.compression)


def _origin(site: ScannerProfile, seed: int, patient: int, visit: int) -> Origin:
    unique = f"{seed}/{site.name}/{patient}/{visit}"
    name = f"{site.name[0].upper()}{patient:04d}"
    return Origin(name, f"PHANTOM^{name}", unique, unique, unique)
