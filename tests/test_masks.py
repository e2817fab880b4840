"""Masks against their definitions, entry by entry."""

import jax.numpy as jnp
import numpy as np
import pytest

from lessons.masks import causal_mask, length_mask


def test_length_mask():
    got = length_mask(jnp.array([0, 1, 4, 9]), 4)
    want = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    np.testing.assert_array_equal(got, np.array(want, bool))
    assert length_mask(jnp.array([1]), 1).tolist() == [[True]]
    assert length_mask([2, 0], 2).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("lengths", [jnp.array([1.0]), jnp.array(3), jnp.array([[1]])])
def test_lengths_must_be_integers_in_a_row(lengths):
    with pytest.raises(ValueError, match=r"expected integer lengths of shape \(B,\)"):
        length_mask(lengths, 4)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_causal_mask_is_lower_triangular(steps):
    got = causal_mask(steps)
    assert got.dtype == bool
    np.testing.assert_array_equal(got, np.tri(steps, dtype=bool))


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="expected steps of at least 1, got 0"):
        causal_mask(0)
    with pytest.raises(ValueError, match="expected steps of at least 1, got 0"):
        length_mask(jnp.array([1]), 0)
