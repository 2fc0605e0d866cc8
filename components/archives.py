"""OCI archives of images: the digest by which a cluster names one, and its layers."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Layer:
    """A layer's digest and its size in the archive, in bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class Archive:
    """An image in an archive: its manifest's digest, and its layers from the base upwards."""

    digest: str
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        """Bytes of all layers, as they are sent and stored."""
        return sum(layer.size for layer in self.layers)


def read_archive(path: Path) -> Archive:
    """Reads an archive's manifest. Raises ValueError for anything but an OCI archive of one image."""
    with tarfile.open(path) as archive:
        try:
            index = _json(archive, "index.json")
        except KeyError as error:
            raise ValueError(f"{path} is no OCI archive; docker writes them from version 25 on") from error
        entries = index["manifests"]
        if len(entries) != 1:
            raise ValueError(f"{path} holds {len(entries)} images; expected one")
        digest = entries[0]["digest"]
        manifest = _json(archive, f"blobs/{digest.replace(':', '/')}")
    if "layers" not in manifest:
        raise ValueError(f"{path} holds an image for several platforms; build it for one")
    return Archive(digest, tuple(Layer(layer["digest"], layer["size"]) for layer in manifest["layers"]))


def _json(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is no file")
    return json.load(member)
