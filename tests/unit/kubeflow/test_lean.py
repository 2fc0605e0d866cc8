"""Images that have few libraries: what they run must not ask for others."""

import subprocess
import sys

import pytest

# What no such image has (locks/compile.txt, locks/control.txt).
HEAVY = ("tensorflow", "numpy", "safetensors", "mlflow", "pydicom", "pandas")
SCRIPT = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError("not in this image: " + name, name=name)

sys.meta_path.insert(0, Absent())
for module in {modules!r}:
    importlib.import_module(module)
"""


@pytest.mark.parametrize(
    ("absent", "modules"),
    [
        (
            (*HEAVY, "cryptography", "kfp", "kfp_server_api", "kubernetes"),
            ("wardround.cli.coordinator", "wardround.cli.steps_compile", "wardround.coordinator.publish"),
        ),
        (
            HEAVY,
            (
                "wardround.cli.pipeline",
                "wardround.cli.submit",
                "wardround.cli.status",
                "wardround.cli.status_page",
                "wardround.kubeflow.package",
                "wardround.kubeflow.recurring",
                "wardround.kubeflow.register",
                "wardround.kubeflow.submit",
                "wardround.kubeflow.status",
                "wardround.kubeflow.find",
                "wardround.exchange.patience",
                "wardround.cli.findings",
                "wardround.coordinator.readiness",
            ),
        ),
    ],
    ids=["compile", "control"],
)
def test_an_image_without_the_heavy_libraries_can_do_what_it_is_for(
    absent: tuple[str, ...], modules: tuple[str, ...]
) -> None:
    script = SCRIPT.format(absent=set(absent), modules=list(modules))
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]
