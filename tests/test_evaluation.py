"""Means and predictions over whole data sets."""

import jax.numpy as jnp
import numpy as np
import pytest

from lessons import training

X = jnp.asarray(np.random.default_rng(0).normal(size=(10, 3)), jnp.float32)
Y = jnp.arange(10)


def rows(params, batch):
    return params * jnp.sum(batch[0], axis=1) + batch[1]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 9, 10, 11, 512])
def test_every_example_counts_once_at_any_batch_size(batch_size):
    mean = training.evaluate(rows, 2.0, (X, Y), batch_size=batch_size)
    expected = np.mean(2.0 * np.sum(np.asarray(X), axis=1) + np.arange(10))
    assert mean == pytest.approx(expected, rel=1e-6)
    assert isinstance(mean, float)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 11])
def test_predictions_keep_the_order(batch_size):
    def f(params, x):
        return {"scaled": params * x, "sum": x.sum(axis=1)}

    out = training.predict(f, 3.0, X, batch_size=batch_size)
    np.testing.assert_allclose(out["scaled"], 3.0 * X, rtol=1e-6)
    np.testing.assert_allclose(out["sum"], X.sum(axis=1), rtol=1e-5)


def test_the_default_batch_holds_512():
    def sizes(params, x):
        return jnp.full(len(x), float(len(x)))

    assert training.evaluate(sizes, 0.0, jnp.zeros(513)) == 512.0
    assert training.predict(sizes, 0.0, jnp.zeros(513)).tolist() == [512.0] * 513


def test_one_example_is_enough():
    assert training.evaluate(rows, 1.0, (X[:1], Y[3:4])) == pytest.approx(
        3.0 + float(X[0].sum()), rel=1e-6
    )
    assert training.predict(lambda p, x: p * x, 2.0, X[:1]).shape == (1, 3)


def test_a_share_of_correct_answers_is_exact():
    correct = jnp.arange(1000) < 961
    assert training.evaluate(lambda p, b: b, 0.0, correct, batch_size=64) == 0.961


def test_low_precision_values_are_summed_in_float32():
    ones = jnp.ones(1000, jnp.bfloat16)
    assert training.evaluate(lambda p, b: b, 0.0, ones, batch_size=1) == 1.0


def test_the_filling_examples_neither_count_nor_break():
    """log(0) would come from filling up with zeros."""
    x = jnp.arange(1.0, 6.0)
    mean = training.evaluate(lambda p, b: jnp.log(b), 0.0, x, batch_size=4)
    assert mean == pytest.approx(np.mean(np.log(np.arange(1, 6))), rel=1e-6)


def test_nan_is_not_hidden():
    assert np.isnan(training.evaluate(lambda p, b: b, 0.0, X[:, 0].at[4].set(jnp.nan)))


def test_a_second_call_with_the_same_shapes_compiles_nothing():
    traces = []

    def f(params, x):
        traces.append(1)
        return params * x

    for params in (1.0, jnp.float32(2.0)):
        training.evaluate(f, params, X[:, 0], batch_size=4)
    once = len(traces)
    training.evaluate(f, 3.0, X[:, 1], batch_size=4)
    assert len(traces) == once
    training.predict(f, 3.0, X, batch_size=4)
    once = len(traces)
    training.predict(f, 4.0, X + 1, batch_size=4)
    assert len(traces) == once


@pytest.mark.parametrize("call", [training.evaluate, training.predict])
@pytest.mark.parametrize(
    ("data", "batch_size", "message"),
    [
        ({}, 4, "a leading axis"),
        (jnp.float32(1.0), 4, "a leading axis"),
        (X[:0], 4, "an example or more"),
        ((X, Y[:9]), 4, "of equal length"),
        (X, 0, "batch_size to be a whole number over 0, got 0"),
        (X, 1.5, "batch_size to be a whole number over 0, got 1.5"),
    ],
)
def test_arguments_that_cannot_work_are_refused(call, data, batch_size, message):
    with pytest.raises(ValueError, match=message):
        call(lambda p, b: b, 0.0, data, batch_size=batch_size)


def test_another_shape_from_the_function_is_refused():
    with pytest.raises(ValueError, match=r"one number per .*\(4,\), got \(4, 3\)"):
        training.evaluate(lambda p, b: b, 0.0, X, batch_size=4)
    with pytest.raises(ValueError, match=r"shape \(4, \.\.\.\), got \(3,\)"):
        training.predict(lambda p, b: b.sum(axis=0), 0.0, X, batch_size=4)
    with pytest.raises(ValueError, match=r"shape \(4, \.\.\.\), got \(\)"):
        training.predict(lambda p, b: b.sum(), 0.0, X, batch_size=4)
