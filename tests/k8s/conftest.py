"""`helm` and `k8s` are no part of the package: they lie in the repository."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
