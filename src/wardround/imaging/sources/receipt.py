"""What a finished dataset was made from, for when the files that were fetched for it are gone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wardround.exchange.files import whole_file
from wardround.imaging.inventory import Inventory
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.sources.archive import Parcel
from wardround.imaging.workspace import FOLDER, RECEIPT, fingerprint


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    listing: str
    inputs: str
    inventory: Inventory


@dataclass(frozen=True)
class Receipt:
    """The receipt of a dataset: of these parcels (`listing`), and labels, settings and key (`inputs`)."""

    path: Path
    listing: str
    inputs: str

    @classmethod
    def of(cls, out: Path, parcels: Sequence[Parcel], labels: Path, settings: IntakeSettings) -> Receipt:
        """The receipt that belongs into the folder `out`."""
        listing = hashlib.sha256("\n".join(parcel.name for parcel in parcels).encode()).hexdigest()
        inputs = fingerprint(Inventory(files={}), labels, settings, settings.split_key())
        return cls(out / FOLDER / RECEIPT, listing, inputs)

    def read(self) -> Inventory | None:
        """The files, if a dataset was made from these parcels, labels, settings and this key."""
        try:
            found = _Content.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, ValueError):  # none, or an earlier version's
            return None
        return found.inventory if (found.listing, found.inputs) == (self.listing, self.inputs) else None

    def write(self, inventory: Inventory) -> None:
        """Remembers the files."""
        content = _Content(listing=self.listing, inputs=self.inputs, inventory=inventory)
        with whole_file(self.path) as file:
            file.write(content.model_dump_json().encode())

    def forget(self) -> None:
        """Removes what is remembered."""
        self.path.unlink(missing_ok=True)
