"""`kill -9` before and after every write of a run, of the coordinator and of a site, and a restart each time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from federation import Actor, Federation, make_world
from killing import Deaths

ROUNDS = 2
KILLED = -9
MOST_DEATHS = 300

Ending = tuple[list[bytes], list[tuple[str, tuple[str, ...], object]]]


@pytest.fixture(scope="module")
def undisturbed(plan_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ending]:
    """States and outcomes of a run in which nothing happens. It has the others' name: batches depend on it."""
    with make_world(tmp_path_factory.mktemp("calm"), plan_folder) as world:
        federation = Federation(world, "killed")
        assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
        yield ending(federation)


@pytest.fixture
def stormy(plan_folder: Path, tmp_path: Path) -> Iterator[Federation]:
    with make_world(tmp_path, plan_folder) as world:
        federation = Federation(world, "killed")
        yield federation
        federation.close()


def ending(federation: Federation) -> Ending:
    """Every state's bytes, and what every outcome says but for its times."""
    outcomes = [(o.status, o.accepted, o.measured) for o in federation.outcomes()]
    return [federation.state(number) for number in range(ROUNDS + 1)], outcomes


def restart_until_done(start: Callable[[Deaths], Actor], deaths: Deaths) -> Actor:
    """Starts a process again each time that it is killed; returns the one that came through."""
    for _ in range(MOST_DEATHS):
        actor = start(deaths)
        if actor.wait() != KILLED:
            return actor
    raise AssertionError(f"still dying after {MOST_DEATHS} deaths: {deaths.past()[-5:]}")


def test_a_coordinator_killed_at_every_write_ends_with_the_same_states_and_outcomes(
    undisturbed: Ending, stormy: Federation, tmp_path: Path
) -> None:
    sites = [stormy.start_site(site) for site in ("alder", "birch", "cedar")]
    deaths = Deaths(tmp_path / "deaths")
    coordinator = restart_until_done(stormy.start_coordinator, deaths)
    assert coordinator.wait() == 0, coordinator.text()[-2000:]
    assert [site.wait() for site in sites] == [0, 0, 0]
    assert ending(stormy) == undisturbed
    for written in ("round.json", "collected.json", "state.json", "outcome.json", "final.json"):
        assert any(event.startswith("before put") and event.endswith(written) for event in deaths.past())
        assert any(event.startswith("after put") and event.endswith(written) for event in deaths.past())


def test_a_site_killed_at_every_write_is_counted_once_in_every_round(
    undisturbed: Ending, stormy: Federation, tmp_path: Path
) -> None:
    others = stormy.start_all(("alder", "cedar"))
    deaths = Deaths(tmp_path / "deaths")
    site = restart_until_done(lambda deaths: stormy.start_site("birch", deaths), deaths)
    assert site.wait() == 0, site.text()[-2000:]
    assert [actor.wait() for actor in others] == [0, 0, 0]
    assert ending(stormy) == undisturbed
    for written in ("join.json", "update.json"):
        assert any(event.startswith("before put") and event.endswith(written) for event in deaths.past())
        assert any(event.startswith("after put") and event.endswith(written) for event in deaths.past())
    assert any(event.startswith("after rename update.json") for event in deaths.past())


def test_a_finished_update_is_sent_after_a_restart_without_training_again(
    stormy: Federation, tmp_path: Path
) -> None:
    others = stormy.start_all(("alder", "cedar"))
    deaths = Deaths(
        tmp_path / "deaths", "before put wardround-ward-birch/runs/killed/rounds/000001/update.json"
    )
    dead = stormy.start_site("birch", deaths)
    assert dead.wait() == KILLED
    kept = {path.name: path.stat().st_mtime_ns for path in (stormy.folder / "birch").rglob("update-*")}
    assert len(kept) == 1
    again = stormy.start_site("birch")
    assert [actor.wait() for actor in (again, *others)] == [0, 0, 0, 0]
    assert "round 1: sending the update that was finished before" in again.text()
