"""One round's work on the site's own data: the update that the plan describes, and nothing else."""

from typing import Literal, Protocol

from wardround.errors import RefusedError
from wardround.exchange.messages import RoundMessage
from wardround.exchange.records import file_spec
from wardround.exchange.tensors import TensorSpec
from wardround.plan.data import Examples, training_order
from wardround.plan.process import Tensors
from wardround.plan.program import Program
from wardround.site.context import Seat

SplitName = Literal["train", "validation", "test"]


class Data(Protocol):
    """A site's examples by split (train, validation, test)."""

    def check(self, program: Program) -> None:
        """Raises RefusedError (`wrong-dataset`) unless this is what the plan learns from."""

    def counts(self) -> dict[SplitName, int]:
        """How many examples each split has."""

    def examples(self, split: str) -> Examples:
        """The examples of a split; the same object every time."""


def make_update(
    seat: Seat, program: Program, data: Data, number: int, message: RoundMessage, broadcast: Tensors
) -> Tensors:
    """Trains and evaluates as the round asks. The same arguments give the same bits.

    Raises RefusedError (`wrong-update`) when the result is not what the plan said would leave.
    """
    update: Tensors = {}
    if message.purpose == "train":
        update |= _train(seat, program, data.examples("train"), number, broadcast)
    for split in message.splits:
        update |= program.evaluate(data.examples(split), split, broadcast)
    check_shape(update, file_spec(program.update_spec(message.parts())))
    return update


def _train(seat: Seat, program: Program, examples: Examples, number: int, broadcast: Tensors) -> Tensors:
    recipe = program.recipe
    order = training_order(
        len(examples),
        seed=recipe.seed,
        run=seat.channel.run,
        site=seat.site,
        round=number,
        epochs=recipe.algorithm.client.epochs,
    )
    return program.work(examples, order, broadcast)


def check_shape(update: Tensors, spec: dict[str, TensorSpec]) -> None:
    """Raises RefusedError (`wrong-update`) unless names, shapes and dtypes of an update are exactly `spec`."""
    made = {name: TensorSpec.of(value) for name, value in update.items()}
    wrong = sorted(name for name in made.keys() | spec.keys() if made.get(name) != spec.get(name))
    if wrong:
        raise RefusedError(
            f"the plan made tensor {wrong[0]!r} as {made.get(wrong[0])}, and says it makes {spec.get(wrong[0])}; "
            "nothing was sent: do not approve this plan, and tell its author",
            code="wrong-update",
        )
