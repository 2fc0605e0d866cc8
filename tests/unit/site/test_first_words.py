"""A step says what it is before it loads anything that takes long."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wardround.cli import steps_site
from wardround.cli.executor import Executor
from wardround.cli.options import Step
from wardround.site.settings import SiteSettings

STEPS: list[tuple[str, Callable[[Step[SiteSettings]], Any]]] = [
    ("wardround.site.intake", lambda given: steps_site.run_preprocess(given, None)),  # type: ignore[arg-type]
    ("wardround.site.commands", steps_site.run_train),
    ("wardround.site.evaluate", lambda given: steps_site.run_evaluate(given, show_local=False)),
]


@pytest.mark.parametrize(("loads", "run"), STEPS, ids=[module for module, _ in STEPS])
def test_a_sites_step_names_itself_before_it_loads_tensorflow(
    loads: str,
    run: Callable[[Step[SiteSettings]], Any],
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
        run(Step(settings, Executor()))
    assert caplog.messages == ["site alder of federation thorax, run first"]
