"""Every round's global model in MLflow, once, and usable without Wardround.

    Registry.open_run ─→ RunLog.log_round ─→ model version ─→ mlflow.pyfunc.load_model(…).predict(images)

`records` and `errors` need NumPy at most; the other modules import MLflow and TensorFlow. MLflow reads its
settings when it is imported, so they are set here, before any module of this package can import it.
"""

from wardround.registry.quiet import set_environment

set_environment()
