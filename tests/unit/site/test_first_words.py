"""A step says what it is before it loads anything that takes long."""

import inspect
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wardround.cli import site
from wardround.cli.executor import Executor
from wardround.cli.options import Step
from wardround.site.settings import SiteSettings

STEPS = [
    ("wardround.site.intake", site.preprocess),
    ("wardround.site.commands", site.train),
    ("wardround.site.evaluate", site.evaluate),
]


@pytest.mark.parametrize(("loads", "command"), STEPS, ids=[module for module, _ in STEPS])
def test_a_sites_step_names_itself_before_it_loads_tensorflow(
    loads: str,
    command: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, loads, None)  # importing it fails
    settings = SiteSettings(
        federation="thorax",
        site="alder",
        run="first",
        exchange=str(tmp_path),
        key_file=tmp_path / "key.pem",
        coordinator_key="0" * 64,
        work=tmp_path,
    )
    with caplog.at_level(logging.INFO), pytest.raises(ImportError):
        inspect.unwrap(command)(Step(settings, Executor()))
    assert caplog.messages == ["site alder of federation thorax, run first"]
