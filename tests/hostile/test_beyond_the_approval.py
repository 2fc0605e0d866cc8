"""A coordinator that asks for more than the hospital has approved: of the run, in a round, or in what it broadcasts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from federation import FEDERATION, Federation
from hand import HandSite
from hand_coordinator import HandCoordinator, LiveSite

from wardround.coordinator.commands import open_run
from wardround.errors import ConfigurationError, RefusedError
from wardround.exchange.envelope import TensorFile
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import DeclinedMessage, JoinMessage, RunMessage, UpdateMessage
from wardround.exchange.store import Store
from wardround.site.approvals import sign_approval, write_approval
from wardround.site.plans import UnwantedPlanError

PAIR = ("alder", "birch")
SOME_DIGEST = "0" * 64


def bucket(site: LiveSite) -> Store:
    """What the site has written."""
    return site.federation.exchange(site.site).store(Layout(FEDERATION).site(site.site))


def answered(site: LiveSite, coordinator: HandCoordinator, number: int) -> bool:
    return bucket(site).exists(coordinator.channel.where(UpdateMessage, number))


def leaves(
    site: LiveSite, coordinator: HandCoordinator, number: int, code: str = "more-than-approved"
) -> None:
    """The site ends with this code, now and when it is started again, and has not answered the round."""
    for _ in range(2):
        with pytest.raises((RefusedError, UnwantedPlanError)) as caught:
            site.play()
        assert caught.value.code == code
        assert not answered(site, coordinator, number)


# --- the run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"rounds": 1001}, {"evaluate_every": 0}, {"evaluate_every": 2}, {"seed": 2}],
    ids=str,
)
def test_a_run_that_goes_beyond_the_recipe_is_declined_before_joining(
    changes: dict[str, Any], coordinator: HandCoordinator, alder: LiveSite
) -> None:
    coordinator.open(**changes)
    leaves(alder, coordinator, 1)
    channel = coordinator.channel
    assert not bucket(alder).exists(channel.where(JoinMessage))
    key = alder.federation.world.key("alder").public
    peer = type(channel.author)("alder", key)
    assert channel.read(bucket(alder), DeclinedMessage, peer).message.code == "more-than-approved"


def test_a_coordinator_does_not_open_a_run_that_hospitals_would_refuse(
    attacked: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in attacked.world.environment(COORDINATOR).items():
        monkeypatch.setenv(name, value)
    attacked.changes = {"rounds": 1001}
    with pytest.raises(ConfigurationError, match="has 1001 rounds; its recipe has 1000") as caught:
        open_run(attacked.coordinator_settings())
    assert caught.value.code == "more-than-approved"
    assert not attacked.view.shared.exists(attacked.view.channel.where(RunMessage))


def test_a_steward_may_approve_a_plan_for_so_many_runs(
    attacked: Federation,
    coordinator: HandCoordinator,
    alder: LiveSite,
    birch: HandSite,
    tmp_path_factory: Any,
) -> None:
    folder, steward = tmp_path_factory.mktemp("approvals"), attacked.world.key("cedar")
    attacked.site_changes = {
        "approvals": folder,
        "steward_keys": (steward.public.text,),
        "approved_digests": (),
    }
    write_approval(
        folder, attacked.digest, sign_approval(attacked.digest, FEDERATION, "alder", steward, runs=1)
    )
    coordinator.open()
    with alder.playing():
        coordinator.invite(1)
        coordinator.claim("alder", 1)
    second = Federation(attacked.world, f"{attacked.run}-2", site_changes=attacked.site_changes)
    second.__dict__["folder"] = attacked.folder  # the same hospital, with the same work folder
    again = HandCoordinator(second, coordinator.plan, coordinator.model, coordinator.folder)
    again.open()
    site = LiveSite(second, "alder", alder.program)
    with pytest.raises(UnwantedPlanError) as caught:
        site.play()
    assert caught.value.code == "runs-used-up"
    write_approval(
        folder, attacked.digest, sign_approval(attacked.digest, FEDERATION, "alder", steward, runs=2)
    )
    with site.playing():
        again.invite(1)
        again.claim("alder", 1)


# --- its first round -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (1, {"splits": ("validation",)}),
        (1, {"splits": ("test",)}),
        (1, {"splits": ("validation", "test")}),
        (1, {"purpose": "evaluate", "splits": ("test",)}),
        (1, {"purpose": "evaluate", "splits": ("test", "validation")}),
        (1, {"model": 1}),
        (1, {"model": 2**50}),
        (3004, {"previous": SOME_DIGEST, "model": 0, "splits": ()}),
        (999_999, {"previous": SOME_DIGEST, "model": 999_998}),
        (7, {"previous": SOME_DIGEST, "splits": ("test",)}),
        (7, {"previous": SOME_DIGEST, "splits": ("validation", "validation")}),
    ],
    ids=str,
)
def test_a_round_that_goes_beyond_the_recipe_is_not_answered(
    number: int, changes: dict[str, Any], coordinator: HandCoordinator, alder: LiveSite
) -> None:
    coordinator.open()
    coordinator.invite(number, **changes)
    leaves(alder, coordinator, number)


# --- later rounds ----------------------------------------------------------------------------------------------


def play_first(
    coordinator: HandCoordinator, alder: LiveSite, birch: HandSite, status: str = "completed", **changes: Any
) -> None:
    """The first round, answered by both."""
    coordinator.open(**changes)
    with alder.playing():
        coordinator.invite(1)
        birch.answer(1)
        coordinator.conclude(1, PAIR, status=status)
        coordinator.claim("alder", 1)


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (2, {"model": 0, "splits": ()}),  # the same model again, though its round counted
        (2, {"purpose": "evaluate", "model": 0, "splits": ("validation", "test")}),
        (2, {"model": 1}),  # more models than the run has rounds
    ],
    ids=["again", "evaluated again", "one model more"],
)
def test_what_was_answered_is_not_asked_again(
    number: int, changes: dict[str, Any], coordinator: HandCoordinator, alder: LiveSite, birch: HandSite
) -> None:
    play_first(coordinator, alder, birch, rounds=1)
    coordinator.invite(number, **changes)
    leaves(alder, coordinator, number)


def test_a_round_that_failed_is_answered_again_as_often_as_the_recipe_says_and_no_more(
    coordinator: HandCoordinator, alder: LiveSite, birch: HandSite
) -> None:
    again = {"model": 0, "splits": ()}
    most = coordinator.plan.manifest.recipe_model().rounds.max_failed
    coordinator.open()
    with alder.playing() as playing:
        for number in range(1, most + 1):
            coordinator.invite(number, **again)
            birch.answer(number)
            coordinator.conclude(number, PAIR, status="failed", model=0)
        coordinator.invite(most + 1, **again)
        with pytest.raises(RefusedError) as caught:
            playing.result(90)
    assert caught.value.code == "more-than-approved"
    assert answered(alder, coordinator, most) and not answered(alder, coordinator, most + 1)


def test_one_model_has_one_broadcast(coordinator: HandCoordinator, alder: LiveSite, birch: HandSite) -> None:
    play_first(coordinator, alder, birch, status="failed")
    name, tensor = next(iter(coordinator.model.tensors.items()))
    coordinator.model.tensors[name] = tensor + 1
    try:
        coordinator.invite(2, model=0, splits=())
        leaves(alder, coordinator, 2)
    finally:
        coordinator.model.tensors[name] = tensor


def test_nothing_comes_after_the_closing_evaluation(
    coordinator: HandCoordinator, alder: LiveSite, birch: HandSite
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1, purpose="evaluate", splits=("validation", "test"))
        birch.answer(1)
        coordinator.conclude(1, PAIR, status="evaluated")
        coordinator.invite(2, purpose="evaluate", splits=("validation", "test"))
        with pytest.raises(RefusedError) as caught:
            playing.result(60)
    assert caught.value.code == "more-than-approved"
    assert not answered(alder, coordinator, 2)


# --- what it broadcasts ----------------------------------------------------------------------------------------


def weights(tensors: dict[str, np.ndarray]) -> str:
    """The largest tensor."""
    return max(tensors, key=lambda name: tensors[name].size)


def with_nan(tensors: dict[str, np.ndarray]) -> None:
    tensors[weights(tensors)] = np.full_like(tensors[weights(tensors)], np.nan)


def with_infinity(tensors: dict[str, np.ndarray]) -> None:
    changed = tensors[weights(tensors)].copy()
    changed.flat[-1] = -np.inf
    tensors[weights(tensors)] = changed


def with_one_more(tensors: dict[str, np.ndarray]) -> None:
    tensors["train/extra"] = np.zeros(1, np.float32)


def with_one_less(tensors: dict[str, np.ndarray]) -> None:
    del tensors[weights(tensors)]


def with_another_shape(tensors: dict[str, np.ndarray]) -> None:
    tensors[weights(tensors)] = tensors[weights(tensors)].reshape(-1)


def with_another_type(tensors: dict[str, np.ndarray]) -> None:
    tensors[weights(tensors)] = tensors[weights(tensors)].view(np.int32)


def much_larger(tensors: dict[str, np.ndarray]) -> None:
    tensors[weights(tensors)] = np.zeros(1 << 20, np.float32)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (with_nan, "not-finite"),
        (with_infinity, "not-finite"),
        (with_one_more, "wrong-tensors"),
        (with_one_less, "wrong-tensors"),
        (with_another_shape, "wrong-shape"),
        (with_another_type, "wrong-dtype"),
        (much_larger, "oversized"),
    ],
)
def test_a_broadcast_that_is_not_the_plans_is_not_trained_on(
    change: Callable[[dict[str, np.ndarray]], None], code: str, coordinator: HandCoordinator, alder: LiveSite
) -> None:
    coordinator.open()
    tensors = dict(coordinator.model.tensors)
    change(tensors)
    coordinator.model = type(coordinator.model)(tensors, coordinator.model.aliases)
    coordinator.invite(1)
    leaves(alder, coordinator, 1, code)


def test_an_alias_stands_for_a_tensor_of_its_own_kind_that_was_sent(
    coordinator: HandCoordinator, alder: LiveSite
) -> None:
    coordinator.open()
    tensors = coordinator.model.tensors
    largest = weights(tensors)
    other = next(name for name in tensors if tensors[name].shape != tensors[largest].shape)
    coordinator.invite(1, aliases={**coordinator.model.aliases, other: largest})
    leaves(alder, coordinator, 1, "malformed")


def test_an_update_file_is_no_broadcast(coordinator: HandCoordinator, alder: LiveSite) -> None:
    coordinator.open()
    message = coordinator.invite(1)
    file = TensorFile(sha256=SOME_DIGEST, size=1)
    coordinator.overwrite(message, 1, tensors={f"update-{'0' * 16}.safetensors": file})
    leaves(alder, coordinator, 1, "illegal-name")
