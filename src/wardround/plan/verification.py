"""What compiling a plan's recipe again has shown, in words that a data steward can act on.

A plan whose recipe compiles to the same digest here is what its recipe says. Of any other plan nothing is known but
what the runtime holds by itself: its graphs are somebody's own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from wardround.plan.fields import Hash
from wardround.plan.format import Frozen, Manifest
from wardround.recipe import Recipe
from wardround.recipe.bounds import last_round
from wardround.text import foreign

State = Literal["verified", "differs", "authors-own", "not-verified"]
MAX_DIFFERENCES = 20
_COULD = "could encode images in an update"
_BOUNDS = "only masks and patient-level privacy bound what they can tell"
_ALGORITHMS = {"fedavg": "FedAvg", "fedprox": "FedProx", "fedsgd": "FedSGD", "mimelite": "MimeLite"}
_REASONS = {
    "": "the recipe was not compiled here",
    "no-compiler": "there is no compiler here",
    "compile": "the recipe could not be compiled here",
    "timeout": "compiling the recipe took too long here",
    "configuration": "the compiler could not be started here",
}
Line = Annotated[str, Field(max_length=2000), AfterValidator(lambda line: foreign(line, 600))]


Basis = Literal["verified", "authors-own", "not-verified"]


class Verification(Frozen):
    """The finding about one plan. `reason`: a code that says why it is not verified; `versions`: this compiler's."""

    digest: Hash
    state: State
    reason: Annotated[str, Field(pattern=r"^[a-z-]{0,40}\z")] = ""
    differences: Annotated[tuple[Line, ...], Field(max_length=MAX_DIFFERENCES)] = ()
    versions: dict[str, Annotated[str, Field(max_length=100)]] = Field(default_factory=dict)

    @property
    def is_verified(self) -> bool:
        """Whether the graphs are exactly what the recipe compiles to."""
        return self.state == "verified"

    @property
    def basis(self) -> Basis:
        """What an approval of this plan rests on."""
        return "authors-own" if self.state == "differs" else self.state


def not_verified(digest: str, reason: str = "") -> Verification:
    """The finding where nobody has compiled the recipe, or it could not be done."""
    return Verification(digest=digest, state="not-verified", reason=reason)


def verdict(found: Verification, manifest: Manifest, where: str = "") -> str:
    """The first line of everything that is shown of a plan; ends with what to do, where something can be done.

    `where`: the plan's folder, if it is in one.
    """
    recipe = manifest.recipe_model()
    if found.state == "verified":
        return (
            f"Verified: this is exactly {process_name(recipe, manifest)}, nothing else. Its recipe was compiled "
            "again here and gives the same digest."
        )
    if found.state == "differs":
        return (
            f"NOT what its recipe says: the graphs are the author's own and {_COULD}; {_BOUNDS}. Compiled again here, "
            f"the recipe gives another plan; first: {found.differences[0] if found.differences else 'its digest'}"
        )
    if found.state == "authors-own":
        return (
            f"The graphs are the author's own and {_COULD}; {_BOUNDS}. The recipe names Python files, which no "
            "hospital runs, so it can't be compiled again here."
        )
    return (
        f"Not verified: until then the graphs may be anybody's own, which {_COULD}; {_BOUNDS}. "
        f"{_REASONS.get(found.reason, found.reason).capitalize()}. "
        f"To verify: wardround plan verify {foreign(where or found.digest)}"
    )


def process_name(recipe: Recipe, manifest: Manifest) -> str:
    """`FedAvg of resnet18-gn by TFF 0.87.0`: for a verified plan, where each of these words is a fact."""
    algorithm = _ALGORITHMS.get(recipe.algorithm.name, recipe.algorithm.name)
    model = recipe.model.builtin if recipe.model and recipe.model.builtin else "a model of its own"
    version = manifest.versions.get("tensorflow_federated", "")
    return f"{algorithm} of {model} by TFF {foreign(version, 20)}"


def not_covered(recipe: Recipe) -> tuple[str, ...]:
    """What a verification says nothing about: the weights, and settings that are extreme in this recipe."""
    found = extreme_settings(recipe)
    return (
        "the weights that the graphs run on: the coordinator chooses each round's broadcast, and weights can be chosen "
        f"so that updates or scores show images (this recipe names no start weights; seed {recipe.seed} draws them)",
        "settings that are extreme, so that an update is little more than an image; in this recipe: "
        + ("; ".join(found) if found else "none found"),
    )


def extreme_settings(recipe: Recipe) -> tuple[str, ...]:
    """The settings with which exact training still tells much of single images, as this recipe has them."""
    algorithm, client, rounds = recipe.algorithm, recipe.algorithm.client, recipe.rounds
    rate = f"a client learning rate of {client.learning_rate:g}"
    tries = last_round(recipe)
    one_step = algorithm.name != "fedsgd" and client.batch_size >= 512 and client.epochs == 1
    found = (
        (
            client.batch_size <= 4,
            f"batches of {_images(client.batch_size)}: a step is the gradient of so few",
        ),
        (algorithm.name == "fedsgd", "fedsgd: an update is one gradient of all training images"),
        (one_step, f"batches of {client.batch_size}, 1 epoch: a hospital with no more images takes one step"),
        (client.learning_rate > 1, f"{rate}: updates far beyond what training needs"),
        (client.learning_rate < 1e-5, f"{rate}: each round gives nearly the same gradient again"),
        (rounds.count > 500, f"{rounds.count} rounds: each is another look at the same patients"),
        (
            rounds.count <= 500 < tries,
            f"up to {tries} tries of {rounds.count} rounds: a failed one is another look at the same patients",
        ),
        (
            algorithm.server.learning_rate < 1e-3,
            "a model that hardly moves: each round looks at the same weights again",
        ),
        (rounds.quorum < 2, f"a quorum of {rounds.quorum}: a round's sum may be one hospital's update alone"),
        (_is_linear(recipe), "model logistic: its weights' changes are weighted sums of the shrunken images"),
    )
    return tuple(words for holds, words in found if holds)


def _is_linear(recipe: Recipe) -> bool:
    return recipe.model is not None and recipe.model.builtin == "logistic"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
