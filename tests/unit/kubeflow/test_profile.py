"""A namespace's profile: its defaults, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from wardround.errors import ConfigurationError
from wardround.kubeflow.package import compile_package, version_name
from wardround.kubeflow.profile import Profile


def load(folder: Path, **fields: Any) -> Profile:
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump(fields))
    return Profile.load(path)


@pytest.mark.parametrize("party", ["site", "coordinator"])
def test_a_profile_needs_to_say_whose_it_is_and_nothing_else(party: str, tmp_path: Path) -> None:
    assert load(tmp_path, party=party).settings_config_map == f"wardround-{party}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("party", "hospital"),
        ("key_secert", "typo"),
        ("key_secret", "Not A Name"),
        ("node_selector", {"bad key!": "x"}),
        ("labels", {"ok": "not ok"}),
        ("images", {"train": "ghcr.io/wardround/site:latest"}),
        ("images", {"trian": "ghcr.io/wardround/site@sha256:" + "1" * 64}),
        ("resources", {"train": {"cpu_request": "lots"}}),
        ("resources", {"train": {"memory_limit": "8 GB"}}),
        ("resources", {"train": {"memory_limit": "512K"}}),
        ("resources", {"train": {"gpu": {"count": 0}}}),
        ("retries", {"count": -1}),
        ("tolerations", [{"effect": "Never"}]),
    ],
)
def test_what_no_namespace_can_have_is_refused_by_its_name(field: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=field):
        load(tmp_path, **{"party": "site", field: value})


def test_the_environment_does_not_change_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_PROFILE_KEY_SECRET", "other")
    assert load(tmp_path, party="site").key_secret == "wardround-key"


def test_the_same_profile_compiles_to_the_same_version_and_another_one_to_another(tmp_path: Path) -> None:
    profiles = [Profile(party="site", federation=federation) for federation in ("ward", "ward", "other")]
    names = [
        version_name("wardround-site", compile_package("site", profile, tmp_path / "p.yaml"))
        for profile in profiles
    ]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("wardround-site ") for name in names)


def test_a_pipeline_of_the_other_party_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the profile is of a site"):
        compile_package("coordinator", Profile(party="site"), tmp_path / "p.yaml")
