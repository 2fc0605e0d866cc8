"""Do the parts of a manifest fit together? Whoever holds a `Manifest` may index, pair and feed without asking again.

recipe ── element, predict's images and scores
state: initialize → prepare, update → update, weights      broadcast: prepare → work
update: work → accumulate, update                          sum: zero, accumulate, merge → report → update
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from wardround.plan.fields import MAX_ELEMENTS, MAX_GRAPHS_BYTES, elements
from wardround.text import foreign

if TYPE_CHECKING:
    from wardround.plan.format import Leaf, Manifest, Part, ProcessParts, UpdateRoles
    from wardround.recipe import Recipe

SUM_KINDS = ("plain", "secure_bitwidth", "secure_max_input", "secure_modular")
_SUMS = frozenset(SUM_KINDS)

# Role → names of arguments, names of results.
SIGNATURES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "initialize": (frozenset(), frozenset({"state"})),
    "prepare": (frozenset({"state"}), frozenset({"broadcast"})),
    "work": (frozenset({"dataset", "broadcast"}), _SUMS),
    "zero": (frozenset(), frozenset({"sum"})),
    "accumulate": (frozenset({"sum", "update"}), frozenset({"sum"})),
    "merge": (frozenset({"sum", "other"}), frozenset({"sum"})),
    "report": (frozenset({"sum"}), frozenset({"plain"})),
    "update": (frozenset({"state"}) | _SUMS, frozenset({"state", "measurements"})),
    "weights": (frozenset({"state"}), frozenset({"weights"})),
    "predict": (frozenset({"weights", "images"}), frozenset({"scores"})),
}


def check_consistency(manifest: Manifest, recipe: Recipe) -> None:
    """Raises ValueError that names the part and what is wrong with it."""
    roles = dict(manifest.roles())
    for role, part in roles.items():
        _check_signature(role, part)
    for role, part in roles.items():
        for name, leaves in _lists(part):
            _check_leaves(f"{role}, {name}", leaves, is_open=(role, name) in _OPEN)
    _check_bytes(roles.values())
    _check_dataset(roles["work"])
    _check_flow(roles)
    _check_secure(manifest)
    if manifest.train.update_roles is not None:
        _check_roles(manifest.train.update_roles, manifest.train)
    _check_model(manifest, recipe)


# Where a side may be open: the batch axis of inference. What is sent, kept and received has one size.
_OPEN = {("predict", "images"), ("predict", "scores")}


def _check_signature(role: str, part: Part) -> None:
    found = (frozenset(part.arguments), frozenset(part.results))
    if found != SIGNATURES[role]:
        raise ValueError(f"{role}: takes or gives other things than a part of this name does")
    fed = [leaf.tensor for leaves in part.arguments.values() for leaf in leaves]
    if len(set(fed)) != len(fed):
        raise ValueError(f"{role}: two values go into one tensor")
    if part.file != f"graphs/{role}.pb":
        raise ValueError(f"{role}: lies in '{foreign(part.file, 60)}', legal is graphs/{role}.pb")


def _lists(part: Part) -> Iterator[tuple[str, tuple[Leaf, ...]]]:
    yield from part.arguments.items()
    yield from part.results.items()


def _check_leaves(where: str, leaves: Sequence[Leaf], *, is_open: bool) -> None:
    if len({leaf.name for leaf in leaves}) != len(leaves):
        raise ValueError(f"{where}: a name stands twice")
    shapes = [leaf.shape for leaf in leaves]
    if not is_open and any(None in shape for shape in shapes):
        raise ValueError(f"{where}: a tensor has no fixed shape: its size can't be bounded")
    if sum(map(elements, shapes)) > MAX_ELEMENTS:
        raise ValueError(f"{where}: tensors have too many elements; legal are {MAX_ELEMENTS}")


def _check_bytes(parts: Iterable[Part]) -> None:
    if sum(part.bytes for part in parts) > MAX_GRAPHS_BYTES:
        raise ValueError(f"graphs have too many bytes together; legal are {MAX_GRAPHS_BYTES}")


def _check_dataset(work: Part) -> None:
    found = [(leaf.kind, leaf.dtype, leaf.shape) for leaf in work.arguments["dataset"]]
    if found != [("dataset", "variant", ())]:
        raise ValueError("work: takes other than one data set")


def _check_flow(roles: Mapping[str, Part]) -> None:
    initialize, prepare, work, update = (roles[r] for r in ("initialize", "prepare", "work", "update"))
    accumulate, merge, report = (roles[r] for r in ("accumulate", "merge", "report"))
    state = initialize.results["state"]
    _same("prepare, state", state, prepare.arguments["state"])
    _same("update, state", state, update.arguments["state"])
    _same("update, new state", state, update.results["state"])
    _same("weights, state", state, roles["weights"].arguments["state"])
    _same("work, broadcast", prepare.results["broadcast"], work.arguments["broadcast"])
    total = roles["zero"].results["sum"]
    for part in (accumulate, merge):
        _same("accumulate or merge, sum", total, part.arguments["sum"])
        _same("accumulate or merge, new sum", total, part.results["sum"])
    _same("merge, other", total, merge.arguments["other"])
    _same("report, sum", total, report.arguments["sum"])
    _same("update, plain", report.results["plain"], update.arguments["plain"])
    _same("accumulate, update", work.results["plain"], accumulate.arguments["update"])
    for kind in SUM_KINDS[1:]:
        _same(f"update, {kind}", work.results[kind], update.arguments[kind])


def _same(where: str, given: Sequence[Leaf], taken: Sequence[Leaf]) -> None:
    """Names, shapes and dtypes in order."""
    if [(a.name, a.shape, a.dtype) for a in given] != [(b.name, b.shape, b.dtype) for b in taken]:
        raise ValueError(f"{where}: other tensors than those that the part before it gives")


def _check_secure(manifest: Manifest) -> None:
    work, limits = manifest.train.work, manifest.train.secure.by_kind()
    for kind, bounds in limits.items():
        leaves = work.results[kind]
        if len(leaves) != len(bounds):
            raise ValueError(f"secure: {len(bounds)} limits for {len(leaves)} tensors of kind {kind}")
        if any("int" not in leaf.dtype for leaf in leaves):
            raise ValueError(f"secure: a tensor of kind {kind} is not one of integers")


def _check_roles(roles: UpdateRoles, parts: ProcessParts) -> None:
    """What the author says of leaves is said of leaves that there are, each once; figures are one number."""
    summed = {leaf.name: elements(leaf.shape) for leaf in parts.zero.results["sum"]}
    state = {leaf.name: elements(leaf.shape) for leaf in parts.initialize.results["state"]}
    bounds = [bound for mean in roles.means() for bound in mean.bounds()]
    figures = [roles.loss_sum, roles.correct, roles.num_examples, *(mean.weight for mean in roles.means())]
    figures += [name for bound in bounds for name in bound.figures()]
    said = [*figures, *(name for mean in roles.means() for name in mean.value)]
    if len(set(said)) != len(said) or not summed.keys() >= set(said):
        raise ValueError("update_roles: names a leaf twice, or one that is not summed")
    estimates = [bound.estimate for bound in bounds if bound.estimate is not None]
    if any(summed[name] != 1 for name in figures) or any(state.get(name) != 1 for name in estimates):
        raise ValueError("update_roles: a figure or an estimate is not one number of the sum or the state")


def _check_model(manifest: Manifest, recipe: Recipe) -> None:
    images = (None, *recipe.task.image.size, 1)
    if [(e.name, e.shape, e.dtype) for e in manifest.element] != [
        ("x", images, "float32"),
        ("y", (None,), "int32"),
    ]:
        raise ValueError(
            f"element: legal are x float32{list(images)} and y int32[null], as the recipe's task has them"
        )
    weights = [(weight.shape, weight.dtype) for weight in manifest.weights]
    if len({weight.name for weight in manifest.weights}) != len(weights):
        raise ValueError("weights: a name stands twice")
    if weights != _shapes(manifest.weights_part.results["weights"]):
        raise ValueError("weights: other than those that weights_part gives")
    if (manifest.predict is None) != (recipe.model is None) or (recipe.model is None and manifest.layers):
        raise ValueError("predict and layers belong to a recipe with a model, which has to have predict")
    if manifest.predict is not None:
        _check_predict(manifest.predict, weights, images, len(recipe.task.labels))


def _check_predict(
    predict: Part,
    weights: Sequence[tuple[tuple[int, ...], str]],
    images: tuple[int | None, ...],
    classes: int,
) -> None:
    if _shapes(predict.arguments["weights"]) != weights:
        raise ValueError("predict: takes other than the model's weights")
    if _shapes(predict.arguments["images"]) != [(images, "float32")]:
        raise ValueError("predict: takes other than one batch of the task's images")
    if _shapes(predict.results["scores"]) != [((None, classes), "float32")]:
        raise ValueError("predict: gives other than one score for each of the labels")


def _shapes(leaves: Sequence[Leaf]) -> list[tuple[tuple[int | None, ...], str]]:
    return [(leaf.shape, leaf.dtype) for leaf in leaves]
