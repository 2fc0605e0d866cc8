"""What holds for all tests."""

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tests that share something costly run in one process. A pytest that pytest-xdist does not know makes each anew."""
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    if getattr(session.config.option, "loadgroup", False) and not all("@" in item.nodeid for item in grouped):
        raise pytest.UsageError(
            "pytest-xdist did not group the tests: pin versions of both that fit each other"
        )
