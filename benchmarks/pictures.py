"""Pictures without text to plant text in: phantoms of five kinds, and real X-ray film where it is at hand.

All are uint16 [rows, columns] of 12 bits. Film that was published has been halved and halved again, so its lead letters
are smaller than in a hospital's own files.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from wardround.local.phantoms import Body, attenuation
from wardround.local.phantoms_mr import head

FILM = Path(__file__).resolve().parents[2] / "shared" / "data" / "cxr_sites" / "img"
# Rows above an ultrasound sector, in which scanners write.
BANNER = 60


def x_ray(rng: np.random.Generator, size: tuple[int, int] = (1024, 896)) -> np.ndarray:
    """A chest with a lead letter."""
    body = Body(
        width=rng.uniform(0.8, 0.95),
        lung=(rng.uniform(0.6, 0.7), rng.uniform(0.28, 0.34)),
        apart=0.43,
        top=-0.83,
        heart=(0.33, 0.3),
        ribs=9,
        slope=rng.uniform(0.3, 0.55),
        density=0.6,
        texture=rng.uniform(0.01, 0.02),
    )
    image = attenuation(body, size, rng, opacity=bool(rng.random() < 0.5))
    low, high = image.min(), image.max()
    grey = 200 + 3000 * (image - low) / (high - low) + rng.normal(0, 30, size)
    _marker(grey, rng)
    return np.clip(grey, 0, 4095).astype(np.uint16)


def _marker(grey: np.ndarray, rng: np.random.Generator) -> None:
    """A lead letter, as on nearly every film."""
    size = grey.shape[0] // 600 + 1
    place = int(grey.shape[1] * rng.uniform(0.05, 0.9)), int(grey.shape[0] * 0.12)
    lead = np.zeros(grey.shape, np.uint8)
    cv2.putText(lead, str(rng.choice(("L", "R", "AP"))), place, cv2.FONT_HERSHEY_DUPLEX, size, 255, 2 * size)
    grey[lead > 127] = 3900


def ct(rng: np.random.Generator) -> np.ndarray:
    """A slice of a head."""
    return ct_stack(rng, 1)[0]


def ct_stack(rng: np.random.Generator, slices: int) -> np.ndarray:
    """Slices of a head, [slices, 512, 512]."""
    volume = head((slices + 6, 512, 512), rng, lesion=False)[3 : 3 + slices]
    down, across = np.meshgrid(*(np.linspace(-1, 1, 512),) * 2, indexing="ij")
    skull = np.exp(-(((np.hypot(down, across / 0.8) - 0.82) / 0.03) ** 2))
    # Air at -1000, soft tissue about 40, bone up to 1300 Hounsfield units, as scanners store them: with 1024 more.
    units = 24 + volume / volume.max() * 1040 + 1300 * skull + rng.normal(0, 12, volume.shape)
    return np.clip(units, 0, 4095).astype(np.uint16)


def mr(rng: np.random.Generator) -> np.ndarray:
    """A slice of a head of 256 x 256."""
    volume = head((8, 256, 256), rng, lesion=False)[4]
    return np.clip(volume / volume.max() * 900 + rng.normal(20, 8, volume.shape), 0, 4095).astype(np.uint16)


def mammogram(rng: np.random.Generator, size: tuple[int, int] = (1280, 1024)) -> np.ndarray:
    """A breast from one side of the film, with glands, a pectoral muscle, and a lead mark of side and view."""
    rows, columns = size
    down, across = np.mgrid[-1 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    depth = np.clip(
        1 - (across / rng.uniform(0.6, 0.85)) ** 2 - (down / rng.uniform(0.75, 0.95)) ** 2, 0, None
    )
    glands = cv2.GaussianBlur(rng.normal(0, 1, size).astype(np.float32), (0, 0), rng.uniform(6, 14))
    fibres = cv2.GaussianBlur(rng.normal(0, 1, size).astype(np.float32), (0, 0), 2)
    muscle = np.clip(rng.uniform(0.1, 0.3) - across - 0.3 * (down + 1), 0, None)
    tissue = depth**0.5 * (1 + 0.25 * glands / glands.std() + 0.06 * fibres / fibres.std()) + 3 * muscle
    grey = 60 + 2600 * np.clip(tissue, 0, 1.6) / 1.6 + rng.normal(0, 12, size)
    side, view = str(rng.choice(("L", "R"))), str(rng.choice(("CC", "MLO")))
    lead = np.zeros(size, np.uint8)
    place = int(columns * 0.78), int(rows * rng.uniform(0.06, 0.12))
    cv2.putText(lead, f"{side} {view}", place, cv2.FONT_HERSHEY_DUPLEX, 1.6, 255, 4)
    grey[lead > 127] = 3900
    return np.clip(grey, 0, 4095).astype(np.uint16)


def ultrasound(rng: np.random.Generator, size: tuple[int, int] = (576, 768)) -> np.ndarray:
    """A sector of speckle below a black banner of `BANNER` rows, with a grey scale beside it."""
    rows, columns = size
    down, across = np.mgrid[0:rows, 0:columns].astype(np.float32)
    radius = np.hypot(down - BANNER + 60, across - columns / 2)
    angle = np.abs(np.arctan2(across - columns / 2, down - BANNER + 60))
    sector = (
        (radius > 70) & (radius < rows - BANNER + 40) & (angle < rng.uniform(0.5, 0.75)) & (down > BANNER)
    )
    speckle = cv2.GaussianBlur(rng.rayleigh(1, size).astype(np.float32), (0, 0), 1.2)
    organs = cv2.GaussianBlur(rng.normal(0, 1, size).astype(np.float32), (0, 0), 25)
    grey = np.where(sector, 900 * speckle * (1 + 0.5 * organs / organs.std()) * np.exp(-radius / 900), 0)
    grey[BANNER + 30 : BANNER + 230, 20:32] = np.linspace(4000, 0, 200)[:, None]
    return np.clip(grey, 0, 4095).astype(np.uint16)


def film(rng: np.random.Generator) -> np.ndarray:
    """A film of those that nobody looked at when bounds were chosen, enlarged to 1024 pixels."""
    paths = film_paths()
    with Image.open(paths[int(rng.integers(len(paths)))]) as image:
        grey = np.asarray(image.convert("L"))
    large = cv2.resize(grey, (1024, 1024 * grey.shape[0] // grey.shape[1]), interpolation=cv2.INTER_CUBIC)
    return np.clip(large * 12.0 + rng.normal(0, 30, large.shape), 0, 4095).astype(np.uint16)


def film_paths() -> list[Path]:
    """The films that nobody looked at: the detector was tuned on those at even places."""
    return sorted(FILM.glob("*.png"))[1::2]
