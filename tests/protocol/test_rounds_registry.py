"""What the registry holds after a run, after a coordinator that was killed, and after one that was started twice."""

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from federation import FEDERATION, SITES, Federation, World
from killing import Deaths

from wardround.coordinator.history import measured
from wardround.exchange.layout import COORDINATOR
from wardround.exchange.messages import OutcomeMessage
from wardround.imaging.shards import load_split

pytest.importorskip("mlflow", reason="the registry's extra is not installed")


# What may lie in the registry's folder (numbers and identifiers as #), and the names of its curves (sites as #).
_MODEL = "artifacts/models/#/artifacts"
KINDS = {
    "mlflow.db",
    "artifacts/#/artifacts/plan.json",
    "artifacts/#/artifacts/rounds/#/outcome.json",
    *(f"{_MODEL}/{name}" for name in ("MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt")),
    f"{_MODEL}/registered_model_meta",
    f"{_MODEL}/tf#model/saved_model.pb",
    f"{_MODEL}/tf#model/variables/variables.data-#-of-#",
    f"{_MODEL}/tf#model/variables/variables.index",
}
_CURVES = [f"{split}_{name}" for split in ("val", "test") for name in ("loss", "accuracy", "auroc", "auprc")]
FIGURES = {*_CURVES, *(f"site/#/{name}" for name in _CURVES), "sites_accepted", "sites_refused"}
FIGURES |= {f"train_{name}" for name in ("loss", "accuracy", "num_examples", "finalizer/update_non_finite")}


def versions(uri: str) -> dict[str, dict[str, str]]:
    """Version → tags of every model version."""
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    return {v.version: dict(v.tags) for v in client.search_model_versions("name = 'tiny'")}


def test_every_round_is_one_model_version_also_after_a_restart(
    federation: Federation, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    versions(uri)  # makes the tables: MLflow cannot go on with a SQLite file whose making was cut off
    federation.changes = {"tracking_uri": uri}
    sites = [federation.start_site(site) for site in SITES]
    outcome = federation.view.channel.where(OutcomeMessage, 2)
    deaths = Deaths(tmp_path / "deaths", f"after put wardround-{FEDERATION}/{outcome}")
    assert federation.start_coordinator(deaths).wait() == -9
    assert federation.start_coordinator().wait() == 0
    assert [site.wait() for site in sites] == [0, 0, 0]
    kept = versions(uri)
    assert sorted(tags["round"] for tags in kept.values()) == ["1", "2"]
    assert federation.start_coordinator().wait() == 0
    assert versions(uri) == kept


@dataclass(frozen=True)
class Kept:
    """A finished run of three hospitals, and the folder that holds all that the registry kept of it."""

    federation: Federation
    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"


@pytest.fixture(scope="module")
def kept(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    kept = Kept(Federation(world, "kept"), tmp_path_factory.mktemp("registry"))
    kept.federation.changes = {"tracking_uri": kept.uri}
    assert [actor.wait() for actor in kept.federation.start_all()] == [0, 0, 0, 0]
    yield kept
    kept.federation.close()


def test_a_model_is_kept_with_its_own_metrics_and_predicts(kept: Kept) -> None:
    from mlflow import MlflowClient, pyfunc, set_tracking_uri

    client = MlflowClient(kept.uri, kept.uri)
    (run,) = client.search_runs([client.get_experiment_by_name(FEDERATION).experiment_id])
    assert run.info.status == "FINISHED"
    curve = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "val_auroc")}
    outcomes = kept.federation.outcomes()
    assert curve == {outcome.model: measured(outcome, "val_auc") for outcome in outcomes[1:]}
    assert "site/alder/val_auroc" in run.data.metrics and "train_loss" in run.data.metrics
    set_tracking_uri(kept.uri)
    images = np.full((3, 8, 8, 1), 0.5, np.float32)
    scores = np.asarray(pyfunc.load_model("models:/tiny@champion").predict(images))
    assert scores.shape == (3, 2) and np.allclose(scores.sum(axis=1), 1, atol=1e-5)


def rows(database: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """(table, row) of everything in a SQLite file, whichever tables a version of MLflow has."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            yield from ((table, row) for row in connection.execute(f'SELECT * FROM "{table}"'))


def secrets(world: World) -> Iterator[bytes]:
    """Every line of every private key, and every S3 password."""
    for name in (COORDINATOR, *SITES):
        yield from world.key(name).pem().splitlines()[1:-1]
        yield from (
            str(value).encode()
            for value in json.loads((world.folder / "identities" / f"{name}.json").read_text()).values()
        )


def pixels(world: World) -> Iterator[bytes]:
    """Each image of each hospital as the bytes that it may lie in: as it is stored, and as graphs take it."""
    for site in SITES:
        for split in ("train", "validation", "test"):
            for image in load_split(world.folder / "data" / site, split).images:
                yield image.tobytes()
                yield (image / np.float32(255)).astype(np.float32).tobytes()


def test_the_registry_holds_nothing_but_the_model_its_figures_and_the_signed_outcomes(kept: Kept) -> None:
    world = kept.federation.world
    files = {
        path.relative_to(kept.folder).as_posix(): path.read_bytes()
        for path in kept.folder.rglob("*")
        if path.is_file()
    }
    everything = b"\0".join(files.values())
    places = [str(world.folder / part).encode() for part in ("data", "runs", "identities")]
    assert [word for word in (*secrets(world), *places, *pixels(world)) if word in everything] == []
    # Otherwise the search above would show nothing: what the registry is to hold is found in the same bytes.
    outcome = kept.federation.view.shared.get(
        kept.federation.view.channel.where(OutcomeMessage, 1), limit=OutcomeMessage.limit
    )
    assert outcome in everything and kept.federation.digest.encode() in everything
    kinds = {re.sub(r"m-[0-9a-f]+|[0-9a-f]{32}|\d+", "#", name) for name in files}
    assert kinds <= KINDS, kinds - KINDS
    names = {row[0] for table, row in rows(kept.folder / "mlflow.db") if table == "metrics"}
    assert {re.sub(f"^site/({'|'.join(SITES)})/", "site/#/", str(name)) for name in names} <= FIGURES


def test_a_registry_that_fails_holds_no_round_up_and_is_reported_at_the_end(
    federation: Federation, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as foreign:
        foreign.execute("CREATE TABLE experiments (something_else TEXT)")
    federation.changes = {"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db", "registry_outage_s": 1}
    coordinator, *sites = federation.start_all()
    assert [site.wait() for site in sites] == [0, 0, 0]
    assert coordinator.wait(300) == 1
    assert "the registry failed, rounds go on without it" in coordinator.text()
    assert [outcome.status for outcome in federation.outcomes()] == ["completed", "completed", "evaluated"]
