"""What every site receives in a round: what the plan's `prepare` gives, and the model's weights by name.

    train/<leaf of prepare>       what `work` takes
    model/<name of a weight>      what `predict` takes, where the plan has a model

Equal tensors travel once: most algorithms train on the very weights that are evaluated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wardround.plan.data import Array
from wardround.plan.process import Tensors, unprefixed

TRAIN = "train/"
MODEL = "model/"


@dataclass(frozen=True)
class Broadcast:
    """What every site receives. A name in `aliases` stands for an equal tensor that is sent once."""

    tensors: Tensors
    aliases: dict[str, str]


def broadcast_of(prepared: Tensors, weights: Tensors) -> Broadcast:
    """The result of `prepare` and the model's weights (none without a model), equal tensors once."""
    named = {f"{TRAIN}{name}": value for name, value in prepared.items()}
    return share_equal(named | {f"{MODEL}{name}": value for name, value in weights.items()})


def training_part(broadcast: Mapping[str, Array]) -> Tensors:
    """What `work` takes of a broadcast, by the names of its leaves."""
    return unprefixed(broadcast, TRAIN)


def model_weights(broadcast: Mapping[str, Array]) -> Tensors:
    """The weights to evaluate, by name."""
    return unprefixed(broadcast, MODEL)


def share_equal(tensors: Tensors) -> Broadcast:
    """Keep the first of equal tensors, and say of the others which one they equal. Scalars are not worth it."""
    first: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    sent: Tensors = {}
    aliases: dict[str, str] = {}
    for name, value in tensors.items():
        twin = first.setdefault(_identity(value), name) if value.size > 1 else name
        if twin == name:
            sent[name] = value
        else:
            aliases[name] = twin
    return Broadcast(sent, aliases)


def _identity(value: Array) -> tuple[str, tuple[int, ...], bytes]:
    data = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    return value.dtype.str, value.shape, hashlib.sha256(data.data).digest()
