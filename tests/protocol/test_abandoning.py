"""A run that its people give up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from federation import FEDERATION, Federation
from typer.testing import CliRunner

from wardround.cli.coordinator import app
from wardround.coordinator.abandon import AbandonSettings, abandon
from wardround.exchange.errors import MissingError
from wardround.exchange.layout import COORDINATOR
from wardround.exchange.messages import FinalMessage, RoundMessage
from wardround.exchange.store import wait_for_any


@contextmanager
def as_coordinator(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> Iterator[AbandonSettings]:
    with monkeypatch.context() as patch:
        for name, value in federation.world.environment(COORDINATOR).items():
            patch.setenv(name, value)
        whole = federation.coordinator_settings()
        yield AbandonSettings.model_validate(whole.model_dump())


def wait_for_round(federation: Federation, number: int) -> None:
    view = federation.view
    key = view.channel.where(RoundMessage, number)
    assert wait_for_any(view.shared, key, [key], seconds=60) is not None


def test_sites_of_a_run_whose_coordinator_is_gone_stop_waiting_when_it_is_abandoned(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.changes = {"rounds": 1000}
    coordinator, *sites = federation.start_all()
    wait_for_round(federation, 3)
    coordinator.process.kill()
    with as_coordinator(federation, monkeypatch) as settings:
        final = abandon(settings, federation.run)
        assert abandon(settings, federation.run) == final  # twice is no other end
    assert final.status == "abandoned" and 2 <= final.rounds < 1000 and final.champion > 0
    assert [site.wait() for site in sites] == [1, 1, 1]
    assert all("abandoned" in site.text() for site in sites)
    again = federation.start_coordinator()
    assert again.wait() == 1 and "somebody gave it up" in again.text()
    assert len(federation.outcomes()) == final.rounds


def test_a_coordinator_that_still_plays_stops_before_its_next_round(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.changes = {"rounds": 1000}
    actors = federation.start_all()
    wait_for_round(federation, 3)
    with as_coordinator(federation, monkeypatch) as settings:
        final = abandon(settings, federation.run)
    assert [actor.wait() for actor in actors] == [1, 1, 1, 1]
    assert len(federation.outcomes()) <= final.rounds + 2


def test_a_run_that_has_ended_keeps_its_end_and_one_that_never_was_is_missing(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    view = federation.view
    with as_coordinator(federation, monkeypatch) as settings:
        file = tmp_path / "coordinator.yaml"
        file.write_text(yaml.safe_dump(settings.model_dump(mode="json")))
        command = ["abandon", federation.run, "--settings", str(file)]
        asked = CliRunner().invoke(app, command, input="n\n")
        assert asked.exit_code == 1 and f"Abandon run {federation.run} of {FEDERATION}" in asked.output
        said = CliRunner().invoke(app, [*command, "--yes"])
        assert said.exit_code == 0 and "had ended already: finished after 3 rounds" in said.output
        with pytest.raises(MissingError):
            abandon(settings, "no-such-run")
    assert view.channel.read(view.shared, FinalMessage, view.me).message.status == "finished"
