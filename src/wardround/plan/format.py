"""A plan on disk: `plan.json` and `graphs/*.pb`. Its digest is the SHA-256 of the canonical `plan.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wardround.errors import RefusedError
from wardround.limited import FileError, read_limited
from wardround.plan.consistency import SUM_KINDS, check_consistency
from wardround.plan.fields import (
    MAX_GRAPH_BYTES,
    MAX_LEAVES,
    Bits,
    Dtype,
    Hash,
    Largest,
    Modulus,
    Name,
    Node,
    OpenShape,
    OptionalTensorName,
    Shape,
    TensorName,
    Version,
)
from wardround.recipe import Recipe
from wardround.text import foreign

__all__ = ["SUM_KINDS"]

FORMAT = 2
MANIFEST_NAME = "plan.json"
MAX_MANIFEST_BYTES = 16 << 20


class Frozen(BaseModel):
    """Base of everything in a manifest: no unknown keys, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Leaf(Frozen):
    """One tensor of a part's argument or result: its path in the type, and its name in the graph."""

    name: Name
    tensor: TensorName
    shape: OpenShape
    dtype: Dtype | Literal["variant"]
    kind: Literal["tensor", "dataset"] = "tensor"

    @model_validator(mode="after")
    def _only_data_sets_are_variants(self) -> Leaf:
        if (self.kind == "dataset") != (self.dtype == "variant"):
            raise ValueError("variant is the dtype of a data set, and of nothing else")
        return self


Leaves = Annotated[tuple[Leaf, ...], Field(max_length=MAX_LEAVES)]


class Part(Frozen):
    """One graph, with what goes in and what comes out, each a list of leaves in TFF's order."""

    file: Annotated[str, Field(pattern=r"^graphs/[a-z]{1,20}\.pb\z")]
    bytes: Annotated[int, Field(ge=0, le=MAX_GRAPH_BYTES)]
    sha256: Hash
    initialize_op: Node = ""
    session_token: OptionalTensorName = ""
    arguments: Annotated[dict[Name, Leaves], Field(max_length=8)]
    results: Annotated[dict[Name, Leaves], Field(max_length=8)]


class SecureLimits(Frozen):
    """Bound of every securely summed tensor, in order: bit width, largest input, modulus."""

    bits: Annotated[tuple[Bits, ...], Field(max_length=MAX_LEAVES)] = ()
    max_input: Annotated[tuple[Largest, ...], Field(max_length=MAX_LEAVES)] = ()
    modulus: Annotated[tuple[Modulus, ...], Field(max_length=MAX_LEAVES)] = ()

    def by_kind(self) -> dict[str, tuple[int, ...]]:
        """The exclusive upper bound of every tensor of each kind of secure sum."""
        return {
            "secure_bitwidth": tuple(2**bits for bits in self.bits),
            "secure_max_input": tuple(largest + 1 for largest in self.max_input),
            "secure_modular": self.modulus,
        }


class NormBound(Frozen):
    """A bound of a norm: `factor` × the tensor `estimate` of the server state + `plus`. Beyond it a site acts.

    The other fields name leaves: `below` is ±0.5 by whether the site's norm is within the estimate, of which `ones`
    counts the sites; `count` is 1 where the site has acted.
    """

    estimate: Name | None
    factor: Annotated[float, Field(ge=0, le=1e3)]
    plus: Annotated[float, Field(ge=0, le=1e30)]
    below: Name | None = None
    ones: Name | None = None
    count: Name | None = None

    def figures(self) -> Iterator[str]:
        """The leaves of the sum that are one number each."""
        yield from filter(None, (self.below, self.ones, self.count))


class MeanRoles(Frozen):
    """A weighted mean: `value`, the leaves of the sum of value × weight, and `weight`, the sum of the weights.

    `clipping` bounds the Euclidean norm of all of a site's value, `zeroing` the largest of its absolute values.
    """

    value: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_LEAVES)]
    weight: Name
    clipping: NormBound | None = None
    zeroing: NormBound | None = None

    def bounds(self) -> Iterator[NormBound]:
        """Those of the two that there are."""
        yield from filter(None, (self.clipping, self.zeroing))


class UpdateRoles(Frozen):
    """What its author says the leaves of an update are, by the names of `accumulate`'s sum.

    Checks grow stricter by it, and never looser: a plan that says nothing is checked as one of unknown numbers.
    """

    change: MeanRoles
    gradient: MeanRoles | None = None
    loss_sum: Name
    correct: Name
    num_examples: Name

    def means(self) -> Iterator[MeanRoles]:
        """The one mean or the two."""
        yield from filter(None, (self.change, self.gradient))


class ProcessParts(Frozen):
    """The parts of training (TFF's MapReduceForm), and the limits of what is summed securely."""

    initialize: Part
    prepare: Part
    work: Part
    zero: Part
    accumulate: Part
    merge: Part
    report: Part
    update: Part
    secure: SecureLimits
    update_roles: UpdateRoles | None = None

    def roles(self) -> Iterator[tuple[str, Part]]:
        """Every graph of this process by its role."""
        for role in ("initialize", "prepare", "work", "zero", "accumulate", "merge", "report", "update"):
            yield role, getattr(self, role)


class WeightSpec(Frozen):
    """One model weight; its position is that in the result of the `weights` part."""

    name: Name
    shape: Shape
    dtype: Dtype
    trainable: bool


class ElementSpec(Frozen):
    """One component of a batch: x float32 [batch, …], y int32 [batch]."""

    name: Literal["x", "y"]
    shape: OpenShape
    dtype: Dtype


Layer = tuple[Name, Name, Annotated[int, Field(ge=0, lt=2**40)]]


class Manifest(Frozen):
    """The content of `plan.json`. One that is not consistent (`plan.consistency`) can't be made.

    `layers`: name, kind and number of weights of each layer, in the author's words.
    """

    format: Literal[2]
    recipe: dict[str, Any]
    versions: Annotated[dict[Name, Version], Field(max_length=8)]
    element: Annotated[tuple[ElementSpec, ...], Field(max_length=2)]
    train: ProcessParts
    predict: Part | None
    weights_part: Part
    weights: Annotated[tuple[WeightSpec, ...], Field(max_length=MAX_LEAVES)]
    layers: Annotated[tuple[Layer, ...], Field(max_length=MAX_LEAVES)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Manifest:
        try:
            recipe = self.recipe_model()
        except ValidationError as error:
            raise ValueError(f"recipe: {_first(error)}") from error
        check_consistency(self, recipe)
        return self

    def recipe_model(self) -> Recipe:
        """The recipe that was compiled."""
        return Recipe.model_validate(self.recipe)

    def roles(self) -> Iterator[tuple[str, Part]]:
        """Every graph of the plan by its role, which its file is named after."""
        yield from self.train.roles()
        yield "weights", self.weights_part
        if self.predict is not None:
            yield "predict", self.predict

    def parts(self) -> tuple[Part, ...]:
        """Every graph of the plan."""
        return tuple(part for _, part in self.roles())

    def canonical(self) -> bytes:
        """The bytes of `plan.json`: sorted keys, no spaces, UTF-8; the plan's digest is their SHA-256."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class Plan(Frozen):
    """A verified plan: every file is what the manifest says, the manifest is what the digest says."""

    folder: Path
    digest: str
    manifest: Manifest

    def graph(self, part: Part) -> bytes:
        """Return a part's GraphDef after checking its hash. Raises RefusedError."""
        return _verified(self.folder / part.file, part)

    @property
    def files(self) -> tuple[tuple[str, str, int], ...]:
        """(path, SHA-256, bytes) of every graph, each once."""
        return tuple(sorted({(part.file, part.sha256, part.bytes) for part in self.manifest.parts()}))


def write_plan(draft: dict[str, Any], folder: Path) -> Plan:
    """Turn the compiler's draft into a plan: validate it, and write the canonical manifest beside the graphs.

    Raises RefusedError `malformed` for a draft that no hospital would take.
    """
    try:
        manifest = Manifest.model_validate(draft)
    except ValidationError as error:
        raise RefusedError(f"hospitals would refuse the plan: {_first(error)}", code="malformed") from error
    part = folder / f"{MANIFEST_NAME}.part"
    part.write_bytes(manifest.canonical())
    part.replace(folder / MANIFEST_NAME)
    return load_plan(folder)


def load_plan(folder: Path, *, expected: str | None = None) -> Plan:
    """Read and verify a plan.

    Raises RefusedError: `missing` files, `malformed` manifest, `wrong-digest` where a hash differs from what
    the manifest (or `expected`, the digest asked for) says.
    """
    data = _read(folder / MANIFEST_NAME, MAX_MANIFEST_BYTES)
    manifest = parse_manifest(data, expected=expected)
    plan = Plan(folder=folder, digest=digest_of(data), manifest=manifest)
    for part in manifest.parts():
        plan.graph(part)
    return plan


def parse_manifest(data: bytes, *, expected: str | None = None) -> Manifest:
    """Parse the bytes of a `plan.json`.

    Raises RefusedError: `wrong-digest`, `malformed`, `old-format` and `new-format` for another version of the format.
    """
    digest = digest_of(data)
    if expected is not None and digest != expected:
        raise RefusedError(f"plan has digest {digest}, {expected} was asked for", code="wrong-digest")
    try:
        manifest = Manifest.model_validate_json(data)
    except (ValidationError, RecursionError) as error:
        _check_format(data, digest)
        raise RefusedError(
            f"plan {digest[:12]}: the manifest is malformed: {_first(error)}", code="malformed"
        ) from error
    if manifest.canonical() != data:
        raise RefusedError(f"plan {digest[:12]}: the manifest is not in its canonical form", code="malformed")
    return manifest


def digest_of(data: bytes) -> str:
    """The SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


class _Versioned(BaseModel):
    """What every version of the format has said of itself."""

    format: int


def _check_format(data: bytes, digest: str) -> None:
    try:
        found = _Versioned.model_validate_json(data).format
    except (ValidationError, RecursionError):
        return
    if found < FORMAT:
        raise RefusedError(
            f"plan {digest[:12]} is of format {found}, which is not run any more: its evaluation was a graph that "
            f"could send anything about a patient's image. Compile the recipe again, for format {FORMAT}",
            code="old-format",
        )
    if found > FORMAT:
        raise RefusedError(
            f"plan {digest[:12]} is of format {foreign(found, 20)}, this Wardround knows {FORMAT}: update it",
            code="new-format",
        )


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return type(error).__name__
    problem = error.errors(include_input=False, include_url=False)[0]
    text = problem["msg"].removeprefix("Value error, ")
    place = ".".join(map(str, problem["loc"]))
    return foreign(f"{place}: {text}" if place else text, 600)


def _read(path: Path, limit: int) -> bytes:
    """The folder may be somebody else's: a pipe or a device in it would never end."""
    try:
        if path.is_file() and (size := path.stat().st_size) > limit:
            raise RefusedError(f"{path.name} has {size} bytes, at most {limit} are legal", code="oversized")
        return read_limited(path, limit)
    except (OSError, FileError) as error:
        raise RefusedError(
            f"plan is incomplete: {path.name} can't be read ({error})", code="missing"
        ) from error


def _verified(path: Path, part: Part) -> bytes:
    data = _read(path, part.bytes)
    if digest_of(data) != part.sha256:
        raise RefusedError(f"{part.file} is not the graph that the manifest names", code="wrong-digest")
    return data
