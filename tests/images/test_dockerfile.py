"""Dockerfile and locks agree, as far as that can be seen without building: every build starts from here."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from components.build import NAMES, TITLES
from components.environment import beyond, requirements
from components.images import IMAGES

ROOT = Path(__file__).parents[2]
LOCKS = ("site", "imaging", "coordinator", "compile", "compiler", "control", "mlflow")


@dataclass
class Stage:
    """A stage: what it starts from, and its instructions."""

    base: str
    lines: list[str] = field(default_factory=list)


def stages() -> dict[str, Stage]:
    text = (ROOT / "components" / "Dockerfile").read_text().replace("\\\n", " ")
    found: dict[str, Stage] = {}
    for line in text.splitlines():
        if start := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            found[start[2]] = Stage(start[1])
        elif found and line and not line.startswith("#"):
            list(found.values())[-1].lines.append(line)
    return found


def ancestors(name: str) -> list[str]:
    known, chain = stages(), [name]
    while (base := known[chain[-1]].base) in known:
        chain.append(base)
    return chain


def lock(name: str) -> str:
    return (ROOT / "locks" / f"{name}.txt").read_text()


def test_every_image_is_a_target_with_a_title() -> None:
    assert set(NAMES) <= stages().keys()
    assert set(TITLES) == set(NAMES) == set(IMAGES.values())


@pytest.mark.parametrize("name", NAMES)
def test_an_image_starts_from_nothing_and_is_only_copied_into(name: str) -> None:
    chain = ancestors(name)
    assert chain[-1] == "runtime" and stages()["runtime"].base == "scratch"
    instructions = [line.split()[0] for stage in chain for line in stages()[stage].lines]
    assert set(instructions) <= {"COPY", "ENV", "USER", "WORKDIR", "ENTRYPOINT"}
    assert "USER 10001:10001" in stages()["runtime"].lines


def test_training_preprocessing_and_the_coordinator_have_tensorflow_from_one_stage() -> None:
    assert all(ancestors(name)[1:] == ["site", "runtime"] for name in ("train", "preprocess", "coordinator"))


def test_everything_that_is_copied_from_the_repository_is_there() -> None:
    for stage in stages().values():
        for line in stage.lines:
            words = line.split()
            if words[0] == "COPY" and not words[1].startswith("--from"):
                assert all((ROOT / source).exists() for source in words[1:-1]), line


def test_each_lock_has_its_environment_and_hashes_for_all_that_it_names() -> None:
    text = (ROOT / "components" / "Dockerfile").read_text()
    assert set(re.findall(r"environment\.py (\w+)\.txt", text)) == set(LOCKS)
    for name in LOCKS:
        assert "://" not in re.sub(r"#.*", "", lock(name)), name
        assert all("--hash=sha256:" in block for block in requirements(lock(name)).values()), name
        assert len(requirements(lock(name))) == len(re.findall(r"^\S+==", lock(name), re.MULTILINE)), name


@pytest.mark.parametrize(("upper", "added"), [("imaging", "pydicom"), ("coordinator", "mlflow")])
def test_what_lies_on_the_shared_layer_holds_nothing_of_it(upper: str, added: str) -> None:
    on_top = requirements(beyond(lock(upper), lock("site")))
    assert added in on_top
    assert not on_top.keys() & requirements(lock("site")).keys()
    assert on_top.keys() | requirements(lock("site")).keys() == requirements(lock(upper)).keys()


def test_a_lock_that_differs_from_the_shared_layer_is_refused() -> None:
    base = "numpy==2.4.6 \\\n    --hash=sha256:aa\nsix==1.17.0 \\\n    --hash=sha256:bb\n"
    with pytest.raises(ValueError, match=r"not built on the other lock: numpy;"):
        beyond(base.replace("2.4.6", "2.4.7"), base)
    with pytest.raises(ValueError, match="six"):
        beyond("numpy==2.4.6 \\\n    --hash=sha256:aa\n", base)


@pytest.mark.parametrize("name", ["compile", "control", "mlflow"])
def test_there_is_no_tensorflow_where_none_is_needed(name: str) -> None:
    assert not [
        package for package in requirements(lock(name)) if package.startswith(("tensorflow", "keras"))
    ]


def test_the_registrys_server_has_the_version_of_its_clients() -> None:
    server, client = (requirements(lock(name))["mlflow"].splitlines()[0] for name in ("mlflow", "main"))
    assert server == client


@pytest.mark.parametrize("name", ["site", "imaging", "coordinator", "compile", "control"])
def test_images_have_the_versions_that_the_tests_run_with(name: str) -> None:
    tested = requirements(lock("main"))
    assert [
        package for package, text in requirements(lock(name)).items() if tested.get(package) != text
    ] == []


def test_the_installer_is_the_one_that_makes_the_locks() -> None:
    used = re.search(r"ARG UV_VERSION=(\S+)", (ROOT / "components" / "Dockerfile").read_text())
    locks = re.search(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())
    assert used is not None and locks is not None and used[1] == locks[1]
