"""Charts are rendered by the helm program; where there is none, these tests say so and are skipped."""

import pytest
from helm.program import find_program


@pytest.fixture(autouse=True)
def _helm() -> None:
    if find_program("helm") is None:
        pytest.skip(
            "no helm program on PATH, in $WARDROUND_CLUSTER_HOME/bin or ~/.cache/wardround-cluster/bin"
        )
