"""Setting a run up: buckets, the list of members, the plan's files, `run.json`. All of it can be repeated."""

from dataclasses import replace
from datetime import UTC, datetime

from wardround.coordinator.context import Rules, Run
from wardround.errors import ConfigurationError
from wardround.exchange.envelope import PublicKey
from wardround.exchange.errors import MissingError
from wardround.exchange.membership import fetch_members, publish_members
from wardround.exchange.messages import FederationMessage, RunMessage
from wardround.exchange.records import Peer, Record
from wardround.plan.format import Plan
from wardround.plan_store import publish_plan
from wardround.recipe import Recipe
from wardround.recipe.bounds import MORE_THAN_APPROVED, why_beyond


def rules_of(plan: Plan, changes: dict[str, float | int]) -> Rules:
    """The rules that a plan's recipe gives; `changes` replaces fields by name."""
    recipe = plan.manifest.recipe_model()
    rounds, stop = recipe.rounds, recipe.rounds.early_stop
    given = {
        "rounds": rounds.count,
        "quorum": rounds.quorum,
        "deadline_s": rounds.deadline,
        "join_deadline_s": rounds.join_deadline,
        **changes,
    }
    return Rules(
        rounds=int(given["rounds"]),
        quorum=int(given["quorum"]),
        deadline_s=float(given["deadline_s"]),
        join_deadline_s=float(given["join_deadline_s"]),
        max_failed=rounds.max_failed,
        evaluate_every=recipe.evaluation.every,
        evaluates=plan.manifest.predict is not None,
        per_site=recipe.per_site,
        positive=recipe.positive,
        seed=recipe.seed,
        measure=measure_of(recipe),
        patience=stop.patience if stop else None,
    )


def measure_of(recipe: Recipe) -> str:
    """By what a recipe's champion is chosen."""
    stop = recipe.rounds.early_stop
    return stop.metric if stop else "val_auc"


def open_run(run: Run, plan: Plan) -> tuple[Run, RunMessage]:
    """Makes the run visible to its sites, or finds it so; returns it with its members, and its description.

    Members are those of the moment in which the run was opened, with the keys that they had then, less those who were
    taken out since. Raises ConfigurationError when the quorum cannot be reached, when the run goes beyond what hospitals
    approve with the plan, or when it is there with other rules.
    """
    if run.rules.quorum > len(run.members):
        raise ConfigurationError(
            f"the quorum is {run.rules.quorum}, the federation has {len(run.members)} members; lower rounds.quorum"
        )
    _check_covered(run, plan)
    _create_buckets(run)
    found = _found(run)
    epoch = found.message.epoch if found else _publish_members(run)
    publish_plan(run.shared, plan)
    message, digest = _describe(run, plan, found, epoch)
    listed = fetch_members(run.channel, run.shared, epoch, run.me)
    members = _members(run, listed.message)
    return replace(run, members=members, described=digest, listed=listed.digest), message


def _check_covered(run: Run, plan: Plan) -> None:
    rules = run.rules
    why = why_beyond(
        plan.manifest.recipe_model(),
        rounds=rules.rounds,
        quorum=rules.quorum,
        evaluate_every=rules.evaluate_every,
        seed=rules.seed,
    )
    if why is not None:
        raise ConfigurationError(
            f"the run {why}; hospitals approve a plan with its recipe, and refuse what goes beyond it: change the "
            "settings, or compile a recipe that says so",
            code=MORE_THAN_APPROVED,
        )


def _create_buckets(run: Run) -> None:
    names = (run.layout.federation, run.layout.coordinator, *map(run.layout.site, sorted(run.members)))
    for name in names:
        run.exchange.create_bucket(name)


def _found(run: Run) -> Record[RunMessage] | None:
    try:
        return run.channel.read(run.shared, RunMessage, run.me)
    except MissingError:
        return None


def _publish_members(run: Run) -> int:
    members = {site: peer.key.text for site, peer in sorted(run.members.items())}
    return publish_members(run.channel, run.shared, run.channel.key.public.text, members)


def _members(run: Run, listed: FederationMessage) -> dict[str, Peer]:
    keys = sorted(listed.members.items())
    return {site: Peer(site, PublicKey(key)) for site, key in keys if site in run.members}


def _describe(run: Run, plan: Plan, found: Record[RunMessage] | None, epoch: int) -> tuple[RunMessage, str]:
    """The run's description, and the SHA-256 of its bytes."""
    wanted = _description(run.rules, plan, epoch)
    if found is None:
        return wanted, run.channel.write(run.shared, wanted)
    if found.message.model_copy(update={"started": wanted.started}) != wanted:
        raise ConfigurationError(
            f"run {run.channel.run!r} was opened with other rules or another plan ({found.message.plan_digest[:12]}, "
            f"now {plan.digest[:12]}); give this one a new name, or start it with what it was opened with",
            code="other-run",
        )
    return found.message, found.digest


def _description(rules: Rules, plan: Plan, epoch: int) -> RunMessage:
    return RunMessage(
        plan_digest=plan.digest,
        epoch=epoch,
        rounds=rules.rounds,
        quorum=rules.quorum,
        deadline_s=rules.deadline_s,
        join_deadline_s=rules.join_deadline_s,
        evaluate_every=rules.evaluate_every,
        seed=rules.seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
