"""A run that its people give up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from federation import FEDERATION, Federation
from hand import HandSite
from typer.testing import CliRunner

from wardround.cli.coordinator import app
from wardround.coordinator.abandon import AbandonSettings, abandon
from wardround.exchange.errors import MissingError
from wardround.exchange.layout import COORDINATOR
from wardround.exchange.messages import FinalMessage, JoinMessage, RoundMessage
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


def test_a_coordinator_that_still_plays_stops_and_does_not_wait_for_its_round_s_deadline(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.changes = {"rounds": 1000, "deadline_s": 3600}
    actors = federation.start_all()
    wait_for_round(federation, 3)
    with as_coordinator(federation, monkeypatch) as settings:
        assert abandon(settings, federation.run).status == "abandoned"
    assert [actor.wait() for actor in actors] == [1, 1, 1, 1]
    assert len(federation.outcomes()) < 1000


def test_a_run_that_is_given_up_before_enough_have_joined_ends_at_once(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.changes = {"quorum": 3, "join_deadline_s": 3600}
    coordinator, alder = federation.start_coordinator(), federation.start_site("alder")
    joined = federation.view.channel.where(JoinMessage)
    assert wait_for_any(federation.view.site("alder"), joined, [joined], seconds=60) is not None
    with as_coordinator(federation, monkeypatch) as settings:
        assert abandon(settings, federation.run).rounds == 0
    assert [actor.wait() for actor in (coordinator, alder)] == [1, 1]
    assert "somebody gave it up" in coordinator.text()
    assert not federation.outcomes()


def test_a_site_that_comes_late_does_not_work_on_the_open_round_of_an_abandoned_run(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.changes = {"quorum": 3}
    coordinator = federation.start_coordinator()
    early = [federation.start_site("alder"), federation.start_site("birch")]
    cedar = HandSite(federation, "cedar", federation.folder)
    cedar.join()
    wait_for_round(federation, 1)
    coordinator.process.kill()
    with as_coordinator(federation, monkeypatch) as settings:
        assert abandon(settings, federation.run).rounds == 0
    late = federation.start_site("cedar")
    assert [site.wait() for site in (*early, late)] == [1, 1, 1]
    assert "abandoned" in late.text() and "round 1" not in late.text()


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
