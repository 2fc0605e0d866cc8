"""Keys, credentials and approvals of everybody in the demo's federation. What is there already is kept."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.local.demo_folder import DemoFolder
from wardround.local.seaweed import Identity, federation_identities

FEDERATION = "demo"


@dataclass(frozen=True)
class Parties:
    """Who takes part: each one's public key (64 hexadecimal digits), the S3 users, and the coordinator's key."""

    sites: dict[str, str]
    coordinator: SigningKey
    identities: tuple[Identity, ...]


def set_up(folder: DemoFolder, sites: Iterable[str], seed: int) -> Parties:
    """Makes what every party needs in its own folder. Raises ConfigurationError for a damaged key."""
    names = sorted(sites)
    for site in names:
        _split_key(folder.site(site) / "split.key", f"{seed}/{site}")
    keys = {site: signing_key(folder.site(site)).public.text for site in names}
    identities = federation_identities(Layout(FEDERATION), names, folder.identities)
    return Parties(keys, signing_key(folder.coordinator), tuple(identities.values()))


def signing_key(party: Path) -> SigningKey:
    """The Ed25519 key in a party's folder, made at first use."""
    path = party / "key.pem"
    party.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        SigningKey.generate().save(path)
    return SigningKey.load(path)


def approve(folder: DemoFolder, sites: Iterable[str], digest: str) -> None:
    """What a data steward does with `wardround site approve`; in the demo, every one of them says yes."""
    for site in sites:
        approvals = folder.site(site) / "approvals"
        approvals.mkdir(exist_ok=True)
        (approvals / digest).touch()


def credentials(folder: DemoFolder, party: str) -> Path:
    """The file with a party's S3 identity."""
    return folder.identities / f"{party}.json"


def coordinator_variables(folder: DemoFolder) -> dict[str, str]:
    """The environment in which the coordinator's exchange opens."""
    return {"WARDROUND_S3_CREDENTIALS_FILE": str(credentials(folder, COORDINATOR))}


def _split_key(path: Path, text: str) -> None:
    # A hospital's key is random. The demo's follows from the seed, so that a seed gives the same patients
    # in the same split, and with them the same figures.
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(hashlib.sha256(f"wardround/demo/{text}".encode()).digest())
