"""What `wardround plan show` prints: a page for a data steward."""

from __future__ import annotations

import math
from collections import Counter

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from wardround.plan.format import Plan
from wardround.plan.review import Leaving, check_operations, leaving
from wardround.recipe import Recipe


def plan_pages(plan: Plan, *, every_operation: bool = False) -> Group:
    """Return everything a hospital has to know before it approves the plan."""
    recipe = plan.manifest.recipe_model()
    rows = leaving(plan)
    pages: list[RenderableType] = [
        _headline(plan, recipe),
        _model(plan),
        _operations(check_operations(plan), every_operation),
        _leaving_table(rows, recipe),
        _closing(plan, rows, recipe),
    ]
    return Group(*pages)


def _headline(plan: Plan, recipe: Recipe) -> Table:
    table = Table(title=f"Plan {recipe.name}", show_header=False, title_justify="left", box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    client, server = recipe.algorithm.client, recipe.algorithm.server
    size = " x ".join(map(str, recipe.task.image.size))
    table.add_row("digest", plan.digest)
    table.add_row("task", escape(f"{recipe.task.kind}: {', '.join(recipe.task.labels)}"))
    table.add_row(
        "images", f"{'/'.join(recipe.task.image.modality)}, {size} pixels, {recipe.task.image.bits} bit"
    )
    table.add_row("algorithm", f"{recipe.algorithm.name}, weighted by {recipe.algorithm.weighting}")
    table.add_row("at a hospital", _client_words(recipe))
    table.add_row("at the coordinator", f"{server.optimizer}, learning rate {server.learning_rate:g}")
    table.add_row(
        "rounds", f"{recipe.rounds.count}, quorum {recipe.rounds.quorum}, {client.epochs} epoch(s) each"
    )
    table.add_row("aggregation", _aggregation_words(recipe))
    table.add_row("differential privacy", recipe.privacy.kind)
    versions = ", ".join(f"{name} {version}" for name, version in plan.manifest.versions.items())
    table.add_row("compiled by", versions)
    return table


def _client_words(recipe: Recipe) -> str:
    if recipe.algorithm.name == "custom":
        return "the data scientist's own learning process"
    client = recipe.algorithm.client
    return f"{client.optimizer}, learning rate {client.learning_rate:g}, batches of {client.batch_size}"


def _aggregation_words(recipe: Recipe) -> str:
    words = ["secure sums (bounded integers)" if recipe.aggregation.secure else "plain sums"]
    if robust := recipe.aggregation.robust:
        words.append(f"clipping {robust.clip}, zeroing {'on' if robust.zero else 'off'}")
    if recipe.aggregation.compressed:
        words.append("8-bit compression")
    return "; ".join(words)


def _model(plan: Plan) -> Table:
    total = sum(math.prod(weight.shape) for weight in plan.manifest.weights)
    table = Table(title=f"\nModel: {total:,} weights", title_justify="left")
    table.add_column("layer")
    table.add_column("kind")
    table.add_column("weights", justify="right")
    for name, kind, count in plan.manifest.layers:
        table.add_row(escape(name), escape(kind), f"{count:,}" if count else "")
    for weight in plan.manifest.weights if not plan.manifest.layers else ():
        table.add_row(escape(weight.name), "", f"{math.prod(weight.shape):,}")
    return table


def _operations(found: Counter[str], every: bool) -> RenderableType:
    head = f"\nOperations: {sum(found.values()):,} nodes of {len(found)} kinds, all on the allow-list"
    if not every:
        return Text(f"{head} (--operations lists them)")
    return Text(f"{head}\n" + ", ".join(f"{name} {count}" for name, count in sorted(found.items())))


def _leaving_table(rows: list[Leaving], recipe: Recipe) -> Table:
    table = Table(title="\nWhat leaves this hospital in each round", title_justify="left")
    for column, justify in (("tensor", "left"), ("what it is", "left"), ("shape", "left"), ("type", "left")):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    table.add_column("bytes", justify="right")
    table.add_column("bounded", justify="right")
    for row in rows:
        shape = " x ".join(map(str, row.shape)) or "scalar"
        bound = f"< {row.bound:,}" if row.bound else "no"
        table.add_row(escape(row.name), escape(row.meaning), shape, row.dtype, f"{row.bytes:,}", bound)
    return table


def _closing(plan: Plan, rows: list[Leaving], recipe: Recipe) -> Text:
    training = sum(row.bytes for row in rows if row.name.startswith("training"))
    evaluation = sum(row.bytes for row in rows) - training
    seen = (
        "bounded integers, ready to be masked" if recipe.aggregation.secure else "readable by the coordinator"
    )
    return Text(
        f"\nTogether {training:,} bytes of training and {evaluation:,} bytes of evaluation a round, {seen}.\n"
        "Nothing else is sent. Changes of weights can still carry traces of the images they were trained on.\n"
        f"To allow it here: wardround site approve {plan.digest}"
    )
