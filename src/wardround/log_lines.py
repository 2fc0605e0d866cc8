"""One line for each event in a log, and nothing in it that a terminal obeys.

In a process that handles data (`wardround.private_process`) a library's words are withheld as well: of its log lines the
logger and the place stay, of its errors the class and the place.
"""

import logging
import sys
import traceback

from wardround.errors import WardroundError
from wardround.failures import is_ours, place_of
from wardround.private_process import WITHHELD, is_private, shown_stream, withhold
from wardround.text import message


def set_up_logging(level: int = logging.INFO) -> None:
    """One line per event on stderr: coloured on a terminal, plain with a UTC time elsewhere."""
    stream = shown_stream()
    if stream.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        handler: logging.Handler = RichHandler(console=Console(file=stream), show_path=False)
        handler.setFormatter(LineFormatter("%(message)s"))
    else:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_is_worth_a_line)
    logging.basicConfig(level=level, handlers=[handler], force=True)


class LineFormatter(logging.Formatter):
    """Sanitizes the whole message, whoever quoted what in it. A traceback follows, indented, where it may be shown."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; with a traceback outside of private processes, several."""
        plain = logging.makeLogRecord(record.__dict__)
        plain.name = message(record.name)
        plain.msg, plain.args = message(_words(record)), None
        plain.exc_info = plain.exc_text = plain.stack_info = None
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return super().format(plain)
        if is_private():
            withhold(error)
            plain.msg += message(f" ({place_of(error)}; {WITHHELD})")
            return super().format(plain)
        trace = "".join(traceback.format_exception(error)).splitlines()
        return "\n    ".join([super().format(plain), *map(message, trace)])


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """In a private process a library's lines have no words left: only warnings and errors are worth one."""
    return not is_private() or is_ours(record.name) or record.levelno >= logging.WARNING


def _words(record: logging.LogRecord) -> str:
    if not is_private():
        return record.getMessage()
    if not is_ours(record.name):
        print(record.getMessage(), file=sys.stderr)  # which leads to where texts are kept
        return f"{record.levelname.lower()} of a library at {record.module}:{record.lineno}; {WITHHELD}"
    if isinstance(record.args, tuple):
        told = tuple(_told(each) for each in record.args)
        return str(_told(record.msg)) % told if told else str(_told(record.msg))
    return record.getMessage()


def _told(value: object) -> object:
    """A library's error, given to be logged, as its class and place; all else as it is."""
    if isinstance(value, BaseException) and not isinstance(value, WardroundError):
        withhold(value)
        return place_of(value)
    return value
