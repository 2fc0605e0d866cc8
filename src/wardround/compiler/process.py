"""The recipe's algorithm as a TFF LearningProcess. Each function reads as the recipe's word for it."""

import inspect
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow_federated as tff

from wardround.compiler.aggregation import metrics_aggregator, model_aggregator
from wardround.compiler.failure import CompilerFailure
from wardround.compiler.model import CompiledModel, load_function
from wardround.compiler.optimizers import client_optimizer, schedule, server_optimizer

_T = tff.learning.algorithms
# A loop in the graph itself, which a session optimizes once. The body of a dataset's reduce, TFF's default, is
# optimized anew in every round, which takes longer than a small hospital's training.
_LOOP = tff.learning.LoopImplementation.DATASET_ITERATOR


def build_process(recipe: Mapping[str, Any], model: CompiledModel | None, folder: pathlib.Path) -> Any:
    """Return the `tff.learning.templates.LearningProcess` of a resolved recipe. Raises CompilerFailure."""
    algorithm = recipe["algorithm"]
    if algorithm["name"] == "custom":
        return _custom(algorithm["process"], model, folder)
    aggregation = recipe["aggregation"]
    parts = {
        "model_aggregator": model_aggregator(aggregation),
        "metrics_aggregator": metrics_aggregator(aggregation["secure"]),
    }
    if not algorithm["client"]["schedule"]:  # TFF's scheduled client work traces with its default loop only
        parts["loop_implementation"] = _LOOP
    build = {"fedavg": _fedavg, "fedprox": _fedprox, "fedsgd": _fedsgd, "mimelite": _mimelite}
    return build[algorithm["name"]](model.functional, algorithm, parts)


def _weighting(algorithm: Mapping[str, Any]) -> Any:
    kinds = tff.learning.ClientWeighting
    return kinds.NUM_EXAMPLES if algorithm["weighting"] == "examples" else kinds.UNIFORM


def _fedavg(model: Any, algorithm: Mapping[str, Any], parts: dict[str, Any]) -> Any:
    """McMahan et al. 2016, arXiv:1602.05629; with adaptive server optimizers Reddi et al. 2020, arXiv:2003.00295."""
    client, server = algorithm["client"], server_optimizer(algorithm["server"])
    if client["schedule"]:
        return _T.build_weighted_fed_avg_with_optimizer_schedule(
            model, schedule(client), lambda rate: client_optimizer(client, rate), server, **parts
        )
    return _T.build_weighted_fed_avg(
        model, client_optimizer(client), server, client_weighting=_weighting(algorithm), **parts
    )


def _fedprox(model: Any, algorithm: Mapping[str, Any], parts: dict[str, Any]) -> Any:
    """Li et al. 2018, arXiv:1812.06127."""
    return _T.build_weighted_fed_prox(
        model,
        algorithm["proximal_strength"],
        client_optimizer(algorithm["client"]),
        server_optimizer(algorithm["server"]),
        client_weighting=_weighting(algorithm),
        **parts,
    )


def _fedsgd(model: Any, algorithm: Mapping[str, Any], parts: dict[str, Any]) -> Any:
    """McMahan et al. 2016, arXiv:1602.05629, section 2."""
    return _T.build_fed_sgd(model, server_optimizer(algorithm["server"]), **parts)


def _mimelite(model: Any, algorithm: Mapping[str, Any], parts: dict[str, Any]) -> Any:
    """Karimireddy et al. 2020, arXiv:2008.03606. The client's optimizer is Mime's base optimizer."""
    client, server = algorithm["client"], server_optimizer(algorithm["server"])
    parts = {**parts, "full_gradient_aggregator": parts["model_aggregator"]}
    weighting = _weighting(algorithm)
    if client["schedule"]:
        return _T.build_mime_lite_with_optimizer_schedule(
            model, schedule(client), client_optimizer(client), server, client_weighting=weighting, **parts
        )
    return _T.build_weighted_mime_lite(
        model, client_optimizer(client), server, client_weighting=weighting, **parts
    )


def _custom(settings: Mapping[str, Any], model: CompiledModel | None, folder: pathlib.Path) -> Any:
    function = load_function(folder / settings["file"], settings["function"])
    wants_model = bool(inspect.signature(function).parameters)
    if wants_model and model is None:
        raise CompilerFailure(
            f"{settings['file']}: {settings['function']} takes a model, but the recipe has none"
        )
    process = function(model.functional) if wants_model else function()
    if not isinstance(process, tff.learning.templates.LearningProcess):
        raise CompilerFailure(
            f"{settings['file']}: {settings['function']} returned {type(process).__name__}, "
            "legal is a tff.learning.templates.LearningProcess"
        )
    return process
