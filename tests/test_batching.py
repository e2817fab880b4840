"""Cutting data into batches: every example once, and the last batch filled up."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import _batching


@pytest.mark.parametrize("value", [1, 7, np.int64(3), True])
def test_whole_numbers_become_ints(value):
    got = _batching.whole_number("epochs", value)
    assert type(got) is int
    assert got == value


@pytest.mark.parametrize("value", [0, -1, 1.0, "3", None, np.int32(0)])
def test_what_is_no_whole_number_over_0_is_refused(value):
    message = f"expected epochs to be a whole number over 0, got {value}"
    with pytest.raises(ValueError, match=re.escape(message)):
        _batching.whole_number("epochs", value)


@pytest.mark.parametrize(
    ("data", "n"),
    [
        (np.zeros((3, 2)), 3),
        ((np.zeros((4, 2)), np.zeros(4)), 4),
        ({"x": np.zeros((1, 0))}, 1),
        ([jnp.zeros((5, 1, 2))], 5),
    ],
)
def test_the_length_is_that_of_every_array(data, n):
    assert _batching.length(data) == n


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((), "expected data with a leading axis, got shapes []"),
        (3.0, "expected data with a leading axis, got shapes [()]"),
        (
            (np.zeros(3), 1),
            "expected data with a leading axis, got shapes [(3,), ()]",
        ),
        (
            (np.zeros((3, 2)), np.zeros(2)),
            "expected data of equal length, got shapes [(3, 2), (2,)]",
        ),
        (
            (np.zeros(2), np.zeros(2), np.zeros(1)),
            "expected data of equal length, got shapes [(2,), (2,), (1,)]",
        ),
        (np.zeros((0, 2)), "expected data with an example or more, got [(0, 2)]"),
    ],
)
def test_data_without_one_length_are_refused(data, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        _batching.length(data)
    with pytest.raises(ValueError, match=re.escape(message.replace("data", "x"))):
        _batching.length(data, "x")


@pytest.mark.parametrize(
    ("n", "size", "index", "real"),
    [
        (5, 2, [[9, 8], [7, 6], [5, 9]], [[1, 1], [1, 1], [1, 0]]),
        (4, 2, [[9, 8], [7, 6]], [[1, 1], [1, 1]]),
        (4, 3, [[9, 8, 7], [6, 9, 8]], [[1, 1, 1], [1, 0, 0]]),
        (3, 3, [[9, 8, 7]], [[1, 1, 1]]),
        (2, 1, [[9], [8]], [[1], [1]]),
        (1, 1, [[9]], [[1]]),
    ],
)
def test_the_last_batch_is_filled_with_the_first_examples(n, size, index, real):
    got = _batching.cut(jnp.arange(9, 9 - n, -1), size)
    assert got[0].tolist() == index
    np.testing.assert_array_equal(got[1], np.array(real, bool))
    assert got[1].dtype == bool


def test_take_picks_from_every_array():
    data = {"x": jnp.arange(6.0).reshape(3, 2), "y": [jnp.array([5, 6, 7])]}
    got = _batching.take(data, jnp.array([2, 0, 2]))
    assert got["x"].tolist() == [[4, 5], [0, 1], [4, 5]]
    assert got["y"][0].tolist() == [7, 5, 7]


def test_as_arrays_fixes_the_dtypes():
    tree = {
        "weak": 0.5,
        "count": 3,
        "numpy": np.ones(2, np.float64),
        "half": jnp.ones(2, jnp.bfloat16),
        "lazy": jnp.asarray(2.0),
    }
    got = _batching.as_arrays(tree)
    assert {name: str(leaf.dtype) for name, leaf in got.items()} == {
        "weak": "float32",
        "count": "int32",
        "numpy": "float32",
        "half": "bfloat16",
        "lazy": "float32",
    }
    assert not any(leaf.weak_type for leaf in got.values())
    assert all(isinstance(leaf, jax.Array) for leaf in got.values())
    assert float(got["weak"]) == 0.5


@pytest.mark.parametrize(
    ("dtype", "want"),
    [
        (bool, "float32"),
        ("int32", "float32"),
        ("bfloat16", "float32"),
        ("float32", "float32"),
    ],
)
def test_numbers_of_examples_become_floats(dtype, want):
    got = _batching.per_example(jnp.array([1, 0, 1], dtype), 3, "f")
    assert str(got.dtype) == want
    assert got.tolist() == [1, 0, 1]


def test_float64_stays_float64():
    with jax.enable_x64(True):
        assert _batching.per_example(jnp.ones(2), 2, "f").dtype == jnp.float64


@pytest.mark.parametrize("shape", [(), (3,), (4, 1), (1, 4)])
def test_another_shape_is_refused(shape):
    message = f"expected f to return one number per example, shape (4,), got {shape}"
    with pytest.raises(ValueError, match=re.escape(message)):
        _batching.per_example(jnp.zeros(shape), 4, "f")
