"""Findings as a table on the terminal or in a pod's log."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from wardround.exchange.findings import Finding
from wardround.text import for_rich

_WORDS = {True: "ok", False: "FAILED", None: "open"}
_WIDTH = 140
_DETAIL = 2000


def show(findings: Sequence[Finding]) -> int:
    """Prints all findings; returns the exit code, 1 if one of them failed."""
    table = Table("", "what", "found")
    for each in findings:
        table.add_row(_WORDS[each.ok], for_rich(each.what), for_rich(each.detail, _DETAIL))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)  # a log has no width of its own
    console.print(table)
    return int(any(each.ok is False for each in findings))
