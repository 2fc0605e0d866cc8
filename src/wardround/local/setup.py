"""Keys, credentials and approvals of everybody in the demo's federation. What is there already is kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.local.demo_choices import Choices
from wardround.local.demo_folder import DemoFolder
from wardround.local.seaweed import Identity, federation_identities
from wardround.local.split_keys import keep_split_key

FEDERATION = "demo"


@dataclass(frozen=True)
class Parties:
    """Who takes part: each one's public key (64 hexadecimal digits), the S3 users, and the coordinator's key."""

    sites: dict[str, str]
    coordinator: SigningKey
    identities: tuple[Identity, ...]


def set_up(folder: DemoFolder, sites: Iterable[str]) -> Parties:
    """Makes what every party needs in its own folder. Raises ConfigurationError for a damaged key."""
    names = sorted(sites)
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


def set_up_splits(folder: DemoFolder, choices: Choices) -> None:
    """A split key for each hospital."""
    for site in choices.sites:
        keep_split_key(folder.site(site) / "split.key", f"{choices.seed}/{site}")


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
