"""What the demo's parties and namespaces are called."""

from collections.abc import Iterator
from dataclasses import dataclass

FEDERATION = "thorax"
SITES = ("alder", "birch", "cedar")
RELEASE = "wardround"
# Namespaces that carry it were made by the demo, and only those are removed by `--clean`.
MARK = ("app.kubernetes.io/managed-by", "wardround-demo")


@dataclass(frozen=True)
class Names:
    """Namespaces, with what stands before each of their names."""

    prefix: str = ""

    @property
    def coordinator(self) -> str:
        """The coordinator's namespace."""
        return f"{self.prefix}coordinator"

    def site(self, site: str) -> str:
        """A hospital's namespace."""
        return f"{self.prefix}hospital-{site}"

    def namespaces(self) -> Iterator[str]:
        """All of them, the coordinator's first."""
        yield self.coordinator
        yield from map(self.site, SITES)

    @property
    def exchange(self) -> str:
        """The exchange's address inside of the cluster."""
        return f"https://wardround-exchange.{self.coordinator}.svc:9000"
