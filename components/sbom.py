"""Says what each image holds, as CycloneDX: `python -m components.sbom UV [NAME …]` writes build/sbom/NAME.cdx.json.

Needs the environment of locks/sbom.txt. Python packages, with licences and what needs what, are read by
cyclonedx-py from environments made of the image's locks; Debian's from the base layer of the image in
build/images, if it was built.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from components.archives import read_archive
from components.build import NAMES, ROOT, archive_file

FOLDER = ROOT / "build" / "sbom"
# Image → locks of its environments, as the Dockerfile has them.
LOCKS = {
    "compile": ("compile", "compiler"),
    "preprocess": ("imaging",),
    "train": ("site",),
    "coordinator": ("coordinator",),
    "control": ("control",),
    "mlflow": ("mlflow",),
}


def write(name: str, uv: str) -> Path:
    """Writes one image's list. Raises ValueError for one that breaks CycloneDX's schema."""
    bom, *others = (python_packages(lock, uv) for lock in LOCKS[name])
    for other in others:
        bom.components.update(other.components)
        bom.dependencies.update(other.dependencies)
    bom.components.update(debian_packages(archive_file(name)))
    if bom.metadata.component is not None:
        bom.metadata.component.name = f"wardround-{name}"
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    if broken := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"{name}: {broken}")
    path = FOLDER / f"{name}.cdx.json"
    path.write_text(text + "\n", encoding="utf-8")
    return path


def python_packages(lock: str, uv: str) -> Bom:
    """What a lock installs, from an environment that is made for it and kept for the next time."""
    environment, raw = FOLDER / "environments" / lock, FOLDER / f"{lock}.part"
    python = str(environment / "bin" / "python")
    _run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment))
    _run(
        uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(ROOT / f"locks/{lock}.txt")
    )
    command = (
        sys.executable,
        "-m",
        "cyclonedx_py",
        "environment",
        "--pyproject",
        str(ROOT / "pyproject.toml"),
    )
    options = ("--mc-type", "application", "--output-reproducible", "--output-file", str(raw))
    _run(*command, *options, python)
    bom = Bom.from_json(json.loads(raw.read_text(encoding="utf-8")))  # type: ignore[attr-defined]
    raw.unlink()
    return bom


def debian_packages(archive: Path) -> Iterator[Component]:
    """The packages of the image's base layer; none if the image was not built."""
    if not archive.exists():
        return
    base = read_archive(archive).layers[0].digest.replace(":", "/")
    with tarfile.open(archive) as image:
        layer = image.extractfile(f"blobs/{base}")
        with tarfile.open(fileobj=layer) as files:
            status = files.extractfile("var/lib/dpkg/status")
            text = status.read().decode("utf-8") if status is not None else ""
    for entry in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            yield _debian(fields["Package"], fields["Version"], fields["Architecture"])


def main(words: Sequence[str]) -> None:
    """The command line."""
    uv, *names = words
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or NAMES:
        print(write(name, uv).relative_to(ROOT))


def _debian(name: str, version: str, architecture: str) -> Component:
    url = PackageURL("deb", "debian", name, version, {"arch": architecture})
    return Component(
        name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=url.to_string()
    )


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:])
