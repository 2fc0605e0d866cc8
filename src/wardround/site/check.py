"""The broadcast of an open round, checked before anything runs: its size, bytes, shapes and values."""

from collections.abc import Mapping

import numpy as np

from wardround.errors import RefusedError
from wardround.exchange.errors import OversizedError
from wardround.exchange.records import file_spec
from wardround.exchange.tensors import TensorSpec, expected_size, read_tensors
from wardround.plan.process import Tensors
from wardround.plan.program import Program
from wardround.site.context import Seat
from wardround.site.invitation import Invitation
from wardround.text import foreign


def read_broadcast(seat: Seat, program: Program, invitation: Invitation) -> Tensors:
    """All broadcast tensors, equal ones that were sent once included.

    Raises RefusedError: the codes of `read_tensors`, `oversized`, and `not-finite` for a model that has diverged.
    """
    aliases, file = invitation.message.aliases, invitation.file
    spec = sent_spec(file_spec(program.broadcast_spec), aliases)
    if file.size > expected_size(spec):
        raise OversizedError(invitation.name, file.size, expected_size(spec))
    path = seat.work / invitation.name
    key = seat.channel.keys.round_file(invitation.number, invitation.name)
    seat.shared.download(key, path, limit=file.size)
    try:
        tensors = read_tensors(path, spec, file)
    finally:
        path.unlink()
    _check_finite(tensors)
    return tensors | {alias: tensors[name] for alias, name in aliases.items()}


def _check_finite(tensors: Tensors) -> None:
    # Nothing can be learned from such a model: whatever is made of it is not finite, and would not be counted.
    for name, value in tensors.items():
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            raise RefusedError(
                f"broadcast tensor {foreign(name)!r} holds values that are NaN or infinite: the model has diverged, or "
                "its coordinator sends what is none; nothing was computed",
                code="not-finite",
            )


def sent_spec(spec: dict[str, TensorSpec], aliases: Mapping[str, str]) -> dict[str, TensorSpec]:
    """The specs of the tensors that are in the file: all but the aliases, which must make sense."""
    for alias, name in aliases.items():
        if alias not in spec or name in aliases or spec.get(name) != spec[alias]:
            raise RefusedError(
                f"broadcast tensor {alias[:80]!r} is said to equal {name[:80]!r}; both must be tensors of the "
                "plan with one shape and dtype, and the second one sent",
                code="malformed",
            )
    return {name: tensor for name, tensor in spec.items() if name not in aliases}
