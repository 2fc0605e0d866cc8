"""A run's status for a terminal."""

from rich.console import Group
from rich.table import Column, Table

from wardround.kubeflow.find import KubeflowRun
from wardround.kubeflow.status import RoundStatus, RunStatus
from wardround.text import for_rich, foreign

_LINK = 1000


def status_page(found: RunStatus) -> Group:
    """Facts, sites and rounds, one below the other."""
    return Group(_facts(found), _sites(found), *([_rounds(found.rounds)] if found.rounds else []))


def links(parts: list[KubeflowRun], model: str | None) -> list[str]:
    """Where to look on, a line each: whole, for a terminal would break an address in two."""
    rows = [[part.state.lower(), part.name, part.link] for part in parts]
    rows += [["model", model]] if model is not None else []
    return ["  ".join(foreign(cell, _LINK) for cell in row) for row in rows]


def _facts(found: RunStatus) -> Table:
    table = Table(Column(), Column(overflow="fold"), show_header=False, box=None)
    trained = sum(each.status == "completed" for each in found.rounds)
    rows = {
        "run": f"{found.run} of federation {found.federation}",
        "state": found.state,
        "plan": found.plan_digest,
        "opened": found.started,
        "rounds": f"{trained} of {found.rounds_wanted} trained, quorum {found.quorum}",
    }
    if found.champion is not None:
        value = "" if found.metric is None else f", {found.measure} {found.metric:.4f}"
        rows["champion"] = f"model {found.champion}{value}"
    for name, value in rows.items():
        table.add_row(name, for_rich(value))
    return table


def _sites(found: RunStatus) -> Table:
    table = Table("site", "word", "last round")
    last = found.rounds[-1] if found.rounds else None
    for each in found.sites:
        word = f"{each.word} ({each.code})" if each.code else each.word
        table.add_row(
            for_rich(each.site), for_rich(word), for_rich("" if last is None else _part(last, each.site))
        )
    return table


def _part(last: RoundStatus, site: str) -> str:
    if site in last.accepted:
        return "accepted"
    if site in last.refused:
        return f"refused ({last.refused[site]})"
    if site in last.declined:
        return f"declined ({last.declined[site]})"
    return "missing" if site in last.missing else "not in it"


def _rounds(rounds: tuple[RoundStatus, ...]) -> Table:
    table = Table("round", "outcome", "model", "accepted", "refused", "missing", "loss", "accuracy", "AUROC")
    for each in rounds:
        figures = (each.figures.get(name) for name in ("loss", "accuracy", "auroc"))
        table.add_row(
            str(each.round),
            for_rich(each.status),
            str(each.model),
            str(len(each.accepted)),
            str(len(each.refused)),
            str(len(each.missing)),
            *("" if value is None else f"{value:.4f}" for value in figures),
        )
    return table
