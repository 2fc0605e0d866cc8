"""From a plan to the two things that the registry keeps of it."""

from wardround.plan.format import Part, Plan
from wardround.plan.review import reviewed
from wardround.registry.errors import RegistryError
from wardround.registry.predictor import PredictGraph, WeightSlot


def predict_graph(plan: Plan) -> PredictGraph:
    """The plan's inference graph.

    Raises:
        RegistryError: "no-predict": the plan was compiled from a bare learning process, without a model.
        RefusedError: the graph is not the one that the manifest names, or may not run.
    """
    part = plan.manifest.predict
    if part is None:
        raise RegistryError(
            "the plan has no inference graph to register; compile a recipe that names a model",
            code="no-predict",
        )
    images, scores = part.arguments["images"][0], part.results["scores"][0]
    return PredictGraph(
        graph=reviewed(plan, part),
        weights=_slots(plan, part),
        images=images.tensor,
        image_shape=tuple(size or -1 for size in images.shape[1:]),
        scores=scores.tensor,
        classes=len(plan.manifest.recipe_model().task.labels),
    )


def _slots(plan: Plan, part: Part) -> tuple[WeightSlot, ...]:
    leaves = part.arguments["weights"]
    pairs = zip(plan.manifest.weights, leaves, strict=True)
    return tuple(WeightSlot(spec.name, leaf.tensor, spec.shape, spec.dtype) for spec, leaf in pairs)
