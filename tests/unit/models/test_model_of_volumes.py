"""The built-in model for volumes fits any series, and can tell where something is."""

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from wardround.models.volumes import cnn3d_gn

sides = st.integers(8, 300)


def last_grid(model: tf.keras.Model) -> tuple[int, ...]:
    """Depth, height and width of what the global pooling sees."""
    pooling = next(layer for layer in model.layers if isinstance(layer, tf.keras.layers.GlobalMaxPooling3D))
    return tuple(pooling.input.shape[1:4])


@settings(max_examples=25, deadline=None)
@given(st.tuples(sides, sides, sides), st.integers(2, 5))
def test_any_size_of_volume_gives_a_model_whose_last_grid_is_fine(
    size: tuple[int, int, int], classes: int
) -> None:
    model = cnn3d_gn((*size, 1), classes)
    assert model.output_shape == (None, classes)
    assert model.count_params() < 300_000
    assert model.non_trainable_weights == []
    assert all(
        left >= min(side, least) for left, side, least in zip(last_grid(model), size, (4, 8, 8), strict=True)
    )


@pytest.mark.parametrize(
    ("size", "convolutions", "grid"),
    [
        ((8, 8, 8), 3, (4, 8, 8)),
        ((16, 32, 32), 3, (4, 8, 8)),
        ((8, 64, 64), 4, (4, 8, 8)),
        ((32, 128, 128), 5, (4, 8, 8)),
        ((24, 256, 256), 5, (6, 16, 16)),
    ],
)
def test_larger_volumes_have_more_stages_and_thin_stacks_are_halved_in_the_plane_only(
    size: tuple[int, ...], convolutions: int, grid: tuple[int, ...]
) -> None:
    model = cnn3d_gn((*size, 1), 2)
    assert sum(isinstance(layer, tf.keras.layers.Conv3D) for layer in model.layers) == convolutions
    assert last_grid(model) == grid
