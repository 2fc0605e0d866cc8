"""Norms and sums near the ends of what a dtype holds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wardround.plan.accumulator import _added_modulo
from wardround.plan.norms import largest, norm


@given(st.integers(1, 2**63 - 1), st.data())
def test_a_modular_sum_is_exact_up_to_the_largest_modulus(modulus: int, data: st.DataObject) -> None:
    first, second = (data.draw(st.integers(0, modulus - 1)) for _ in range(2))
    found = _added_modulo(np.asarray(first, np.int64), np.asarray(second, np.int64), modulus)
    assert int(found) == (first + second) % modulus


@given(arrays(np.float32, 20, elements=st.floats(width=32)))
def test_a_norm_is_finite_where_the_values_are(value: np.ndarray) -> None:
    assert np.isfinite(norm(value)) == np.isfinite(value).all()
    if np.isfinite(value).all():
        np.testing.assert_allclose(
            norm(value), np.linalg.norm(value.astype(np.float64)), rtol=1e-5, atol=1e-18
        )


def test_the_norm_of_a_large_tensor_is_exact_to_a_millionth() -> None:
    value = np.random.default_rng(1).normal(0, 1, 3_000_001).astype(np.float32)
    assert abs(norm(value) / np.linalg.norm(value.astype(np.float64)) - 1) < 1e-6


def test_the_largest_absolute_value_of_the_smallest_integer_is_not_negative() -> None:
    assert largest(np.asarray([-(2**31)], np.int32)) == 2**31
    assert largest(np.asarray([-(2**63), 5], np.int64)) == 2**63
