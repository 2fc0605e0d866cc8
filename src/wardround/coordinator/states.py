"""Server states in the coordinator's own bucket. Each lies in the folder of the round that made it."""

from wardround.coordinator.context import Run
from wardround.coordinator.rounds import Model
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import Measured, StateMessage
from wardround.exchange.records import Record, file_spec, publish_tensors
from wardround.exchange.tensors import read_tensors
from wardround.plan.process import Tensors
from wardround.plan.program import Program


def find_state(run: Run, number: int) -> Record[StateMessage] | None:
    """The record of the state that round `number` made, if it was written."""
    try:
        return run.channel.read(run.own, StateMessage, run.me, round=number)
    except MissingError:
        return None


def write_state(run: Run, number: int, state: Tensors, measured: Measured, decision: int = 1) -> None:
    """Writes a state and then its record. Not to be called when there is a record."""
    prefix = run.channel.keys.round_prefix(number)
    files = publish_tensors(run.own, prefix, run.spool, "state", state)
    run.channel.write(
        run.own, StateMessage(measured=measured, decision=decision), round=number, tensors=files
    )


def read_state(run: Run, program: Program, number: int) -> Tensors:
    """The state that round `number` made. Raises MissingError, RefusedError."""
    name, file = run.channel.read(run.own, StateMessage, run.me, round=number).file("state")
    path = run.spool / f"{number:06d}-{name}"
    run.own.download(run.channel.keys.round_file(number, name), path, limit=file.size)
    try:
        return read_tensors(path, file_spec(program.state_spec), file)
    finally:
        path.unlink()


def load_model(run: Run, program: Program, number: int) -> Model:
    """A model from the bucket; model 0 is made, and written, if it is not there."""
    if number == 0 and find_state(run, 0) is None:
        write_state(run, 0, program.initialize(), Measured())
    return Model(number, read_state(run, program, number))
