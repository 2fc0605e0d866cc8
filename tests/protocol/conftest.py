"""The fixtures of rounds, for the tests in this folder."""

from fixtures import federation, plan_folder, world

__all__ = ["federation", "plan_folder", "world"]
