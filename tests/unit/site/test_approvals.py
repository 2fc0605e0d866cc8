"""Approvals: who may say that a plan may run, and what a signature is about."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from wardround.cli.site import app
from wardround.errors import RefusedError
from wardround.exchange.envelope import SigningKey
from wardround.site.approvals import sign_approval, why_not_approved, write_approval
from wardround.site.settings import SiteSettings

PLAN, OTHER = "ab" * 32, "cd" * 32
STEWARD = SigningKey.generate()


def settings(folder: Path, **changes: Any) -> SiteSettings:
    given: dict[str, Any] = {
        "federation": "thorax",
        "site": "alder",
        "exchange": "here",
        "key_file": folder / "key.pem",
        "coordinator_key": "00" * 32,
        "work": folder,
        "approvals": folder,
        "steward_keys": (STEWARD.public.text,),
    }
    return SiteSettings(**(given | changes))


def test_a_signed_approval_lets_this_plan_run_at_this_hospital(tmp_path: Path) -> None:
    write_approval(tmp_path, PLAN, sign_approval(PLAN, "thorax", "alder", STEWARD))
    assert why_not_approved(settings(tmp_path), PLAN) is None
    assert (
        why_not_approved(settings(tmp_path), OTHER) == "is not approved here by the data steward's signature"
    )


def test_each_of_several_stewards_may_sign(tmp_path: Path) -> None:
    write_approval(tmp_path, PLAN, sign_approval(PLAN, "thorax", "alder", STEWARD))
    keys = (SigningKey.generate().public.text, STEWARD.public.text)
    assert why_not_approved(settings(tmp_path, steward_keys=keys), PLAN) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"approved",
        sign_approval(PLAN, "thorax", "alder", SigningKey.generate()),
        sign_approval(PLAN, "thorax", "birch", STEWARD),
        sign_approval(PLAN, "abdomen", "alder", STEWARD),
        sign_approval(OTHER, "thorax", "alder", STEWARD),
        b"x" * 100_000,
    ],
    ids=["empty", "word", "other-key", "other-hospital", "other-federation", "other-plan", "huge"],
)
def test_any_other_file_does_not_where_stewards_sign(tmp_path: Path, content: bytes) -> None:
    write_approval(tmp_path, PLAN, content)
    assert "no data steward of the settings has signed" in str(why_not_approved(settings(tmp_path), PLAN))


def test_the_settings_own_list_counts_only_where_nobody_signs(tmp_path: Path) -> None:
    listed = settings(tmp_path, approved_digests=(PLAN,))
    assert why_not_approved(listed, PLAN) is not None
    assert why_not_approved(listed.model_copy(update={"steward_keys": ()}), PLAN) is None


@given(st.binary(max_size=400))
def test_no_bytes_are_an_approval_but_signed_ones(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("approvals")
    write_approval(folder, PLAN, data)
    assert why_not_approved(settings(folder), PLAN) is not None


def test_a_plan_is_approved_and_signed_on_the_command_line(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, [*words])
        assert done.exit_code == 0, done.output
        return done.output

    public = run("key", "--out", str(tmp_path / "steward.pem")).strip()
    names = ("--federation", "thorax", "--site", "alder", "--approvals", str(tmp_path))
    assert "signed" in run("approve", PLAN, "--key", str(tmp_path / "steward.pem"), *names)
    assert why_not_approved(settings(tmp_path, steward_keys=(public,)), PLAN) is None
    assert "signed" not in run("approve", OTHER, "--approvals", str(tmp_path))
    assert why_not_approved(settings(tmp_path, steward_keys=()), OTHER) is None


def test_what_is_no_digest_names_no_file(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        write_approval(tmp_path, "../elsewhere")
    assert not [*tmp_path.iterdir()]
