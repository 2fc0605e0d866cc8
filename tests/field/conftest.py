"""Fixtures of runs, as tests/protocol has them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "protocol"))

from fixtures import federation, plan_folder, world  # noqa: F401
