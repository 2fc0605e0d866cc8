"""An open round, as the coordinator describes it. It needs no library that reads tensors, which verifying has not."""

from dataclasses import dataclass

from wardround.exchange.envelope import TensorFile
from wardround.exchange.messages import RoundMessage
from wardround.site.context import Seat
from wardround.site.hear import hear_round


@dataclass(frozen=True)
class Invitation:
    """A round that the coordinator opened; `name` and `file` are its broadcast, `digest` the SHA-256 of `round.json`."""

    number: int
    message: RoundMessage
    name: str
    file: TensorFile
    digest: str


def read_invitation(seat: Seat, number: int) -> Invitation:
    """The signed description of an open round. Raises RefusedError, EquivocationError."""
    record = hear_round(seat, number)
    return Invitation(number, record.message, *record.file("broadcast"), record.digest)
