"""What was asked of the demo, what follows from it, and what of it can't change in a run that goes on."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from wardround.errors import ConfigurationError
from wardround.local.images import Manifest
from wardround.local.phantoms import HOSPITALS
from wardround.recipe import Recipe, load_recipe

Kind = Literal["xray", "mr", "images"]
RECIPES = Path(__file__).parent / "recipes"
SEED = 1
# How many phantoms each hospital has: of different size, as hospitals are.
_COUNTS = {"xray": (320, 260, 220, 180), "mr": (160, 140, 120, 100)}
_FIXED = ("modality", "images", "label", "split", "sites", "seed", "recipe", "exchange_url")


@dataclass(frozen=True)
class Wishes:
    """The command's options as given; None where nothing was said."""

    folder: Path
    rounds: int | None = None
    sites: int | None = None
    modality: str | None = None
    images: Path | None = None
    label: str | None = None
    split: tuple[str, ...] = ()
    recipe: Path | None = None
    seed: int | None = None
    exchange_url: str | None = None
    resume: bool = False
    fresh: bool = False
    report: bool = True


class Choices(BaseModel):
    """Everything that shapes a run, kept in `state.json`.

    `sites`: hospital → number of generated images, or 0 where they are real. `split`: into how many hospitals
    a site of the manifest is divided. `recipe`: the resolved recipe, as JSON.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    sites: dict[str, int]
    seed: int
    recipe: Recipe
    recipe_folder: Path
    images: Path | None = None
    label: str | None = None
    split: dict[str, int] = {}
    exchange_url: str | None = None

    @property
    def run(self) -> str:
        """The run's name. It follows from the seed, since the order of training depends on it."""
        return f"demo-{self.seed}"

    @property
    def data(self) -> Literal["generated", "real images"]:
        """Whether these are images of anybody."""
        return "real images" if self.kind == "images" else "generated"

    def described(self) -> str:
        """The data in one line."""
        if self.images is not None:
            return f"real images of {self.images}, wrapped as DICOM"
        what = "chest X-ray phantoms" if self.kind == "xray" else "head MR phantoms (volumes)"
        return f"GENERATED {what}, drawn by a program: they show no patient"


def choose(wishes: Wishes) -> Choices:
    """What a new demo does. Raises ConfigurationError, RecipeError."""
    seed = SEED if wishes.seed is None else wishes.seed
    if wishes.images is not None:
        return _real(wishes, wishes.images.resolve(), seed)
    if wishes.label is not None or wishes.split:
        raise ConfigurationError("--label and --split belong to --images; leave them out, or give a folder")
    return _generated(wishes, seed)


def resume(wishes: Wishes, state: Path) -> Choices:
    """What the earlier demo did. Raises ConfigurationError for a wish that would need a new run."""
    try:
        kept = Choices.model_validate_json(state.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{state} is missing or damaged, the demo was stopped before it began; start again with --fresh"
        ) from error
    changed = [name for name in _FIXED if getattr(wishes, name) not in (None, ())]
    if changed:
        given = ", ".join("--" + name.replace("_", "-") for name in changed)
        raise ConfigurationError(
            f"--resume goes on with what {state} says, and {given} can't be given with it; "
            "leave it out, or start a new run with --fresh"
        )
    if wishes.rounds not in (None, kept.recipe.rounds.count):
        raise ConfigurationError(
            f"--rounds {wishes.rounds}: this run was opened with {kept.recipe.rounds.count} rounds, which its signed "
            "run.json says and nobody can change. Leave --rounds out to finish it, or start a new run with --fresh"
        )
    return kept


def save(choices: Choices, state: Path) -> None:
    """Keeps the choices for `resume`."""
    part = state.with_suffix(".part")
    part.write_text(json.dumps(choices.model_dump(mode="json"), indent=2) + "\n")
    part.replace(state)


def _generated(wishes: Wishes, seed: int) -> Choices:
    kind = wishes.modality or "xray"
    if kind not in ("xray", "mr"):
        raise ConfigurationError(f"--modality {kind!r} is not legal; legal: xray, mr")
    most = len(HOSPITALS)
    count = most if wishes.sites is None else wishes.sites
    if not 2 <= count <= most:
        raise ConfigurationError(f"--sites {count} is not legal; generated hospitals: 2 to {most}")
    names = [hospital.name for hospital in HOSPITALS]
    sites = dict(list(zip(names, _COUNTS[kind], strict=True))[:count])
    recipe, folder = _recipe(wishes, f"demo-{kind}.yaml", None)
    return Choices(
        kind="mr" if kind == "mr" else "xray",
        sites=sites,
        seed=seed,
        recipe=recipe,
        recipe_folder=folder,
        exchange_url=wishes.exchange_url,
    )


def _real(wishes: Wishes, images: Path, seed: int) -> Choices:
    if wishes.sites is not None or wishes.modality == "mr":
        raise ConfigurationError(
            "--sites and --modality mr belong to generated data; with --images the manifest names the sites, "
            "and --split SITE=K divides one"
        )
    manifest = Manifest.read(images, wishes.label)
    split = manifest.split(wishes.split)
    recipe, folder = _recipe(wishes, "demo-images.yaml", manifest.labels)
    return Choices(
        kind="images",
        sites=dict.fromkeys(manifest.hospitals(split), 0),
        seed=seed,
        recipe=recipe,
        recipe_folder=folder,
        images=images,
        label=manifest.label,
        split=split,
        exchange_url=wishes.exchange_url,
    )


def _recipe(wishes: Wishes, default: str, labels: tuple[str, ...] | None) -> tuple[Recipe, Path]:
    """The recipe with the rounds asked for; the default one takes the labels that the data has."""
    path = wishes.recipe or RECIPES / default
    values = load_recipe(path).resolved()
    if labels is not None and wishes.recipe is None:
        values["task"]["labels"] = list(labels)
    if labels is not None and set(values["task"]["labels"]) != set(labels):
        raise ConfigurationError(
            f"{path} has the labels {values['task']['labels']}, the manifest has {list(labels)}; make them equal, "
            "or name another column with --label"
        )
    if wishes.rounds is not None:
        values["rounds"]["count"] = wishes.rounds
    return Recipe.model_validate(values), path.resolve().parent
