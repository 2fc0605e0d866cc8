"""The fixtures of rounds, from the protocol's tests: attacks are played in a federation with a real S3 server."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "protocol"))
sys.path.insert(0, str(Path(__file__).parent))

from federation import Federation, World
from fixtures import federation, plan_folder, world
from hand import HandSite
from hand_coordinator import HandCoordinator, LiveSite, sha256
from test_equality_with_tff import reference

from wardround.plan.format import load_plan
from wardround.plan.program import Broadcast, Program

__all__ = ["federation", "plan_folder", "reference", "world"]


@pytest.fixture
def attacked(world: World, request: pytest.FixtureRequest) -> Iterator[Federation]:
    """A run of its own for every case of a test."""
    federation = Federation(world, f"hostile-{sha256(request.node.nodeid.encode())[:12]}")
    yield federation
    federation.close()


@pytest.fixture(scope="session")
def program(plan_folder: Path) -> Program:
    return Program(load_plan(plan_folder), threads=1)


@pytest.fixture(scope="session")
def model(plan_folder: Path) -> Broadcast:
    coordinators = Program(load_plan(plan_folder), threads=1)
    return coordinators.prepare(coordinators.initialize())


@pytest.fixture
def coordinator(attacked: Federation, program: Program, model: Broadcast, tmp_path: Path) -> HandCoordinator:
    return HandCoordinator(attacked, program.plan, model, tmp_path)


@pytest.fixture
def alder(attacked: Federation, program: Program) -> LiveSite:
    return LiveSite(attacked, "alder", program)


@pytest.fixture
def birch(attacked: Federation, tmp_path: Path) -> HandSite:
    (tmp_path / "birch").mkdir()
    return HandSite(attacked, "birch", tmp_path / "birch")
