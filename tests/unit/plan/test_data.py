"""The order of examples: fresh each round and epoch, and the same after a restart."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wardround.plan.data import training_order

KEY = {"seed": 1, "run": "r", "site": "alder"}


@given(st.integers(1, 200), st.integers(1, 4), st.integers(1, 1000))
def test_every_epoch_goes_through_every_example_once(count: int, epochs: int, number: int) -> None:
    order = training_order(count, **KEY, round=number, epochs=epochs)
    assert order.dtype == np.int64
    for epoch in order.reshape(epochs, count):
        assert sorted(epoch) == list(range(count))


def test_the_order_depends_on_run_site_and_round_and_on_nothing_else() -> None:
    first = training_order(100, **KEY, round=1, epochs=1)
    assert (first == training_order(100, **KEY, round=1, epochs=1)).all()
    for other in ({**KEY, "site": "birch"}, {**KEY, "run": "s"}, {**KEY, "seed": 2}):
        assert (first != training_order(100, **other, round=1, epochs=1)).any()
    assert (first != training_order(100, **KEY, round=2, epochs=1)).any()
