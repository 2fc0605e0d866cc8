"""A hospital's images: generated on this machine, and brought into the hospital's claim by a pod that is gone after."""

import hashlib
from pathlib import Path

from k8s.demo.loader import loader, pack
from wardround.local.phantoms import HOSPITALS, generate_xray_site

SEED = 7
_POD = "wardround-demo-loader"
_DIGEST = (
    "import hashlib, pathlib; f = pathlib.Path('/images/labels.csv'); "
    "print(hashlib.sha256(f.read_bytes()).hexdigest() if f.exists() else '')"
)


def generate(folder: Path, site: str, count: int) -> Path:
    """Draws `count` X-rays of the hospital's patients, unless they are there; returns the folder."""
    out = folder / "images" / f"{site}-{count}"
    if not (out / "labels.csv").is_file():
        profile = next(each for each in HOSPITALS if each.name == site)
        generate_xray_site(out, profile, count, SEED)
    return out


def bring(namespace: str, image: str, folder: Path) -> bool:
    """Copies the folder into the claim wardround-images; False if the same is there already."""
    with loader(namespace, _POD, image, {"/images": "wardround-images"}) as pod:
        wanted = hashlib.sha256((folder / "labels.csv").read_bytes()).hexdigest()
        if pod.python("-c", _DIGEST) == wanted:
            return False
        pod.unpack("/images", packed(folder))
    return True


def packed(folder: Path) -> bytes:
    """An archive of the folder's files. The labels come last: if they are there, so is everything else."""
    files = (each for each in folder.rglob("*") if each.is_file())
    return pack(folder, sorted(files, key=lambda each: each.name == "labels.csv"))
