"""What a long-running command needs: to end when it is told to, and to read its settings.

Exit codes: 0 done; 1 an error, which was logged; 130 after SIGINT (Ctrl-C); 143 after SIGTERM.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Generic, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from wardround.errors import ConfigurationError, StoppedError
from wardround.limited import read_text_limited
from wardround.private_process import shown_stream
from wardround.validation import problems
from wardround.yaml_text import LIMIT, YamlError, parse_yaml

T = TypeVar("T")
S = TypeVar("S", bound=BaseModel)

GRACE_SECONDS = 1.5
_LOG = logging.getLogger(__name__)


@dataclass
class _Work(Generic[T]):
    """A function in a thread, the request to stop it, and what came of it."""

    function: Callable[[threading.Event], T]
    stop: threading.Event = field(default_factory=threading.Event)
    wake: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    signal: int | None = None
    result: list[T] = field(default_factory=list)
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result.append(self.function(self.stop))
        except BaseException as error:
            self.error = error
        self.done.set()
        self.wake.set()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self.stop.set()
        self.wake.set()


def run_until_signal(function: Callable[[threading.Event], T]) -> T:
    """What `function(stop)` returns. It runs in a thread; SIGTERM and SIGINT set `stop`.

    After a signal the function has 1.5 s to end by itself. A running TensorFlow session cannot be
    interrupted, so then the process exits at once: every write is a rename or a single request, and nothing
    half-written stays. Does not return after a signal unless the function had finished: exits 130 or 143.
    Raises what `function` raises. To be called in the main thread.
    """
    work = _Work(function)
    before = {number: signal.signal(number, work.on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    threading.Thread(target=work.run, name="work", daemon=True).start()
    try:
        work.wake.wait()
        if work.signal is not None and not work.done.wait(GRACE_SECONDS):
            _leave(work.signal, "asked to stop, and left in the middle of a step; start again to go on")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return _outcome(work)


def _outcome(work: _Work[T]) -> T:
    if work.signal is not None and isinstance(work.error, StoppedError):
        _leave(work.signal, str(work.error))
    if work.error is not None:
        raise work.error
    return work.result[0]


def _leave(number: int, message: str) -> NoReturn:
    # Not sys.exit: the interpreter's own end would wait for TensorFlow and for open connections.
    _LOG.warning(message)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    shown_stream().flush()
    os._exit(128 + number)


def load_settings(
    model: type[S], path: Path | None, prefix: str, environment: Mapping[str, str] | None = None
) -> S:
    """A settings model from a YAML or JSON file; `<prefix><FIELD>` in the environment replaces a field.

    Without a file (`path` None) the environment holds all of it. A value in the environment is read as YAML,
    so lists and numbers work. Raises ConfigurationError that names the field, without its value: it may come
    from a secret.
    """
    where = "from flags and environment" if path is None else repr(str(path))
    fields = {} if path is None else _mapping_in(path)
    given = os.environ if environment is None else environment
    names = {name: prefix + name.upper() for name in model.model_fields}
    changes = {name: _value(name, given[key]) for name, key in names.items() if key in given}
    try:
        return model.model_validate({**fields, **changes})
    except ValidationError as error:
        # `from None`: pydantic's own message quotes what was given.
        raise ConfigurationError(f"settings {where} are not legal: {problems(error)}; correct them") from None


def _mapping_in(path: Path) -> dict[str, Any]:
    try:
        content = parse_yaml(read_text_limited(path, LIMIT, "settings file"))
    except YamlError as error:
        raise ConfigurationError(f"settings {str(path)!r} are not legal: {error}; correct them") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigurationError(f"settings {str(path)!r} are no mapping of names to values; give one")
    return content


def _value(name: str, text: str) -> Any:
    try:
        return parse_yaml(text)
    except YamlError as error:
        raise ConfigurationError(
            f"setting {name} is not YAML: {error}; put quotes around texts that hold YAML's own characters"
        ) from None
