"""What a plan that nobody has approved costs a hospital: a manifest, in memory."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from wardround import plan_store
from wardround.cli import plan as command
from wardround.errors import RefusedError
from wardround.exchange.directory import DirectoryExchange, DirectoryStore
from wardround.exchange.envelope import SigningKey
from wardround.exchange.errors import NoSpaceError
from wardround.exchange.layout import COORDINATOR, Layout, plan_key
from wardround.exchange.messages import DeclinedMessage, RunMessage
from wardround.exchange.records import Channel
from wardround.plan.format import MAX_MANIFEST_BYTES, digest_of, load_plan
from wardround.site.context import Seat, take_seat
from wardround.site.pick import pick_run
from wardround.site.plan_folder import MOST_PLANS, ask_for_graphs, fetch_plan, plan_folder
from wardround.site.plans import ApprovalError, OverBudgetError, approved_plan
from wardround.site.settings import SiteSettings


@dataclass(frozen=True)
class Counting(DirectoryStore):
    """A store that remembers what was asked of it."""

    asked: list[str] = field(default_factory=list)

    def get(self, key: str, *, limit: int) -> bytes:
        self.asked.append(key)
        return super().get(key, limit=limit)

    def download(self, key: str, target: Path, *, limit: int) -> None:
        self.asked.append(key)
        super().download(key, target, limit=limit)


@dataclass(frozen=True)
class CountingExchange(DirectoryExchange):
    asked: list[str] = field(default_factory=list)

    def store(self, bucket: str) -> Counting:
        return Counting(bucket, self.root / bucket, self.asked)


@dataclass
class Ward:
    """A hospital and the bucket that a hostile coordinator writes."""

    folder: Path
    plan: Path

    def __post_init__(self) -> None:
        self.coordinator, self.key = SigningKey.generate(), SigningKey.generate()
        self.key.save(self.folder / "site.pem")
        self.exchange = CountingExchange(self.folder / "exchange")
        for bucket in (Layout("ward").federation, Layout("ward").site("alder")):
            self.exchange.create_bucket(bucket)
        self.shared = self.exchange.store(Layout("ward").federation)
        self.digest = load_plan(self.plan).digest

    def settings(self, **changes: Any) -> SiteSettings:
        fields = {
            "federation": "ward",
            "site": "alder",
            "run": "r1",
            "exchange": str(self.folder / "exchange"),
            "key_file": self.folder / "site.pem",
            "coordinator_key": self.coordinator.public.text,
            "work": self.folder / "work",
            "start_wait_s": 0,
            "verify": "never",  # nothing is compiled here
        }
        return SiteSettings.model_validate(fields | changes)

    def seat(self, digest: str | None = None, **changes: Any) -> Seat:
        return take_seat(self.settings(**changes), self.exchange, threading.Event()).bound_to(
            digest or self.digest
        )

    def publish(self, change: Callable[[dict[str, Any]], None] = lambda manifest: None) -> str:
        """The plan, after `change` of its manifest, with no check of what is published; its digest."""
        manifest = json.loads((self.plan / "plan.json").read_bytes())
        change(manifest)
        data = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
        digest = digest_of(data)
        for file in (self.plan / "graphs").iterdir():
            self.shared.put_new(plan_key(digest, f"graphs/{file.name}"), file.read_bytes())
        self.shared.put_new(plan_key(digest, "plan.json"), data)
        return digest

    def run(self, digest: str | None = None) -> RunMessage:
        """The description of a run of the plan, by its recipe's own rules."""
        recipe = load_plan(self.plan).manifest.recipe_model()
        return RunMessage(
            plan_digest=digest or self.digest,
            epoch=1,
            rounds=recipe.rounds.count,
            quorum=recipe.rounds.quorum,
            deadline_s=1,
            join_deadline_s=1,
            evaluate_every=recipe.evaluation.every,
            seed=recipe.seed,
            started="2026-05-01T10:00:00+00:00",
        )

    def on_disk(self) -> list[str]:
        plans = self.folder / "work" / "plans"
        return sorted(path.name for path in plans.iterdir()) if plans.is_dir() else []

    def declined(self, digest: str) -> str:
        channel = Channel("ward", "r1", "alder", self.key, digest)
        return channel.read(
            self.exchange.store(Layout("ward").site("alder")), DeclinedMessage, channel.author
        ).message.code


@pytest.fixture
def ward(tmp_path: Path, plan_folder: Path) -> Ward:
    return Ward(tmp_path, plan_folder)


def larger(size: int) -> Callable[[dict[str, Any]], None]:
    """A manifest that claims so many bytes for one graph."""
    return lambda manifest: manifest["train"]["work"].update(bytes=size)


def test_of_a_plan_that_is_not_approved_the_manifest_is_all_that_is_fetched(ward: Ward) -> None:
    ward.publish()
    with pytest.raises(ApprovalError, match="wardround site review"):
        approved_plan(ward.seat(), ward.run())
    assert ward.exchange.asked == [plan_key(ward.digest, "plan.json")]
    assert ward.on_disk() == []
    assert ward.declined(ward.digest) == "not-approved"


def test_of_a_plan_over_the_budget_the_manifest_is_all_that_is_fetched(ward: Ward) -> None:
    ward.publish()
    budget = {"epsilon": 1.0, "delta": 1e-6}
    with pytest.raises(OverBudgetError):
        approved_plan(ward.seat(approved_digests=(ward.digest,), privacy_budget=budget), ward.run())
    assert ward.on_disk() == []
    assert ward.declined(ward.digest) == "over-budget"


def test_an_approved_plan_is_fetched_once_and_found_again_without_a_request(ward: Ward) -> None:
    ward.publish()
    for _ in range(2):
        assert approved_plan(ward.seat(approved_digests=(ward.digest,)), ward.run()).digest == ward.digest
    asked = ward.exchange.asked
    assert asked.count(plan_key(ward.digest, "plan.json")) <= 2
    assert len([key for key in asked if key.endswith(".pb")]) == len(load_plan(ward.plan).files)
    assert ward.on_disk() == [ward.digest]


@pytest.mark.parametrize("approved", [True, False])
def test_a_plan_that_claims_more_than_the_hospitals_limit_is_declined_before_a_graph_is_fetched(
    ward: Ward, approved: bool
) -> None:
    digest = ward.publish(larger(3 << 20))
    with pytest.raises(RefusedError, match="max_plan_mb") as refusal:
        approved_plan(
            ward.seat(digest, approved_digests=(digest,) if approved else (), max_plan_mb=2), ward.run(digest)
        )
    assert refusal.value.code == "oversized"
    assert ward.exchange.asked == [plan_key(digest, "plan.json")]
    assert ward.on_disk() == []
    assert ward.declined(digest) == "oversized"


def test_parts_that_claim_two_sizes_of_one_file_are_malformed_before_a_graph_is_fetched(ward: Ward) -> None:
    def shared(manifest: dict[str, Any]) -> None:
        manifest["train"]["merge"].update(file=manifest["train"]["work"]["file"], bytes=3 << 20)

    digest = ward.publish(shared)
    with pytest.raises(RefusedError) as refusal:
        fetch_plan(ward.seat(digest, max_plan_mb=2))
    assert refusal.value.code == "malformed"
    assert ward.exchange.asked == [plan_key(digest, "plan.json")]
    assert ward.on_disk() == []


def test_a_graph_with_more_bytes_than_its_manifest_says_leaves_nothing(ward: Ward) -> None:
    digest = ward.publish(larger(10))
    with pytest.raises(RefusedError) as refusal:
        approved_plan(ward.seat(digest, approved_digests=(digest,)), ward.run(digest))
    assert refusal.value.code == "oversized"
    assert ward.on_disk() == []
    assert ward.declined(digest) == "oversized"


def test_a_graph_of_other_bytes_leaves_nothing(ward: Ward) -> None:
    digest = ward.publish(lambda manifest: manifest["train"]["work"].update(sha256="0" * 64))
    for _ in range(2):
        with pytest.raises(RefusedError) as refusal:
            approved_plan(ward.seat(digest, approved_digests=(digest,)), ward.run(digest))
        assert refusal.value.code == "wrong-digest"
        assert ward.on_disk() == []


def test_a_manifest_larger_than_any_is_not_read(ward: Ward) -> None:
    digest = "a" * 64
    ward.shared.put_new(plan_key(digest, "plan.json"), b" " * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(RefusedError) as refusal:
        approved_plan(ward.seat(digest), ward.run(digest))
    assert refusal.value.code == "oversized"
    assert ward.declined(digest) == "oversized"


def test_a_plan_that_does_not_fit_the_disk_is_told_before_it_is_fetched(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.publish()
    full = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(plan_store.shutil, "disk_usage", lambda _: full)
    with pytest.raises(NoSpaceError, match="1000 are free"):
        approved_plan(ward.seat(approved_digests=(ward.digest,)), ward.run())
    assert not [key for key in ward.exchange.asked if key.endswith(".pb")]
    assert ward.on_disk() == []


def test_a_hundred_plans_leave_a_bounded_number_and_never_the_newest_out(ward: Ward) -> None:
    digests = []
    for seed in range(MOST_PLANS + 5):
        digests.append(ward.publish(lambda manifest, seed=seed: manifest["recipe"].update(seed=seed + 2)))
        fetch_plan(ward.seat(digests[-1]))
        assert digests[-1] in ward.on_disk()
    assert len(ward.on_disk()) == MOST_PLANS


def test_a_steward_without_a_network_asks_for_a_plan_and_the_next_start_fetches_it_once(ward: Ward) -> None:
    ward.publish()
    Channel("ward", "r1", COORDINATOR, ward.coordinator).write(ward.shared, ward.run())
    work = ward.folder / "work"
    seat = ward.seat()
    with pytest.raises(ApprovalError):
        approved_plan(seat, ward.run())
    unnamed = ward.settings(run="")
    assert pick_run(unnamed, ward.exchange, threading.Event()) is None  # declined, so passed over
    asked = CliRunner().invoke(command.app, ["show", ward.digest, "--work", str(work)])
    assert asked.exit_code != 0 and ward.on_disk() == []
    assert pick_run(unnamed, ward.exchange, threading.Event()) == "r1"
    with pytest.raises(ApprovalError):
        approved_plan(seat, ward.run())
    assert ward.on_disk() == [ward.digest]
    assert pick_run(unnamed, ward.exchange, threading.Event()) is None
    shown = CliRunner().invoke(command.app, ["show", ward.digest, "--work", str(work)])
    assert shown.exit_code == 0 and ward.digest[:12] in shown.output


def test_what_is_no_digest_names_no_folder(tmp_path: Path) -> None:
    for text in ("../../etc", "a" * 63, "A" * 64, "", "a" * 64 + "/.."):
        with pytest.raises(RefusedError):
            ask_for_graphs(tmp_path, text)
        with pytest.raises(RefusedError):
            plan_folder(tmp_path, text)
    assert list(tmp_path.iterdir()) == []
