"""How a run stands, as different people see it."""

import dataclasses
import json
from io import StringIO
from pathlib import Path

import pytest
from federation import FEDERATION, SITES, Federation
from hand import HandSite
from rich.console import Console

from wardround.cli.status_page import links, status_page
from wardround.errors import RefusedError
from wardround.exchange.envelope import SigningKey
from wardround.exchange.errors import MissingError
from wardround.exchange.layout import COORDINATOR
from wardround.exchange.messages import DeclinedMessage, RunMessage
from wardround.exchange.store import wait_for_any
from wardround.kubeflow.find import KubeflowRun
from wardround.kubeflow.status import RunStatus, StatusSettings, read_status


def status(federation: Federation, who: str, run: str | None = None) -> RunStatus:
    settings = StatusSettings(
        federation=FEDERATION,
        exchange=federation.world.address,
        coordinator_key=federation.world.key(COORDINATOR).public.text,
    )
    return read_status(settings, federation.exchange(who), run or federation.run)


def test_a_finished_run_shows_every_round_and_the_champion(federation: Federation) -> None:
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    found = status(federation, COORDINATOR)
    assert (found.state, found.rounds_wanted, found.plan_digest) == ("finished", 2, federation.digest)
    assert [each.status for each in found.rounds] == ["completed", "completed", "evaluated"]
    assert all(each.accepted == SITES for each in found.rounds)
    assert 0 < found.rounds[-1].figures["auroc"] <= 1
    assert {each.site: each.word for each in found.sites} == dict.fromkeys(SITES, "joined")
    assert found.champion in (1, 2) and found.metric is not None
    assert found.model_name == "tiny"
    assert json.loads(json.dumps(dataclasses.asdict(found)))["run"] == federation.run
    text = StringIO()
    part = KubeflowRun("ward/x/coordinator", "1", "SUCCEEDED", "http://k/1")
    Console(file=text, width=200).print(status_page(found))
    assert all(word in text.getvalue() for word in ("finished", "alder", "evaluated", "2 of 2 trained"))
    assert links([part], "http://m") == ["succeeded  ward/x/coordinator  http://k/1", "model  http://m"]


def test_an_open_run_shows_who_has_declined_and_why_and_a_site_sees_only_its_own_word(
    federation: Federation, tmp_path: Path
) -> None:
    cedar = HandSite(federation, "cedar", tmp_path)
    cedar.channel.write(cedar.own, DeclinedMessage(site="cedar", code="not-approved"))
    federation.start_coordinator()
    view = federation.view
    key = view.channel.where(RunMessage)
    assert wait_for_any(view.shared, key, [key], seconds=60) is not None
    words = {each.site: (each.word, each.code) for each in status(federation, COORDINATOR).sites}
    assert words == {"alder": ("silent", ""), "birch": ("silent", ""), "cedar": ("declined", "not-approved")}
    seen = {each.site: each.word for each in status(federation, "cedar").sites}
    assert seen == {"alder": "unknown", "birch": "unknown", "cedar": "declined"}
    assert status(federation, "cedar").state == "open"


def test_a_run_that_nobody_opened_is_an_error_that_names_it(federation: Federation) -> None:
    with pytest.raises(MissingError, match="'no-such-run' was not opened"):
        status(federation, COORDINATOR, "no-such-run")


def test_words_that_are_not_the_coordinators_are_not_shown(federation: Federation) -> None:
    federation.start_coordinator()
    view = federation.view
    key = view.channel.where(RunMessage)
    assert wait_for_any(view.shared, key, [key], seconds=60) is not None
    settings = StatusSettings(
        federation=FEDERATION, exchange="unused", coordinator_key=SigningKey.generate().public.text
    )
    with pytest.raises(RefusedError) as caught:
        read_status(settings, federation.exchange("alder"), federation.run)
    assert caught.value.code == "forged-signature"
