"""A site looks at a plan by itself before it asks for approval, as its settings say, and once for each digest."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from wardround.cli.site import app
from wardround.compiler_environment import VARIABLE
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import DeclinedMessage, FederationMessage, RunMessage
from wardround.exchange.records import Channel, Peer
from wardround.plan.format import Plan, load_plan
from wardround.plan.verification import State, Verification
from wardround.plan_store import publish_plan
from wardround.site.approvals import basis_of_approval, how_approved, why_not_approved
from wardround.site.context import take_seat
from wardround.site.plans import ApprovalError, UnverifiedError, approved_plan, find_run
from wardround.site.settings import SiteSettings
from wardround.site.verify_run import verify_run
from wardround.site.verifying import keep_verification, read_verification

LAYOUT = Layout("ward")


class Ward:
    """One hospital, and an open run in a folder that is the exchange."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.coordinator, self.site = SigningKey.generate(), SigningKey.generate()
        self.exchange = DirectoryExchange(folder / "exchange")
        for bucket in (LAYOUT.federation, LAYOUT.site("alder")):
            self.exchange.create_bucket(bucket)
        self.site.save(folder / "site.pem")
        self._open()

    def _open(self) -> None:
        shared = self.exchange.store(LAYOUT.federation)
        publish_plan(shared, self.plan)
        channel = Channel("ward", "first", COORDINATOR, self.coordinator, self.plan.digest)
        members = {"alder": self.site.public.text}
        key = self.coordinator.public.text
        channel.write(shared, FederationMessage(name="ward", coordinator=key, members=members))
        numbers = {
            "epoch": 1,
            "rounds": 2,
            "quorum": 1,
            "deadline_s": 1,
            "join_deadline_s": 1,
            "evaluate_every": 1,
        }
        fields = {"plan_digest": self.plan.digest, "seed": 1, "started": "2026-05-01T10:00:00+00:00"}
        channel.write(shared, RunMessage.model_validate(numbers | fields))

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def settings(self, **changes: Any) -> SiteSettings:
        given = {
            "federation": "ward",
            "site": "alder",
            "exchange": str(self.folder / "exchange"),
            "key_file": self.folder / "site.pem",
            "coordinator_key": self.coordinator.public.text,
            "work": self.work,
            "start_wait_s": 0,
            "approvals": self.folder / "approvals",
        }
        return SiteSettings.model_validate(given | changes)

    def approved(self, **changes: Any) -> Plan:
        """What training asks for at its start."""
        seat = take_seat(self.settings(run="first", **changes), self.exchange, threading.Event())
        found = find_run(seat)
        return approved_plan(seat.bound_to(found.plan_digest), found.run.message)

    def declined_with(self) -> str:
        told = Channel("ward", "first", COORDINATOR, self.coordinator, self.plan.digest)
        own = self.exchange.store(LAYOUT.site("alder"))
        return told.read(own, DeclinedMessage, Peer("alder", self.site.public)).message.code

    def found(self, state: State) -> None:
        """What an earlier look at the plan has shown."""
        keep_verification(self.work, Verification(digest=self.plan.digest, state=state))

    def approve(self, *more: str) -> str:
        """What the steward's command says."""
        folder = ["--approvals", str(self.folder / "approvals"), "--work", str(self.work)]
        done = CliRunner().invoke(app, ["approve", self.plan.digest, *folder, *more])
        assert done.exit_code == 0, done.output
        return done.output


@pytest.fixture
def ward(plan_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    """Where no compiler is set up."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("WARDROUND_COMPILER_HOME", str(tmp_path / "no-compiler"))
    return Ward(tmp_path, load_plan(plan_folder))


@pytest.mark.parametrize("state", ["not-verified", "authors-own", "differs"])
def test_a_site_that_wants_verified_plans_declines_any_other_one_although_it_is_approved(
    state: State, ward: Ward
) -> None:
    ward.found(state)
    ward.approve()
    with pytest.raises(UnverifiedError, match="verify: always") as caught:
        ward.approved(verify="always")
    assert caught.value.code == ward.declined_with() == "not-verified"


def test_a_verified_plan_still_needs_its_approval(ward: Ward) -> None:
    ward.found("verified")
    with pytest.raises(ApprovalError, match="Verified: this is exactly FedAvg of logistic") as caught:
        ward.approved(verify="always")
    assert caught.value.code == "not-approved"
    assert "approved as verified" in ward.approve()
    assert ward.approved(verify="always").digest == ward.plan.digest


@pytest.mark.parametrize("verify", ["if-possible", "never"])
def test_without_a_compiler_an_approved_plan_runs_unverified_unless_the_settings_forbid_it(
    verify: str, ward: Ward, caplog: pytest.LogCaptureFixture
) -> None:
    ward.approve()
    with caplog.at_level("INFO"):
        ward.approved(verify=verify)
    assert "Not verified" in caplog.text and "could encode images" in caplog.text
    assert "Approved as: not-verified" in caplog.text
    assert not (ward.work / "verifications").exists()


@pytest.mark.parametrize("state", ["verified", "authors-own", "differs", "not-verified"])
@pytest.mark.parametrize("signed", [False, True])
def test_an_approval_says_on_what_it_rests(state: State, signed: bool, ward: Ward) -> None:
    steward = SigningKey.generate()
    steward.save(ward.folder / "steward.pem")
    ward.found(state)
    key = ["--key", str(ward.folder / "steward.pem"), "--federation", "ward", "--site", "alder"]
    said = ward.approve(*(key if signed else []))
    settings = ward.settings(steward_keys=(steward.public.text,) if signed else ())
    basis = "authors-own" if state == "differs" else state
    assert f"approved as {basis}" in said
    assert why_not_approved(settings, ward.plan.digest) is None
    assert basis_of_approval(settings, ward.plan.digest) == basis
    assert how_approved(settings, ward.plan.digest) == f"approved here, as {basis}"


@pytest.mark.parametrize("content", [b"", b"approved", b'{"basis": "best"}', b"x" * 100_000])
def test_an_approval_that_says_nothing_counts_as_one_of_a_plan_that_nobody_had_verified(
    content: bytes, ward: Ward
) -> None:
    (ward.folder / "approvals").mkdir()
    (ward.folder / "approvals" / ward.plan.digest).write_bytes(content)
    assert why_not_approved(ward.settings(), ward.plan.digest) is None
    assert basis_of_approval(ward.settings(), ward.plan.digest) == "not-verified"


def _of_another_plan(ward: Ward, path: Path) -> None:
    path.write_text(Verification(digest="0" * 64, state="verified").model_dump_json())


@pytest.mark.parametrize(
    "spoil",
    [
        _of_another_plan,
        lambda ward, path: path.write_text("{}"),
        lambda ward, path: path.write_text("[" * 100_000),
        lambda ward, path: path.write_text('{"state": "verified"}'),
        lambda ward, path: path.write_bytes(b" " * 300_000),
        lambda ward, path: path.mkdir(),
    ],
    ids=["other-plan", "empty", "nested", "no-digest", "huge", "folder"],
)
def test_a_record_that_is_none_counts_as_absent(spoil: Callable[[Ward, Path], Any], ward: Ward) -> None:
    path = ward.work / "verifications" / f"{ward.plan.digest}.json"
    path.parent.mkdir(parents=True)
    spoil(ward, path)
    assert read_verification(ward.work, ward.plan.digest).state == "not-verified"


def test_a_plan_is_compiled_again_once_and_its_finding_is_kept(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ward.folder / "calls"
    compiler = ward.folder / "python"
    compiler.write_text(f"#!/bin/sh\necho called >> {calls}\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(compiler))
    failed = verify_run(ward.settings(run="first"), threading.Event())
    assert failed is not None and failed.found.reason == "compile"
    verify_run(ward.settings(run="first"), threading.Event())
    assert calls.read_text() == "called\n" * 2, "what may go better another time is tried again"
    ward.found("verified")
    done = verify_run(ward.settings(run="first", verify="always"), threading.Event())
    assert done is not None and done.found.is_verified
    assert calls.read_text() == "called\n" * 2
    assert not (ward.work / "plans").exists(), "the manifest is enough; no graph was fetched"


def test_the_step_before_all_others_declines_for_a_site_that_wants_verified_plans(ward: Ward) -> None:
    with pytest.raises(UnverifiedError):
        verify_run(ward.settings(verify="always"), threading.Event())
    assert ward.declined_with() == "not-verified"


def test_the_step_runs_with_what_its_image_has(ward: Ward) -> None:
    lock = (Path(__file__).parents[2] / "locks" / "compile.txt").read_text("utf-8")
    assert not {"numpy==", "tensorflow-cpu==", "safetensors==", "protobuf=="} & set(
        re.findall(r"^[\w-]+==", lock, re.M)
    )
    settings = ward.folder / "site.json"
    settings.write_text(ward.settings().model_dump_json())
    without = (
        "import sys; sys.modules |= dict.fromkeys(('numpy', 'tensorflow', 'safetensors', 'google.protobuf'))"
    )
    program = f"{without}; from wardround.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "site", "verify", "--settings", str(settings)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"plan {ward.plan.digest}: Not verified" in done.stderr
