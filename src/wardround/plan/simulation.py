"""A federation in one process, on arrays: for tests, baselines, and a data scientist's first try."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.errors import ConfigurationError
from wardround.plan.broadcast import Broadcast
from wardround.plan.data import Array, Examples, training_order
from wardround.plan.process import STORED_SCALE, Tensors
from wardround.plan.program import Measurements, Program

_MAX_BYTES = 64 << 30


@dataclass(frozen=True)
class SimulatedRound:
    """State after round `number` (from 1), and the training figures of that round."""

    number: int
    state: Tensors
    measurements: Measurements


def simulate(
    program: Program, sites: Mapping[str, Examples], rounds: int, *, run: str = "simulation"
) -> Iterator[SimulatedRound]:
    """Yield each round. Sites train in the order of their names, as a coordinator adds them up."""
    state = program.initialize()
    recipe = program.recipe
    for number in range(1, rounds + 1):
        broadcast = received(program.prepare(state))
        total = program.accumulator()
        for site, examples in sorted(sites.items()):
            order = training_order(
                len(examples),
                seed=recipe.seed,
                run=run,
                site=site,
                round=number,
                epochs=recipe.algorithm.client.epochs,
            )
            total.add(program.work(examples, order, broadcast))
        state, measurements = program.update(state, total.result())
        yield SimulatedRound(number, state, measurements)


def received(broadcast: Broadcast) -> Tensors:
    """Return the broadcast as a site sees it, with every tensor under its own name."""
    return broadcast.tensors | {name: broadcast.tensors[twin] for name, twin in broadcast.aliases.items()}


def load_sites(path: Path, program: Program) -> dict[str, Examples]:
    """Read x0, y0, x1, y1, … from an NPZ. Raises ConfigurationError where one is missing or misshapen."""
    try:
        _check_size(path)
        with np.load(path, allow_pickle=False) as arrays:
            names = sorted(
                {name[1:] for name in arrays.files if name[:1] == "x" and f"y{name[1:]}" in arrays.files}
            )
            sites = {
                name or "0": _examples(arrays[f"x{name}"], arrays[f"y{name}"], program) for name in names
            }
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{path} is not an NPZ file of arrays ({type(error).__name__})") from error
    if not sites:
        raise ConfigurationError(f"{path} holds no pair such as x0 (images) and y0 (labels)")
    return sites


def _check_size(path: Path) -> None:
    """A few bytes of a ZIP archive can stand for any number of zeros: what is in it is measured before it is read."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _MAX_BYTES:
        raise ConfigurationError(f"{path} holds {size} bytes of arrays; at most {_MAX_BYTES} are read")


def _examples(images: Array, labels: Array, program: Program) -> Examples:
    dtype = images.dtype if images.dtype.name in STORED_SCALE else np.dtype("float32")
    expected = tuple(program.plan.manifest.element[0].shape[1:])
    if images.shape[1:] != expected or labels.shape != images.shape[:1]:
        raise ConfigurationError(
            f"images {list(images.shape)} with labels {list(labels.shape)}; legal are [N, "
            f"{', '.join(map(str, expected))}] with [N]"
        )
    return Examples(images.astype(dtype), labels.astype(np.int32), STORED_SCALE[dtype.name])


def round_line(done: SimulatedRound) -> str:
    """One line for a person: the round and its scalar figures."""
    figures = (
        f"{name} {value:.4g}" for name, value in done.measurements.items() if isinstance(value, int | float)
    )
    return f"round {done.number}: " + ", ".join(figures)


def save_weights(path: Path, weights: Tensors) -> None:
    """Write weights by name to an NPZ, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as target:
        np.savez(target, allow_pickle=False, **weights)
        target.flush()
        os.fsync(target.fileno())
    part.replace(path)
