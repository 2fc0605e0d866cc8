"""What a federation's parties and namespaces are called, and what the demo calls its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

RELEASE = "wardround"
SITES = ("alder", "birch", "cedar")
# Namespaces that carry it were made by the demo, and only those are removed by `--clean`.
MARK = ("app.kubernetes.io/managed-by", "wardround-demo")


@dataclass(frozen=True)
class Names:
    """A federation on one cluster; `hospitals`: each site's namespace."""

    federation: str
    coordinator: str
    hospitals: Mapping[str, str]

    @property
    def sites(self) -> tuple[str, ...]:
        """The hospitals' names."""
        return tuple(self.hospitals)

    def site(self, site: str) -> str:
        """A hospital's namespace."""
        return self.hospitals[site]

    def namespaces(self) -> Iterator[str]:
        """All of them, the coordinator's first."""
        yield self.coordinator
        yield from self.hospitals.values()

    @property
    def exchange(self) -> str:
        """The exchange's address inside of the cluster."""
        return f"https://wardround-exchange.{self.coordinator}.svc:9000"


def demo_names(prefix: str = "") -> Names:
    """The demo's names, with what stands before each of its namespaces' names."""
    return Names("thorax", f"{prefix}coordinator", {site: f"{prefix}hospital-{site}" for site in SITES})
