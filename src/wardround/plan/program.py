"""The typed steps of a plan, kept warm: initialize, prepare, work, sum, update, evaluate, predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from wardround.errors import RefusedError
from wardround.plan.accumulator import Accumulator, accumulated
from wardround.plan.data import Array, Examples
from wardround.plan.format import Part, Plan, UpdateRoles
from wardround.plan.graph import GraphRunner
from wardround.plan.process import Process, Tensors, TensorSpec, flat, unprefixed
from wardround.plan.review import reviewed

SPLITS = ("validation", "test")
FIGURES = ("loss", "accuracy", "num_examples")
Measurements = dict[str, Any]


@dataclass(frozen=True)
class Broadcast:
    """What every site receives. A name in `aliases` stands for an equal tensor that is sent once."""

    tensors: Tensors
    aliases: dict[str, str]


class Program:
    """Runs a verified plan. Sessions open at first use and stay open; call from one thread at a time.

            state ─prepare─► broadcast ─work(examples)─► update ─accumulator─► aggregate ─update─► state
                                  └─────evaluate(examples)─► update ─accumulator─► aggregate ─evaluation─► figures

    State, update and measurements are separate values everywhere: reports never enter the arithmetic.
    """

    def __init__(self, plan: Plan, *, threads: int | None = None) -> None:
        self.plan = plan
        self.recipe = plan.manifest.recipe_model()
        self._threads = threads
        self._train = Process(plan, plan.manifest.train, self._image_shape, self.recipe, threads)

    @property
    def _image_shape(self) -> tuple[int | None, ...]:
        return self.plan.manifest.element[0].shape[1:]

    @cached_property
    def _evaluate(self) -> Process:
        parts = self.plan.manifest.evaluate
        if parts is None:
            raise RefusedError(
                "this plan was compiled without a model: it has no evaluation", code="no-evaluation"
            )
        return Process(self.plan, parts, self._image_shape, self.recipe, self._threads)

    # --- the coordinator's steps -------------------------------------------------------------------------

    def initialize(self) -> Tensors:
        """Return the first server state, named `state/…`."""
        return self._train.initialize()

    def prepare(self, state: Tensors) -> Broadcast:
        """Return what leaves for the sites: `train/…`, and `evaluate/…` where the plan evaluates."""
        tensors = {f"train/{k}": v for k, v in self._train.prepare(state).items()}
        if self.plan.manifest.evaluate:
            found = self._evaluate.prepare(self._evaluation_state(state))
            tensors |= {f"evaluate/{k}": v for k, v in found.items()}
        return _share_equal(tensors)

    def accumulator(self, kind: str) -> Accumulator:
        """Return a streaming sum of updates; kind is "train" or "evaluate.<split>"."""
        return Accumulator(self._process(kind), f"{kind}/")

    def update(self, state: Tensors, aggregate: Tensors) -> tuple[Tensors, Measurements]:
        """Return the next server state and the training measurements."""
        new, found = self._train.update(state, aggregate)
        return new, {_short(key): value for key, value in found.items()}

    def evaluation(self, state: Tensors, aggregate: Tensors) -> Measurements:
        """Return loss, accuracy, num_examples and histogram int [classes, 2, bins] of a federated evaluation."""
        _, found = self._evaluate.update(self._evaluation_state(state), aggregate)
        return {
            key.rsplit("/", 1)[-1]: value for key, value in found.items() if "current_round_metrics" in key
        }

    def weights(self, state: Tensors) -> Tensors:
        """Return the model's weights by name, in the manifest's order."""
        part = self.plan.manifest.weights_part
        leaves = part.results["weights"]
        feeds = flat(part.arguments["state"], state, "state/")
        values = self._weights_runner.run(feeds, [leaf.tensor for leaf in leaves])
        return {spec.name: value for spec, value in zip(self.plan.manifest.weights, values, strict=True)}

    # --- a site's steps ----------------------------------------------------------------------------------

    def work(self, examples: Examples, order: Array, broadcast: Tensors) -> Tensors:
        """Train on `examples` in the given order (int64 [steps]); return the update, named `train/…`."""
        found = self._train.work(examples, order, unprefixed(broadcast, "train/"))
        return {f"train/{name}": value for name, value in found.items()}

    def evaluate(self, examples: Examples, split: str, broadcast: Tensors) -> Tensors:
        """Score the broadcast model on `examples`; return sums only, named `evaluate.<split>/…`."""
        order = np.arange(len(examples), dtype=np.int64)
        found = self._evaluate.work(examples, order, unprefixed(broadcast, "evaluate/"))
        return {f"evaluate.{split}/{name}": value for name, value in found.items()}

    def predict(self, weights: Mapping[str, Array], images: Array) -> Array:
        """Return softmax scores float32 [N, classes] of images float32 [N, …, 1] in [0, 1]."""
        part = self._predict_part
        ordered = [weights[spec.name] for spec in self.plan.manifest.weights]
        feeds = {leaf.tensor: value for leaf, value in zip(part.arguments["weights"], ordered, strict=True)}
        feeds[part.arguments["images"][0].tensor] = images
        return self._predict_runner.run(feeds, [part.results["scores"][0].tensor])[0]

    # --- what goes where, before anything runs -------------------------------------------------------------

    @property
    def state_spec(self) -> dict[str, TensorSpec]:
        """Name, shape and dtype of every tensor of the server state."""
        return self._train.state_spec

    @property
    def broadcast_spec(self) -> dict[str, TensorSpec]:
        """Name, shape and dtype of everything a site receives (before equal tensors are shared)."""
        found = {f"train/{name}": spec for name, spec in self._train.broadcast_spec.items()}
        if self.plan.manifest.evaluate:
            found |= {f"evaluate/{name}": spec for name, spec in self._evaluate.broadcast_spec.items()}
        return found

    def update_spec(self, kinds: tuple[str, ...]) -> dict[str, TensorSpec]:
        """Name, shape and dtype of everything a site sends; kinds are "train" and "evaluate.<split>"."""
        return {
            f"{kind}/{name}": spec for kind in kinds for name, spec in self._process(kind).update_spec.items()
        }

    def limits(self, kinds: tuple[str, ...]) -> dict[str, int]:
        """The largest legal value (exclusive) of every securely summed tensor of an update."""
        return {
            f"{kind}/{name}": limit for kind in kinds for name, limit in self._process(kind).limits.items()
        }

    @property
    def update_roles(self) -> UpdateRoles | None:
        """What the plan's author says the leaves of a training's update are."""
        return self.plan.manifest.train.update_roles

    def adds_as_sent(self, kind: str) -> bool:
        """Whether nothing of an update is decoded before it is added."""
        return self._process(kind).adds_as_sent

    def summed(self, kind: str, update: Mapping[str, Array]) -> Tensors:
        """What an update adds to the plain sum, by the names of its leaves: itself, or what `accumulate` decodes.

        Raises RefusedError `not-summable`.
        """
        process = self._process(kind)
        own = unprefixed(update, f"{kind}/")
        if process.adds_as_sent:
            return unprefixed(own, "plain/")
        return accumulated(process, process.run(process.parts.zero, {}, "sum"), own)

    # --- inside --------------------------------------------------------------------------------------------

    def _process(self, kind: str) -> Process:
        if kind == "train":
            return self._train
        if kind.removeprefix("evaluate.") in SPLITS and kind.startswith("evaluate."):
            return self._evaluate
        raise RefusedError(f"no kind of update {kind!r}; legal are train, evaluate.validation, evaluate.test")

    def _evaluation_state(self, state: Tensors) -> Tensors:
        weights = list(self.weights(state).values())
        names = [n for n in self._evaluate.state_spec if n.startswith("state/global_model_weights/")]
        return self._evaluation_start | dict(zip(names, weights, strict=True))

    @cached_property
    def _evaluation_start(self) -> Tensors:
        return self._evaluate.initialize()

    @cached_property
    def _weights_runner(self) -> GraphRunner:
        part = self.plan.manifest.weights_part
        return GraphRunner(part, reviewed(self.plan, part), threads=self._threads)

    @property
    def _predict_part(self) -> Part:
        part = self.plan.manifest.predict
        if part is None:
            raise RefusedError(
                "this plan was compiled without a model: it can't predict", code="no-prediction"
            )
        return part

    @cached_property
    def _predict_runner(self) -> GraphRunner:
        part = self._predict_part
        return GraphRunner(part, reviewed(self.plan, part), threads=self._threads)


def _short(name: str) -> str:
    """TFF says `client_work/train/loss` (and `client_work/train/0/loss` for secure sums); people say `loss`."""
    parts = name.split("/")
    return parts[-1] if parts[:2] == ["client_work", "train"] and parts[-1] in FIGURES else name


def _share_equal(tensors: Tensors) -> Broadcast:
    """Send equal tensors once: training and evaluation broadcast the same weights."""
    sent: dict[str, Array] = {}
    aliases: dict[str, str] = {}
    for name, value in tensors.items():
        twin = next((n for n, v in sent.items() if _equal(v, value)), None) if value.size > 1 else None
        if twin is None:
            sent[name] = value
        else:
            aliases[name] = twin
    return Broadcast(sent, aliases)


def _equal(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
