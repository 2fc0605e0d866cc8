"""A registry's database file is complete or absent, whenever the process that makes it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlflow import MlflowClient

from wardround.registry.database import database_file, make_database

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
