"""What commands print line by line: their own words, with names in them that others may have chosen."""

import typer

from wardround.private_process import shown_stream
from wardround.text import message


def echo(*lines: object, err: bool = False) -> None:
    """Prints lines on standard output (`err`: standard error); nothing in one moves a cursor or ends the line."""
    for line in lines:
        typer.echo(message(line), file=shown_stream() if err else None)
