"""What people are told at the end of an installation."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from evaluation import notes
from helm.build import CHARTS
from helm.snapshots import cases

CASES = [pytest.param(*case, id=f"{case[0].name}-{case[1].stem}") for case in cases()]
COORDINATOR, SITE = CHARTS / "wardround-coordinator", CHARTS / "wardround-site"


def minimal(chart: Path) -> Path:
    return chart / "ci" / "minimal-values.yaml"


def block(text: str, first: str) -> dict[str, Any]:
    """The YAML in the notes that starts with a line: what somebody would copy into a values file."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip() == first)
    depth = len(lines[start]) - len(lines[start].lstrip())
    inside = [lines[start]]
    for line in lines[start + 1 :]:
        if len(line) - len(line.lstrip()) <= depth:
            break
        inside.append(line)
    found = yaml.safe_load("\n".join(inside))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_the_notes_name_the_release_and_advise_nothing_that_drops_values(chart: Path, values: Path) -> None:
    """Helm replaces a list as a whole: one item that is set by flag is the only one afterwards."""
    text = notes(chart, values)
    given = yaml.safe_load(values.read_text("utf-8"))
    assert "namespace hospital-a" in text and f"federation {given['federation']['name']}" in text
    assert "--reuse-values" not in text and "--set" not in text
    assert "%!" not in text and "<no value>" not in text


@pytest.mark.parametrize("chart", [COORDINATOR, SITE], ids=lambda path: path.name)
def test_an_upgrade_is_the_command_of_this_release(chart: Path) -> None:
    command = f"helm upgrade --install {chart.name} CHART --namespace hospital-a --values FILE"
    assert command in notes(chart, minimal(chart))


def test_the_coordinators_notes_show_where_a_missing_key_belongs(tmp_path: Path) -> None:
    values = yaml.safe_load(minimal(COORDINATOR).read_text("utf-8"))
    alder, birch = values["hospitals"]
    shown = block(notes(COORDINATOR, minimal(COORDINATOR)), "hospitals:")
    assert shown == {"hospitals": [alder, {**birch, "publicKey": "KEY"}]}
    values["hospitals"][1]["publicKey"] = "ab" * 32
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values), "utf-8")
    assert "public key is missing" not in notes(COORDINATOR, path)


def test_the_sites_notes_keep_the_plans_that_are_approved_already(tmp_path: Path) -> None:
    values = yaml.safe_load(minimal(SITE).read_text("utf-8"))
    values["federation"]["approvedPlans"] = ["1" * 64, "ab" * 32]
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values), "utf-8")
    shown = block(notes(SITE, path), "federation:")
    assert shown == {"federation": {"approvedPlans": ["1" * 64, "ab" * 32, "DIGEST"]}}
