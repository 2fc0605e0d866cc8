"""Whole runs: a coordinator process, three site processes, a real S3 server."""

import numpy as np
from federation import SITES, Federation

from wardround.exchange.messages import FinalMessage
from wardround.exchange.records import file_spec
from wardround.exchange.tensors import decode, encode
from wardround.imaging.shards import load_split
from wardround.plan.data import Examples, training_order
from wardround.plan.format import load_plan
from wardround.plan.program import Program


def in_one_process(federation: Federation, rounds: int) -> dict[str, np.ndarray]:
    """The server state after some rounds of the same plan without any exchange."""
    program = Program(load_plan(federation.world.plan), threads=1)
    state = program.initialize()
    for number in range(1, rounds + 1):
        broadcast = program.prepare(state)
        tensors = broadcast.tensors | {a: broadcast.tensors[name] for a, name in broadcast.aliases.items()}
        total = program.accumulator()
        for site in SITES:
            arrays = load_split(federation.world.folder / "data" / site, "train")
            examples = Examples(arrays.images, arrays.labels, 1 / 255)
            order = training_order(
                len(examples), seed=1, run=federation.run, site=site, round=number, epochs=1
            )
            total.add(program.work(examples, order, tensors))
        state, _ = program.update(state, total.result())
    return state


def test_three_sites_and_a_coordinator_compute_what_the_plan_computes_in_one_process(
    federation: Federation,
) -> None:
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    outcomes = federation.outcomes()
    assert [outcome.status for outcome in outcomes] == ["completed", "completed", "evaluated"]
    assert all(outcome.accepted == SITES for outcome in outcomes)
    expected = in_one_process(federation, 2)
    spec = file_spec(Program(load_plan(federation.world.plan)).state_spec)
    assert decode(federation.state(2), spec).keys() == expected.keys()
    assert federation.state(2) == encode(expected)


def test_a_model_is_evaluated_with_the_next_round_and_the_last_one_in_a_closing_round(
    federation: Federation,
) -> None:
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    first, second, closing = federation.outcomes()
    assert not first.measured.evaluation
    assert second.model == 1 and set(second.measured.evaluation) == {"validation"}
    assert closing.model == 2 and set(closing.measured.evaluation) == {"validation", "test"}
    assert 0.5 < closing.measured.evaluation["test"]["auroc"] <= 1
    assert set(closing.measured.per_site) == set(SITES)
    final = federation.view.channel.read(federation.view.shared, FinalMessage, federation.view.me).message
    assert final.status == "finished" and final.last == 2 and final.metric is not None
