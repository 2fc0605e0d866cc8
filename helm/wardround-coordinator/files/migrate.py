"""Waits for MLflow's database, and brings its tables to this MLflow's version; makes them in an empty one.

The address comes from MLFLOW_BACKEND_STORE_URI. The tables of users are brought up to date by the server itself.
"""

import os
import sys
import time

from mlflow.db import upgrade
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

WAIT_SECONDS = 300


def wait(uri: str) -> None:
    """Returns once the database answers; ends the process after a while, without showing the address."""
    end = time.monotonic() + WAIT_SECONDS
    engine = create_engine(uri, connect_args={"connect_timeout": 5})
    while True:
        try:
            with engine.connect():
                return
        except OperationalError:
            if time.monotonic() > end:
                sys.exit(
                    f"MLflow's database did not answer within {WAIT_SECONDS} s; see to it and to its Secret"
                )
            print("waiting for MLflow's database", flush=True)
            time.sleep(2)


if __name__ == "__main__":
    address = os.environ["MLFLOW_BACKEND_STORE_URI"]
    wait(address)
    upgrade.callback(address)
