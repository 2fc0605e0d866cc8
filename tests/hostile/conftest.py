"""The fixtures of rounds, from the protocol's tests: attacks are played in a federation with a real S3 server."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "protocol"))
sys.path.insert(0, str(Path(__file__).parent))

from fixtures import federation, plan_folder, world
from test_equality_with_tff import reference

__all__ = ["federation", "plan_folder", "reference", "world"]
