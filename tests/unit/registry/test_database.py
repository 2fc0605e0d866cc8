"""A registry's database file is complete or absent, whenever the process that makes it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from wardround.registry.connection import Registry
from wardround.registry.database import make_database
from wardround.registry.sqlite_address import database_file, database_uri

MAKE = "import sys; from wardround.registry.database import make_database; make_database(sys.argv[1])"


def test_a_server_has_no_database_file() -> None:
    assert database_file("http://127.0.0.1:5000") is None
    assert database_file("sqlite://") is None
    assert database_file("sqlite:////srv/mlflow.db") == Path("/srv/mlflow.db")


def test_a_process_killed_while_it_makes_the_database_leaves_none_that_mlflow_refuses(tmp_path: Path) -> None:
    path = tmp_path / "mlflow" / "mlflow.db"
    maker = subprocess.Popen([sys.executable, "-c", MAKE, f"sqlite:///{path}"], stderr=subprocess.DEVNULL)
    while not list(path.parent.glob(".*.part")) and maker.poll() is None:
        time.sleep(0.01)  # a file that appears rings no bell
    os.kill(maker.pid, signal.SIGKILL)
    assert maker.wait() == -signal.SIGKILL
    assert not path.exists()
    make_database(f"sqlite:///{path}")
    assert MlflowClient(f"sqlite:///{path}").create_experiment("north")


def test_a_database_that_is_there_stays(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    make_database(uri)
    made = MlflowClient(uri).create_experiment("north")
    make_database(uri)
    assert MlflowClient(uri).get_experiment_by_name("north").experiment_id == made


@pytest.mark.parametrize("name", ["a b", "a#b", "a?b", "a%41", "100%", "ärzte&co;x=1", "a+b"])
def test_a_folder_of_any_name_can_hold_the_database_and_its_models(name: str, tmp_path: Path) -> None:
    """As on many desktops; MLflow reports 1483 and 4361 are of blanks and escapes in addresses."""
    uri = database_uri(tmp_path / name / "mlflow.db")
    assert database_file(uri) == tmp_path / name / "mlflow.db"
    make_database(uri)
    assert [path.name for path in (tmp_path / name).iterdir()] == ["mlflow.db"]
    with Registry(uri, "tiny", "north") as registry:
        client = MlflowClient(uri, uri)
        run = client.create_run(registry._find_experiment(client)).info.run_id
        client.log_text(run, "kept", "note.txt")
    (note,) = (tmp_path / name / "artifacts").rglob("note.txt")
    assert note.read_text() == "kept"
