"""A sweep equals separate fits, and a diverging rate harms no other."""

import io
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import optimizers, training

KEY = jax.random.key(3)
X = jnp.asarray(np.random.default_rng(0).normal(0.5, 1.0, (11, 3)), jnp.float32)
Y = X @ jnp.array([1.0, -2.0, 0.5])
HELD_OUT = (X[:5] + 0.5, Y[:5])
START = {"w": jnp.array([0.3, 0.1, -0.2]), "b": 0.4}
RATES = [0.0, 0.02, 0.1]


def squares(params, batch, key=None):
    x, y = batch
    if key is not None:  # Noise, so that the keys must agree as well.
        x = x + 0.1 * jax.random.normal(key, x.shape)
    return (x @ params["w"] + params["b"] - y) ** 2


def sweep(make=optimizers.adam, rates=RATES, **changes):
    arguments = {"key": KEY, "epochs": 4, "batch_size": 4, **changes}
    return training.sweep(squares, START, (X, Y), make, rates, **arguments)


def scheduled(rate):
    schedule = optimizers.warmup_cosine_decay_schedule(0.0, rate + 1e-6, 3, 12)
    return optimizers.chain(
        optimizers.clip_by_global_norm(1.0), optimizers.adamw(schedule)
    )


@pytest.mark.parametrize("make", [optimizers.sgd, optimizers.adam, scheduled])
def test_each_row_is_a_fit(make):
    together = sweep(make, validation=HELD_OUT)
    assert together.curves["train"].shape == (3, 4)
    for i, rate in list(enumerate(RATES))[1:]:
        alone = training.fit(
            squares, START, (X, Y), make(rate),
            key=KEY, epochs=4, batch_size=4, validation=HELD_OUT,
        )  # fmt: skip
        for name in ("train", "validation"):
            row, expected = together.curves[name][i], alone.curves[name]
            np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-5)
        for name in ("w", "b"):
            row, expected = together.params[name][i], alone.params[name]
            np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-5)


def test_a_rate_that_diverges_leaves_the_others_alone():
    wild = sweep(optimizers.sgd, [0.02, 1e30, 0.05], epochs=5)
    assert np.isnan(wild.curves["train"][1, -1])
    assert not np.isfinite(wild.params["w"][1]).any()
    calm = sweep(optimizers.sgd, [0.02, 0.05], epochs=5)
    np.testing.assert_allclose(
        wild.curves["train"][[0, 2]], calm.curves["train"], rtol=1e-5
    )
    assert np.isfinite(wild.curves["train"][[0, 2]]).all()


def test_a_rate_of_zero_stays_and_larger_ones_learn():
    result = sweep()
    np.testing.assert_array_equal(result.params["w"][0], START["w"])
    assert result.curves["train"][2, -1] < 0.5 * result.curves["train"][0, -1]
    assert set(result.curves) == {"train"}
    assert result.params["b"].shape == (3,)


def test_one_compilation_for_all_rates_and_epochs():
    traces = []

    def make(rate):
        traces.append(1)
        return optimizers.sgd(rate)

    sweep(make, epochs=1)
    once = len(traces)
    sweep(make, epochs=3)
    assert len(traces) == once + 1, "one more init, and no more tracing of the epoch"


def test_a_state_of_python_numbers_compiles_once_as_well():
    """The first update gives an array, whose type is no longer weak."""
    traces = []

    def make(rate):
        def update(grads, state, params=None):
            traces.append(1)
            return jax.tree.map(lambda g: -rate * g, grads), state + jnp.float32(1)

        return optimizers.Optimizer(lambda params: 0.0, update)

    sweep(make, epochs=1)
    once = len(traces)
    sweep(make, epochs=3)
    assert len(traces) == once


@pytest.mark.parametrize(("held_out", "size"), [(9, 4), (3, 3)])
def test_validation_goes_in_batches_no_larger_than_asked_for(held_out, size):
    sizes = set()

    def loss(params, batch, key=None):
        if key is None:
            sizes.add(len(batch[0]))
        return squares(params, batch)

    validation = (X[:held_out], Y[:held_out])
    arguments = {"key": KEY, "epochs": 1, "batch_size": 4, "validation": validation}
    training.sweep(loss, START, (X, Y), optimizers.sgd, RATES, **arguments)
    assert sizes == {size}


def test_progress_counts_the_epochs(monkeypatch):
    error = io.StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    sweep(optimizers.sgd, epochs=3, progress=True)
    shown = error.getvalue().split("\r")
    assert "0/3" in shown[1]
    assert "3/3" in shown[-1]
    sweep(optimizers.sgd, epochs=3)
    assert error.getvalue().split("\r") == shown


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rates": 0.1}, r"rates of shape \(R,\), got \(\)"),
        ({"rates": []}, r"rates of shape \(R,\), got \(0,\)"),
        ({"rates": [[0.1]]}, r"rates of shape \(R,\), got \(1, 1\)"),
        ({"rates": [0.1, -0.5]}, r"finite rates of 0 or more, got \[0.1\d*, -0.5\]"),
        ({"rates": [np.nan]}, "finite rates of 0 or more"),
        ({"rates": [np.inf]}, "finite rates of 0 or more"),
        ({"epochs": 0}, "epochs to be a whole number over 0, got 0"),
        ({"batch_size": 12}, "batch_size <= 11 examples, got 12"),
        ({"key": 5}, "a key from jax.random.key, got 5"),
        ({"validation": (X, Y[:3])}, "validation data of equal length"),
    ],
)
def test_arguments_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        sweep(**changes)
