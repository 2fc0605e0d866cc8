"""The typed steps of a plan, kept warm: initialize, prepare, work, sum, update, evaluate, predict."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from wardround.errors import RefusedError
from wardround.evaluation import sums
from wardround.evaluation.scores import score_split
from wardround.plan.accumulator import Accumulator, accumulated
from wardround.plan.broadcast import MODEL, TRAIN, Broadcast, broadcast_of, model_weights, training_part
from wardround.plan.data import Array, Examples, wrong_images
from wardround.plan.format import Part, Plan, UpdateRoles
from wardround.plan.graph import GraphRunner
from wardround.plan.process import Process, Tensors, TensorSpec, flat, unprefixed
from wardround.plan.review import reviewed

SPLITS = ("validation", "test")
EVALUATIONS = tuple(f"evaluate.{split}" for split in SPLITS)
FIGURES = ("loss", "accuracy", "num_examples")
Measurements = dict[str, Any]


class Program:
    """Runs a verified plan. Sessions open at first use and stay open; call from one thread at a time.

            state ─prepare─► broadcast ─work(examples)──────► update ─accumulator─► aggregate ─update─► state
                                  └─────evaluate(examples)─► update ─evaluation.sums─► figures

    State, update and measurements are separate values everywhere: reports never enter the arithmetic. Graphs learn and
    score; what leaves of the scores are sums that the runtime makes.
    """

    def __init__(self, plan: Plan, *, threads: int | None = None) -> None:
        self.plan = plan
        self.recipe = plan.manifest.recipe_model()
        self._threads = threads
        self._train = Process(plan, plan.manifest.train, self.image_shape, self.recipe, threads)

    @property
    def image_shape(self) -> tuple[int | None, ...]:
        """Of one image; None where the plan leaves a size open."""
        return self.plan.manifest.element[0].shape[1:]

    @property
    def classes(self) -> int:
        """How many labels the task has."""
        return len(self.recipe.task.labels)

    # --- the coordinator's steps -------------------------------------------------------------------------

    def initialize(self) -> Tensors:
        """Return the first server state, named `state/…`."""
        return self._train.initialize()

    def prepare(self, state: Tensors) -> Broadcast:
        """Return what leaves for the sites: `train/…`, and `model/…` where the plan has a model."""
        weights = self.weights(state) if self.plan.manifest.predict else {}
        return broadcast_of(self._train.prepare(state), weights)

    def accumulator(self) -> Accumulator:
        """Return a streaming sum of the training part of updates."""
        return Accumulator(self._train, TRAIN)

    def update(self, state: Tensors, aggregate: Tensors) -> tuple[Tensors, Measurements]:
        """Return the next server state and the training measurements."""
        new, found = self._train.update(state, aggregate)
        return new, {_short(key): value for key, value in found.items()}

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
        found = self._train.work(examples, order, training_part(broadcast))
        return {f"{TRAIN}{name}": value for name, value in found.items()}

    def evaluate(self, examples: Examples, split: str, broadcast: Tensors) -> Tensors:
        """Score the broadcast model on `examples`; return sums only (`evaluation.sums`), named `evaluate.<split>/…`.

        Raises RefusedError: `wrong-scores`; `wrong-dataset` for other images or labels than the plan's; `no-prediction`.
        """
        scores = score_split(self, model_weights(broadcast), examples)
        found = sums.sums_of(scores, examples.labels)
        return {f"evaluate.{split}/{name}": value for name, value in found.items()}

    def predict(self, weights: Mapping[str, Array], images: Array) -> Array:
        """Return what the graph gives for images float32 [N, …, 1] in [0, 1]: of an honest one, scores [N, classes].

        Raises RefusedError: `wrong-dataset` for images of another shape, `no-prediction` for a plan without a model.
        """
        part = self._predict_part
        if images.shape[1:] != self.image_shape:
            raise wrong_images(images, "float32", self.image_shape)
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
        found = {f"{TRAIN}{name}": spec for name, spec in self._train.broadcast_spec.items()}
        weights = self.plan.manifest.weights if self.plan.manifest.predict else ()
        return found | {f"{MODEL}{weight.name}": TensorSpec(weight.shape, weight.dtype) for weight in weights}

    def update_spec(self, kinds: tuple[str, ...]) -> dict[str, TensorSpec]:
        """Name, shape and dtype of everything a site sends; kinds are "train" and "evaluate.<split>"."""
        return {f"{kind}/{name}": spec for kind in kinds for name, spec in self._spec_of(kind).items()}

    def limits(self, kinds: tuple[str, ...]) -> dict[str, int]:
        """The largest legal value (exclusive) of every bounded integer of an update, the least being 0."""
        return {f"{kind}/{name}": limit for kind in kinds for name, limit in self._limits_of(kind).items()}

    @property
    def update_roles(self) -> UpdateRoles | None:
        """What the plan's author says the leaves of a training's update are."""
        return self.plan.manifest.train.update_roles

    @property
    def adds_as_sent(self) -> bool:
        """Whether nothing of a training's update is decoded before it is added."""
        return self._train.adds_as_sent

    def summed(self, update: Mapping[str, Array]) -> Tensors:
        """What a training's update adds to the plain sum, by the names of its leaves: itself, or what `accumulate`
        decodes.

        Raises RefusedError `not-summable`.
        """
        process = self._train
        own = unprefixed(update, "train/")
        if process.adds_as_sent:
            return unprefixed(own, "plain/")
        return accumulated(process, process.run(process.parts.zero, {}, "sum"), own)

    # --- inside --------------------------------------------------------------------------------------------

    def _spec_of(self, kind: str) -> dict[str, TensorSpec]:
        if kind == "train":
            return self._train.update_spec
        return {name: TensorSpec(each.shape, each.dtype) for name, each in self._sums_of(kind).items()}

    def _limits_of(self, kind: str) -> dict[str, int]:
        if kind == "train":
            return self._train.limits
        return {name: each.limit for name, each in self._sums_of(kind).items()}

    def _sums_of(self, kind: str) -> dict[str, sums.SumSpec]:
        if kind not in EVALUATIONS or self.plan.manifest.predict is None:
            raise RefusedError(
                f"no kind of update {kind!r}; legal are train and, where the plan has a model, {', '.join(EVALUATIONS)}",
                code="no-evaluation",
            )
        return sums.spec(self.classes)

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
