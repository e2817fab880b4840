"""The checks of arguments: what passes, what does not, and in which words."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import _checks


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (0, {}),
        (0.0, {}),
        (1e300, {}),
        (2, {"low": 2}),
        (2.9, {"low": 2, "high": 3}),
        (-4.5, {"low": -5, "high": -4}),
        (np.float32(0.5), {"high": 1}),
        (jnp.array(-1.0), {}),
        ([-1.0], {}),
        (None, {}),
    ],
)
def test_numbers_within_their_range_pass(value, limits):
    _checks.check_range("rate", value, **limits)


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (-1e-9, {}, "expected 0 <= rate < inf, got -1e-09"),
        (math.inf, {}, "expected 0 <= rate < inf, got inf"),
        (math.nan, {}, "expected 0 <= rate < inf, got nan"),
        (1, {"low": 2}, "expected 2 <= rate < inf, got 1"),
        (3, {"low": 2, "high": 3}, "expected 2 <= rate < 3, got 3"),
        (1.5, {"high": 1}, "expected 0 <= rate < 1, got 1.5"),
        (np.float32(-0.5), {}, "expected 0 <= rate < inf, got -0.5"),
    ],
)
def test_numbers_out_of_their_range_are_refused(value, limits, message):
    with pytest.raises(ValueError) as caught:
        _checks.check_range("rate", value, **limits)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [1e-300, 1, 7.5, np.int32(1), jnp.array(0.0), None])
def test_positive_numbers_pass(value):
    _checks.check_positive("norm", value)


@pytest.mark.parametrize("value", [0, 0.0, -1, math.inf, -math.inf, math.nan])
def test_numbers_that_are_not_positive_are_refused(value):
    with pytest.raises(ValueError) as caught:
        _checks.check_positive("norm", value)
    assert str(caught.value) == f"expected 0 < norm < inf, got {value}"


def test_traced_numbers_pass():
    def f(x):
        _checks.check_range("rate", x)
        _checks.check_positive("norm", x)
        return x

    assert float(jax.jit(f)(-1.0)) == -1.0


@pytest.mark.parametrize("value", [1, 2, 10**9, np.int64(1), True])
def test_whole_numbers_pass(value):
    _checks.check_positive_int("window", value)


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, "2", None, np.int32(0), False])
def test_other_numbers_of_things_are_refused(value):
    with pytest.raises(ValueError) as caught:
        _checks.check_positive_int("window", value)
    assert str(caught.value) == f"expected window of at least 1, got {value}"


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_the_expected_shape_passes(shape):
    _checks.check_shape("labels", np.zeros(shape), shape)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 1), (3,)), ((3,), (3, 1)), ((), (1,)), ((1, 3), (2, 3)), ((3,), ())],
)
def test_shapes_that_could_broadcast_are_refused(shape, expected):
    with pytest.raises(ValueError) as caught:
        _checks.check_shape("labels", np.zeros(shape), expected)
    assert str(caught.value) == f"expected labels of shape {expected}, got {shape}"
