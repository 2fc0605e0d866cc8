"""What `wardround plan show` prints: a page for a data steward.

The first line is the verdict. Then come facts, which follow from the graphs' bytes and from what the runtime refuses,
and what the plan's author says. Of a verified plan both are one: its recipe is what the graphs were compiled from.
All of a manifest's text goes through `foreign`, and is never read as markup.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from wardround.plan.format import Plan, WeightSpec
from wardround.plan.leaving import Leaving, leaving
from wardround.plan.review import check_operations
from wardround.plan.verification import Verification, not_covered, not_verified, verdict
from wardround.recipe import Recipe
from wardround.text import foreign

_OF_EVALUATION = "And from evaluation, for each split: sums that the runtime makes of the model's scores"
_STYLES = {"verified": "bold green", "differs": "bold red"}


def plan_pages(
    plan: Plan, found: Verification | None = None, *, every_operation: bool = False, approval: str = ""
) -> Group:
    """Return everything a hospital has to know before it approves the plan.

    `found`: what verifying it has shown; None where nobody has. `approval`: how it stands approved here, if it is.
    """
    found = found or not_verified(plan.digest)
    rows, operations = leaving(plan), check_operations(plan)
    training = [row for row in rows if not row.by_runtime]
    evaluation = [row for row in rows if row.by_runtime]
    pages: list[RenderableType] = [
        verdict_text(plan, found),
        _facts(plan, operations, approval),
        _leaving_table("What leaves this hospital in each round, from training", training, found.is_verified),
        _leaving_table(
            _OF_EVALUATION,
            evaluation,
            True,
        ),
        _closing(plan, training, evaluation),
        _said(plan, found.is_verified),
        _model(plan, found.is_verified),
    ]
    return Group(*pages, *([_operations(operations)] if every_operation else []))


def verdict_text(plan: Plan, found: Verification) -> Text:
    """The first line, and what it does not cover or what differs."""
    lines = [verdict(found, plan.manifest, str(plan.folder))]
    if found.is_verified:
        lines += [f"Not covered: {words}" for words in not_covered(plan.manifest.recipe_model())]
    lines += [f"  differs: {foreign(line, 600)}" for line in found.differences]
    text = Text("\n".join(lines))
    text.stylize(_STYLES.get(found.state, "bold"), 0, len(lines[0]))
    return text


def _table(title: str) -> Table:
    table = Table(title=f"\n{title}", show_header=False, title_justify="left", box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    return table


def _shown(value: object, limit: int = 200) -> str:
    return escape(foreign(value, limit))


def _facts(plan: Plan, operations: Counter[str], approval: str) -> Table:
    table = _table("Facts: the graphs themselves, and what the runtime holds")
    table.add_row("digest", plan.digest)
    for spec in plan.manifest.element:
        shape = " x ".join("any" if side is None else str(side) for side in spec.shape)
        table.add_row("graphs take", f"{_shown(spec.name, 20)}: {_shown(spec.dtype, 20)} {shape}")
    table.add_row(
        "operations",
        f"{sum(operations.values()):,} nodes of {len(operations)} kinds, all on the allow-list: no files, no network, "
        "no programs (--operations lists them)",
    )
    if approval:
        table.add_row("approval", _shown(approval))
    return table


def _said(plan: Plan, verified: bool) -> Table:
    """The recipe's words. Not one is a fact of a plan that was not compiled from it before our eyes."""
    recipe = plan.manifest.recipe_model()
    title = "The recipe, from which the graphs were compiled again" if verified else "The author says"
    table = _table(title)
    for name, words in _rows(recipe):
        table.add_row(name, _shown(words, 600))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(plan.manifest.versions.items()))
    table.add_row("compiled by", _shown(versions))
    return table


def _rows(recipe: Recipe) -> list[tuple[str, str]]:
    image, size = recipe.task.image, " x ".join(map(str, recipe.task.image.size))
    rounds = recipe.rounds
    return [
        ("name", recipe.name),
        ("task", f"{recipe.task.kind}: {', '.join(recipe.task.labels)}"),
        ("images", f"{'/'.join(image.modality)}, {size} pixels, {image.bits} bit"),
        *_learning(recipe),
        (
            "rounds",
            f"{rounds.count}, quorum {rounds.quorum}; a failed one is tried {rounds.max_failed} times in a row",
        ),
        ("who sees evaluation", _readers(recipe)),
        ("differential privacy", recipe.privacy.kind),
        ("start weights", f"drawn with seed {recipe.seed}"),
    ]


def _readers(recipe: Recipe) -> str:
    if recipe.per_site:
        return "every hospital sees each hospital's own sums, by name, every time that a model is evaluated"
    return "every hospital sees the sums over all; the coordinator computes them from each one's"


def _learning(recipe: Recipe) -> list[tuple[str, str]]:
    algorithm, client, server = recipe.algorithm, recipe.algorithm.client, recipe.algorithm.server
    if algorithm.process is not None:
        return [
            (
                "learning process",
                f"the author's own: {algorithm.process.function} of {algorithm.process.file}",
            )
        ]
    return [
        ("algorithm", f"{algorithm.name}, weighted by {algorithm.weighting}"),
        (
            "at a hospital",
            f"{client.optimizer}, learning rate {client.learning_rate:g}, batches of {client.batch_size}, "
            f"{client.epochs} epoch(s) a round",
        ),
        ("at the coordinator", f"{server.optimizer}, learning rate {server.learning_rate:g}"),
        ("aggregation", _aggregation(recipe)),
    ]


def _aggregation(recipe: Recipe) -> str:
    words = ["secure sums" if recipe.aggregation.secure else "plain sums"]
    if robust := recipe.aggregation.robust:
        words.append(f"clipping {robust.clip}, zeroing {'on' if robust.zero else 'off'}")
    if recipe.aggregation.compressed:
        words.append("8-bit compression")
    return "; ".join(words)


def _model(plan: Plan, verified: bool) -> Table:
    total = sum(map(_count, plan.manifest.weights))
    by = "" if verified else "The author says: "
    table = Table(title=f"\n{by}{'Model' if verified else 'model'}, {total:,} weights", title_justify="left")
    table.add_column("layer")
    table.add_column("kind")
    table.add_column("weights", justify="right")
    for name, kind, count in plan.manifest.layers:
        table.add_row(_shown(name, 80), _shown(kind, 80), f"{count:,}" if count else "")
    for weight in plan.manifest.weights if not plan.manifest.layers else ():
        table.add_row(_shown(weight.name, 80), "", f"{_count(weight):,}")
    return table


def _count(weight: WeightSpec) -> int:
    return math.prod(max(0, side) for side in weight.shape)


def _operations(found: Counter[str]) -> Text:
    return Text("\nOperations: " + ", ".join(f"{name} {count}" for name, count in sorted(found.items())))


def _leaving_table(title: str, rows: list[Leaving], known: bool) -> Table:
    """`known`: whether it is a fact what each tensor means."""
    table = Table(title=f"\n{title}", title_justify="left")
    for column in ("shape", "type"):
        table.add_column(column, overflow="fold")
    table.add_column("bytes", justify="right")
    table.add_column("bounded", justify="right")
    table.add_column("what it is" if known else "the author says", overflow="fold")
    for row in rows:
        shape = " x ".join("open" if side is None else str(side) for side in row.shape) or "scalar"
        size = "refused: open size" if row.bytes is None else f"{row.bytes:,}"
        bound = f"< {row.bound:,}" if row.bound else "no"
        meaning = f"{foreign(row.meaning, 120)} ({foreign(row.name, 120)})"
        table.add_row(shape, _shown(row.dtype, 20), size, bound, escape(meaning))
    return table


def _closing(plan: Plan, training: list[Leaving], evaluation: list[Leaving]) -> Text:
    sent, bounded = _bytes(training), _bytes(row for row in training if row.bound)
    return Text(
        f"\nTogether {sent:,} bytes of training a round, of which {bounded:,} bytes are bounded integers, ready to be "
        f"masked, and {sent - bounded:,} bytes are plain; and {_bytes(evaluation):,} bytes of evaluation for each "
        "split.\nBeside these only the numbers of images are sent, when it "
        "joins, and codes when it refuses something. Changes of weights can still carry traces of the images they were "
        f"trained on.\nTo allow it here: wardround site approve {plan.digest}"
    )


def _bytes(rows: Iterable[Leaving]) -> int:
    return sum(row.bytes or 0 for row in rows)
