"""The register that is MLflow."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from numpy.typing import NDArray

from wardround.coordinator.context import Run
from wardround.coordinator.register import BackgroundRegister, Keeper
from wardround.coordinator.settings import CoordinatorSettings
from wardround.coordinator.states import read_state
from wardround.plan.format import MANIFEST_NAME, Plan
from wardround.plan.program import Program
from wardround.registry.connection import Registry
from wardround.registry.plans import predict_graph
from wardround.registry.records import RunRecord


@contextmanager
def register_of(settings: CoordinatorSettings, run: Run, plan: Plan) -> Iterator[BackgroundRegister]:
    """A register at `settings.tracking_uri`; the model is called as the recipe, the experiment as the federation.

    At the end of the block it has kept what it was told, and its working files, which can be a model's size, are gone.
    """
    recipe = plan.manifest.recipe_model()
    record = RunRecord(
        federation=settings.federation,
        run=settings.run,
        plan_digest=plan.digest,
        parameters=recipe.flat(),
        plan_file=plan.folder / MANIFEST_NAME,
    )
    # Its own: a program is for one thread, and the rounds have theirs.
    program = Program(plan, threads=1)

    def weights(number: int) -> Mapping[str, NDArray[Any]]:
        return program.weights(read_state(run, program, number))

    with Registry(
        str(settings.tracking_uri),
        settings.model_name or recipe.name,
        settings.experiment or settings.federation,
        patience=settings.registry_outage_s,
        stop=run.stop,
    ) as registry:
        keeper = Keeper(run, lambda: registry.open_run(record, predict_graph(plan)), weights)
        with closing(BackgroundRegister(keeper)) as register:
            yield register
