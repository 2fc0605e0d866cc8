"""Secrets in memory, with the rules of `wardround.cluster.secrets`: for tests without a Kubernetes API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wardround.cluster.secrets import Content, Stored


@dataclass
class MemorySecrets:
    """A namespace's Secrets; `writes` counts changes."""

    content: dict[str, dict[str, bytes]] = field(default_factory=dict)
    writes: int = 0

    def read(self, name: str) -> Stored | None:
        found = self.content.get(name)
        return None if found is None else Stored(name, dict(found), {})

    def create_if_absent(self, name: str, make: Callable[[], Content]) -> Stored:
        created = name not in self.content
        if created:
            self.content[name] = dict(make())
            self.writes += 1
        return Stored(name, dict(self.content[name]), {}, created)

    def patch(self, name: str, content: Mapping[str, bytes | None]) -> Stored:
        found = self.content[name]
        for key, value in content.items():
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value
        self.writes += 1
        return Stored(name, dict(found), {})
