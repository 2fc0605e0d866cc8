"""Builds Wardround's images: `python -m components.build images|push|lock`.

    images [NAME …]  builds (podman, buildah or docker), saves each in build/images/NAME.tar, writes the lock
    push             pushes all to the registry, and writes the lock with the digests that they have there
    lock             copies build/images.lock.json to components/ and into the charts

The lock is `build/images.lock.json` (component → image by digest), and the same as values for Helm in
`build/images.values.yaml`. Variables: REGISTRY (prefix of the names), PYTHON_IMAGE (base image), IMAGE_ENGINE
(which engine), IMAGE_BUILD (a command that builds in the engine's place).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from components.archives import Archive, read_archive
from components.engines import Engine, EngineError, find_engine
from components.images import IMAGES, LOCK, by_component

ROOT = Path(__file__).parents[1]
DOCKERFILE = Path("components/Dockerfile")
REGISTRY = "ghcr.io/wardround"
# Names of images, which are targets of the Dockerfile.
NAMES = tuple(dict.fromkeys(IMAGES.values()))
TITLES = {
    "compile": "compiles recipes to plans, with TensorFlow Federated beside",
    "preprocess": "prepares a hospital's images",
    "train": "a hospital's part in the rounds",
    "coordinator": "the coordinator's rounds, and reports",
    "control": "compiles and starts pipelines, sets up namespaces; no TensorFlow",
    "mlflow": "the registry's server",
}


def registry() -> str:
    """What stands before the images' names."""
    return os.environ.get("REGISTRY") or REGISTRY


def version() -> str:
    """Wardround's version, which is the images' tag."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def tag(name: str) -> str:
    """An image's name with its tag."""
    return f"{registry()}/{name}:{version()}"


def archive_file(name: str) -> Path:
    """Where an image is saved."""
    return ROOT / "build" / "images" / f"{name}.tar"


def labels(name: str) -> dict[str, str]:
    """OCI's predefined annotation keys that say what an image is and what it was made from."""
    base = os.environ.get("PYTHON_IMAGE")
    found = {
        "title": f"wardround-{name}",
        "description": f"Wardround: {TITLES[name]}",
        "version": version(),
        "licenses": "Apache-2.0",
        "vendor": "Wardround",
        "revision": _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"),
        "created": _git("log", "-1", "--format=%cI"),
        **({"base.name": base} if base else {}),
    }
    return {f"org.opencontainers.image.{key}": value for key, value in found.items() if value}


def build(name: str, engine: Engine) -> None:
    """Builds an image and saves it. Raises EngineError."""
    base = os.environ.get("PYTHON_IMAGE")
    options = [] if base is None else ["--build-arg", f"PYTHON_IMAGE={base}"]
    for key, value in labels(name).items():
        options += ["--label", f"{key}={value}"]
    _say(f"{name}: building")
    engine.build(DOCKERFILE, name, tag(name), options)
    _say(f"{name}: saving")
    engine.save(tag(name), archive_file(name))


def push(engine: Engine) -> dict[str, str]:
    """Pushes all images; returns each by the digest that the registry has. Raises EngineError."""
    digests = ROOT / "build" / "digest.txt"
    return {name: f"{registry()}/{name}@{engine.push(tag(name), digests)}" for name in NAMES}


def saved() -> dict[str, Archive]:
    """The images that are saved, by name."""
    return {name: read_archive(archive_file(name)) for name in NAMES if archive_file(name).exists()}


def write_lock(references: dict[str, str]) -> None:
    """Writes the lock and Helm's values; an image that isn't there stays as the published lock has it."""
    published = json.loads(LOCK.read_text(encoding="utf-8"))
    known = {IMAGES[component]: reference for component, reference in published.items()}
    lock = by_component({**known, **references})
    folder = ROOT / "build"
    (folder / "images.lock.json").write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")
    lines = ["images:", *(f"  {component}: {reference}" for component, reference in lock.items())]
    (folder / "images.values.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def copy_lock(root: Path = ROOT) -> list[Path]:
    """Makes the lock of `build/` the project's: for the pipelines, and for each chart. Returns what was written."""
    source = root / "build" / "images.lock.json"
    charts = [path.parent for path in sorted((root / "helm").glob("*/Chart.yaml"))]
    places = [root / "components" / LOCK.name, *(chart / LOCK.name for chart in charts)]
    for place in places:
        shutil.copyfile(source, place)
    return places


def table(images: dict[str, Archive]) -> Iterable[str]:
    """Lines that say how large images are, and what they share."""
    seen: set[str] = set()
    for name, image in images.items():
        new = sum(layer.size for layer in image.layers if layer.digest not in seen)
        seen.update(layer.digest for layer in image.layers)
        yield f"{name:12} {image.size / 1e6:6.0f} MB to pull, {new / 1e6:6.0f} MB of it new  {image.digest}"


def main(words: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("images", "push", "lock"))
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all if none is given")
    given = parser.parse_args(words)
    if unknown := sorted(set(given.names) - set(NAMES)):
        parser.error(f"no image {unknown[0]!r}; legal: {', '.join(NAMES)}")
    os.chdir(ROOT)
    try:
        _run(given.what, given.names or NAMES)
    except (EngineError, OSError, ValueError) as error:
        _say(f"error: {error}")
        return 1
    return 0


def _run(what: str, names: Iterable[str]) -> None:
    if what == "lock":
        _say("\n".join(str(path.relative_to(ROOT)) for path in copy_lock()))
        return
    engine = find_engine()
    if what == "push":
        write_lock(push(engine))
        return
    for name in names:
        build(name, engine)
        write_lock({name: f"{registry()}/{name}@{image.digest}" for name, image in saved().items()})
    _say("\n".join(table(saved())))


def _git(*words: str) -> str:
    """What git says, or nothing where there is no repository, as in an unpacked release."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
