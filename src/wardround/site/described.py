"""A run as the coordinator has described it to this site: `run.json`, and the list of members that it names."""

from dataclasses import dataclass

from wardround.exchange.envelope import PublicKey
from wardround.exchange.messages import FederationMessage, RunMessage, Seen
from wardround.exchange.records import Peer, Record


@dataclass(frozen=True)
class Described:
    """Both as they were read: everything that this site answers in the run refers to these bytes."""

    run: Record[RunMessage]
    members: Record[FederationMessage]

    @property
    def message(self) -> RunMessage:
        """The run's description."""
        return self.run.message

    @property
    def plan_digest(self) -> str:
        """The run's plan."""
        return self.message.plan_digest

    def member(self, site: str) -> Peer | None:
        """A site of the list with its key; None for one that is not a member."""
        key = self.members.message.members.get(site)
        return None if key is None else Peer(site, PublicKey(key))

    def seen(self, round_digest: str) -> Seen:
        """What this site has seen when it answers the round whose `round.json` has this SHA-256."""
        return Seen(round=round_digest, run=self.run.digest, members=self.members.digest)
