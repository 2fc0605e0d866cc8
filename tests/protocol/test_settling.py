"""A coordinator that is given a digest instead of a folder, and no name for its run."""

import threading
from pathlib import Path

import pytest
from federation import FEDERATION, Federation

from wardround.coordinator.publish import PublishSettings, publish
from wardround.coordinator.settings import CoordinatorSettings
from wardround.coordinator.settle import settle, unique_name
from wardround.errors import ConfigurationError, RefusedError
from wardround.exchange.errors import MissingError
from wardround.exchange.layout import COORDINATOR
from wardround.plan.format import load_plan

JOB = "4fdb2f3f-0b3a-4c43-9d0e-7a7f5b6f1f10"


@pytest.fixture
def as_coordinator(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in federation.world.environment(COORDINATOR).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def published(federation: Federation, as_coordinator: None) -> str:
    """The digest of a plan in the federation's bucket, put there as `wardround coordinator publish` does."""
    plan = load_plan(federation.world.plan)
    settings = PublishSettings(federation=FEDERATION, exchange=federation.world.address)
    publish(settings, plan)
    publish(settings, plan)  # again: nothing changes
    return plan.digest


def without_folder(federation: Federation, **changes: object) -> CoordinatorSettings:
    return federation.coordinator_settings().model_copy(update={"plan": None, **changes})


def test_a_published_plan_is_found_by_its_digest_alone(federation: Federation, published: str) -> None:
    settings, plan = settle(without_folder(federation, plan_digest=published), threading.Event())
    assert plan.digest == published
    assert settings.run == federation.run
    assert plan.folder != federation.world.plan


def test_a_digest_that_was_never_published_is_an_error_that_says_how_to_publish(
    federation: Federation, as_coordinator: None
) -> None:
    with pytest.raises(MissingError, match="wardround coordinator publish"):
        settle(without_folder(federation, plan_digest="0" * 64), threading.Event())


def test_something_that_is_no_digest_is_refused(federation: Federation, as_coordinator: None) -> None:
    with pytest.raises(RefusedError) as caught:
        settle(without_folder(federation, plan_digest="../" + "0" * 61), threading.Event())
    assert caught.value.code == "illegal-name"


def test_neither_a_digest_nor_a_folder_is_no_plan(federation: Federation) -> None:
    with pytest.raises(ConfigurationError, match="there is no plan"):
        settle(without_folder(federation), threading.Event())


def test_a_folder_that_holds_another_plan_than_the_digest_says_is_refused(federation: Federation) -> None:
    settings = federation.coordinator_settings().model_copy(update={"plan_digest": "0" * 64})
    with pytest.raises(RefusedError) as caught:
        settle(settings, threading.Event())
    assert caught.value.code == "wrong-digest"


def test_a_copy_on_the_disk_that_was_damaged_is_fetched_anew(federation: Federation, published: str) -> None:
    settings = without_folder(federation, plan_digest=published)
    _, plan = settle(settings, threading.Event())
    graph = next(Path(plan.folder).rglob("*.pb"))
    graph.write_bytes(b"rubbish")
    assert settle(settings, threading.Event())[1].digest == published
    assert graph.read_bytes() != b"rubbish"


def test_a_run_without_a_name_gets_one_that_a_second_start_of_the_same_job_gets_too(
    federation: Federation,
) -> None:
    settings = federation.coordinator_settings().model_copy(update={"run": "", "run_id": JOB})
    first, plan = settle(settings, threading.Event())
    second, _ = settle(settings, threading.Event())
    assert first.run == second.run == f"tiny-{plan.digest[:8]}-4fdb2f3f"
    assert settle(first, threading.Event())[0].run == first.run


def test_two_jobs_of_one_plan_get_two_names(federation: Federation) -> None:
    plan = load_plan(federation.world.plan)
    assert unique_name(plan, JOB) != unique_name(plan, JOB.replace("4fdb", "5fdb"))


def test_without_a_name_and_outside_of_a_job_there_is_an_error(federation: Federation) -> None:
    settings = federation.coordinator_settings().model_copy(update={"run": ""})
    with pytest.raises(ConfigurationError, match="give it one"):
        settle(settings, threading.Event())


def test_a_run_is_played_from_a_digest_without_any_folder(federation: Federation, published: str) -> None:
    federation.changes = {"plan": None, "plan_digest": published}
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    assert [outcome.status for outcome in federation.outcomes()] == ["completed", "completed", "evaluated"]
