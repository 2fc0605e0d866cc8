"""A federation whose members change: between runs, and in the middle of one."""

from collections.abc import Callable, Iterator

import pytest
from federation import SITES, Federation, World
from test_abandoning import wait_for_round

from wardround.exchange.envelope import SigningKey

Next = Callable[..., Federation]


@pytest.fixture
def next_run(world: World, request: pytest.FixtureRequest) -> Iterator[Next]:
    """Another run of the federation, with some of its members."""
    made: list[Federation] = []
    name = request.node.name.removeprefix("test_")[:40].replace("_", "-").strip("-")

    def make(*sites: str, **keys: str) -> Federation:
        members = {site: keys.get(site, world.key(site).public.text) for site in sites}
        changes = {"members": members, "rounds": 1, "quorum": len(sites)}
        made.append(Federation(world, f"{name}-{len(made)}", changes))
        return made[-1]

    yield make
    for federation in made:
        federation.close()


def play(federation: Federation, *sites: str) -> list[int | None]:
    """How the coordinator's part ends, and theirs."""
    return [actor.wait() for actor in federation.start_all(sites)]


def test_who_leaves_and_who_comes_back_with_another_key_is_a_member_from_the_next_run_on(
    next_run: Next,
) -> None:
    assert play(next_run(*SITES), *SITES) == [0, 0, 0, 0]
    without = next_run("alder", "birch")
    assert play(without, "alder", "birch") == [0, 0, 0]
    stranger = without.start_site("cedar")
    assert stranger.wait() == 1 and "unknown-signer" in stranger.text()
    other = next_run(*SITES, cedar=SigningKey.generate().public.text)
    other.changes |= {"quorum": 2, "join_deadline_s": 3}
    *well, cedar = (actor.wait() for actor in other.start_all())
    assert (well, cedar) == ([0, 0, 0], 1) and "unknown-signer" in other.actors[-1].text()
    assert play(next_run(*SITES), *SITES) == [0, 0, 0, 0]


def test_a_run_under_way_goes_on_without_a_hospital_that_was_taken_out(next_run: Next) -> None:
    federation = next_run(*SITES)
    federation.changes |= {"rounds": 40, "quorum": 2}
    coordinator, alder, birch, cedar = federation.start_all()
    wait_for_round(federation, 3)
    for gone in (coordinator, cedar):
        gone.process.kill()
        gone.process.join()
    before = len(federation.outcomes())
    federation.changes["members"] = {site: federation.changes["members"][site] for site in ("alder", "birch")}
    again = federation.start_coordinator()
    assert [actor.wait() for actor in (again, alder, birch)] == [0, 0, 0], again.text()
    rounds = federation.outcomes()
    assert len(rounds) >= 40 and before < 40
    assert [sorted(each.accepted) for each in rounds[before + 1 : 40]] == [["alder", "birch"]] * (39 - before)
