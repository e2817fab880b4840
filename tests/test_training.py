"""The training loop: what a step, an epoch and a whole fit must do."""

import io
import itertools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lessons import _progress, optimizers, training

KEY = jax.random.key(7)
RANDOM = np.random.default_rng(0)
X = jnp.asarray(RANDOM.normal(0.5, 1.0, (10, 3)), jnp.float32)
W = jnp.array([1.0, -2.0, 0.5])
Y = X @ W + 0.25
W0 = {"w": jnp.array([0.3, 0.1, -0.2]), "b": jnp.array(0.4)}


def squares(params, batch, key=None):
    """One squared error per example."""
    x, y = batch
    return (x @ params["w"] + params["b"] - y) ** 2


def own_number(params, ids, key=None):
    """Example i has loss params[i], so gradients show who was in which batch."""
    return params[ids]


def who_came(params, ids, key=None):
    """The loss is the example's number, so the step losses show the order."""
    return ids + 0.0 * params


def fit(loss=squares, params=W0, data=(X, Y), optimizer=None, **changes):
    arguments = {"key": KEY, "epochs": 3, "batch_size": 4, **changes}
    optimizer = optimizer or optimizers.sgd(0.05)
    return training.fit(loss, params, data, optimizer, **arguments)


def same_bits(a, b):
    leaves = itertools.zip_longest(jax.tree.leaves(a), jax.tree.leaves(b))
    return all(
        np.asarray(x).dtype == np.asarray(y).dtype
        and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for x, y in leaves
    )


# --- One step, one epoch ---------------------------------------------------------


def test_full_batches_are_gradient_descent_written_out_in_numpy():
    x, y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    w, b = np.array([0.3, 0.1, -0.2]), 0.4
    losses, norms = [], []
    for _ in range(5):
        error = x @ w + b - y
        losses.append(np.mean(error**2))
        dw, db = 2 * x.T @ error / 10, 2 * error.mean()
        norms.append(np.sqrt(dw @ dw + db**2))
        w, b = w - 0.05 * dw, b - 0.05 * db
    result = fit(epochs=5, batch_size=10)
    np.testing.assert_allclose(result.params["w"], w, rtol=1e-4)
    np.testing.assert_allclose(result.params["b"], b, rtol=1e-4)
    np.testing.assert_allclose(result.curves["train"], losses, rtol=1e-4)
    np.testing.assert_allclose(result.curves["steps"], losses, rtol=1e-4)
    np.testing.assert_allclose(result.curves["gradient_norm"], norms, rtol=1e-4)


@pytest.mark.parametrize(
    ("n", "batch_size", "shares"),
    [
        (10, 4, [0.25] * 8 + [0.5] * 2),
        (9, 4, [0.25] * 8 + [1.0]),
        (8, 4, [0.25] * 8),
        (7, 4, [0.25] * 4 + [1 / 3] * 3),
        (5, 5, [0.2] * 5),
        (5, 1, [1.0] * 5),
        (1, 1, [1.0]),
    ],
)
def test_each_example_counts_once_and_the_last_batch_is_its_own_mean(
    n, batch_size, shares
):
    result = fit(
        own_number, jnp.zeros(n), jnp.arange(n), optimizers.sgd(1.0),
        epochs=1, batch_size=batch_size,
    )  # fmt: skip
    np.testing.assert_allclose(np.sort(-result.params), np.sort(shares), rtol=1e-6)
    assert len(result.curves["steps"]) == -(-n // batch_size)


def test_every_epoch_has_an_order_of_its_own_that_the_key_decides():
    def orders(key):
        result = fit(who_came, 0.0, jnp.arange(10), key=key, epochs=4, batch_size=1)
        return result.curves["steps"].reshape(4, 10).astype(int).tolist()

    rows = orders(KEY)
    for row in rows:
        assert sorted(row) == list(range(10))
    assert len({tuple(row) for row in [*rows, range(10)]}) == 5
    assert orders(KEY) == rows
    assert orders(jax.random.key(8)) != rows


def test_the_train_curve_is_the_mean_over_examples_not_over_batches():
    result = fit(who_came, 0.0, jnp.arange(10), epochs=2, batch_size=4)
    np.testing.assert_allclose(result.curves["train"], [4.5, 4.5], rtol=1e-6)
    assert result.curves["steps"].shape == (6,)
    last = result.curves["steps"].reshape(2, 3)[:, 2]
    assert not np.allclose(last, 4.5)


def test_examples_that_fill_the_last_batch_up_are_real_ones():
    """A loss that is NaN on anything else (zeros, say) stays finite."""

    def loss(w, x, key=None):
        return w * jnp.where(x > 0, jnp.log(x), jnp.nan)

    result = fit(loss, 2.0, jnp.arange(1.0, 8.0), batch_size=4)
    assert np.isfinite(result.curves["gradient_norm"]).all()
    assert np.isfinite(result.params)


def test_the_loss_gets_a_new_key_at_every_step_and_none_in_validation():
    def loss(w, batch, key=None):
        if key is None:
            return jnp.full(len(batch), 7.0)
        return w * 0.0 + jax.random.uniform(key) + jnp.zeros(len(batch))

    result = fit(loss, 0.0, jnp.arange(10), epochs=3, validation=jnp.arange(3))
    assert len(set(result.curves["steps"].tolist())) == 9
    np.testing.assert_array_equal(result.curves["validation"], [7.0] * 3)
    assert same_bits(result, fit(loss, 0.0, jnp.arange(10), validation=jnp.arange(3)))


@pytest.mark.parametrize("build", [optimizers.adam, optax.adam])
def test_either_librarys_optimizer_fits_a_line(build):
    result = fit(optimizer=build(0.1), epochs=300)
    np.testing.assert_allclose(result.params["w"], W, atol=0.02)
    np.testing.assert_allclose(result.params["b"], 0.25, atol=0.02)
    assert result.curves["train"][-1] < 1e-3 < result.curves["train"][0]
    assert int(jax.tree.leaves(result.state)[0]) == 900, "the count of the steps"


def test_data_and_parameters_may_be_numpy_and_python_numbers():
    data = {"x": np.asarray(X), "y": [np.asarray(Y)]}

    def loss(params, batch, key=None):
        return (batch["x"] @ params[0] + params[1] - batch["y"][0]) ** 2

    result = fit(loss, [np.asarray(W0["w"]), 0.4], data)
    expected = fit()
    np.testing.assert_array_equal(result.params[0], expected.params["w"])
    np.testing.assert_array_equal(result.params[1], expected.params["b"])


def test_the_callers_parameters_are_left_alone():
    before = jax.tree.map(np.array, W0)
    fit(epochs=2)
    assert same_bits(W0, before)


def test_bfloat16_parameters_stay_bfloat16():
    params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), W0)
    result = fit(params=params, optimizer=optimizers.adam(0.05), epochs=20)
    assert {p.dtype for p in jax.tree.leaves(result.params)} == {jnp.dtype("bfloat16")}
    assert result.curves["train"][-1] < 0.5 * result.curves["train"][0]


def test_updates_of_another_type_leave_the_parameters_theirs():
    def update(grads, state, params=None):
        return jax.tree.map(lambda g: -0.05 * g.astype(jnp.float32), grads), state

    params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), W0)
    wide = optimizers.Optimizer(lambda params: (), update)
    result = fit(params=params, optimizer=wide, epochs=20)
    assert {p.dtype for p in jax.tree.leaves(result.params)} == {jnp.dtype("bfloat16")}
    assert result.curves["train"][-1] < 0.5 * result.curves["train"][0]


def test_a_raw_key_serves_as_well():
    raw = jax.random.PRNGKey(7)
    assert same_bits(fit(key=raw).params, fit(key=jax.random.wrap_key_data(raw)).params)


# --- Compilations -----------------------------------------------------------------


def test_one_compilation_per_fit_and_none_in_a_second_with_the_same_shapes():
    traces = []

    def loss(params, batch, key=None):
        traces.append("validation" if key is None else "epoch")
        return squares(params, batch)

    optimizer = optimizers.adam(optimizers.cosine_decay_schedule(0.1, 20))
    arguments = {"optimizer": optimizer, "validation": (X[:3], Y[:3])}
    start = {"w": np.zeros(3, np.float32), "b": 0.0}  # Python's 0.0 is weakly typed.
    before = training.compiled_epoch._cache_size()
    fit(loss, start, epochs=1, **arguments)
    once = list(traces)
    assert training.compiled_epoch._cache_size() == before + 1
    fit(loss, start, epochs=6, **arguments)
    other = {"w": X[0], "b": jnp.float32(2.0)}
    fit(loss, other, (X + 1, Y), key=jax.random.key(1), epochs=2, **arguments)
    assert traces == once
    assert training.compiled_epoch._cache_size() == before + 1
    assert once.count("epoch") <= 2


# --- Validation, metrics, early stopping --------------------------------------------


def test_validation_and_metrics_are_means_over_all_held_out_examples():
    held_out = (X[:7] + 1.0, Y[:7])

    def distance(params, batch):
        return jnp.abs(batch[0] @ params["w"] + params["b"] - batch[1])

    result = fit(epochs=2, validation=held_out, metrics={"distance": distance})
    errors = held_out[0] @ result.params["w"] + result.params["b"] - held_out[1]
    assert result.curves["validation"].shape == (2,)
    assert result.curves["validation"][1] == pytest.approx(
        float(np.mean(errors**2)), rel=1e-5
    )
    expected = float(np.mean(np.abs(errors)))
    assert result.curves["distance"][1] == pytest.approx(expected, rel=1e-5)
    assert same_bits(result.params, fit(epochs=2).params), "only watching"


# The loss in validation is a curve that the test chooses: params count the epochs.
def prescribed(values):
    table = jnp.array([9.0, *values])

    def loss(params, batch, key=None):
        if key is not None:
            return -params * jnp.ones(len(batch))
        return table[jnp.round(params).astype(int)] * jnp.ones(len(batch))

    return loss


@pytest.mark.parametrize(
    ("values", "patience", "best", "ran"),
    [
        ([5, 4, 3, 2, 1, 0], 1, 6, 6),
        ([5, 4, 6, 6, 6, 6], 2, 2, 4),
        ([5, 4, 6, 3, 6, 6], 2, 4, 6),
        ([5, 4, 6, 3, 6, 6], 1, 2, 3),
        ([5, 5, 5, 5, 5, 5], 3, 1, 4),
        ([1, 2, 3, 4, 5, 6], 9, 1, 6),
    ],
)
def test_early_stopping_gives_back_the_best(values, patience, best, ran):
    result = fit(
        prescribed(values), 0.0, jnp.arange(4), optimizers.adam(1.0, 0.0, 0.0),
        epochs=6, validation=jnp.arange(2), patience=patience,
    )  # fmt: skip
    assert (result.best_epoch, result.epochs) == (best, ran)
    assert float(result.params) == pytest.approx(best, abs=1e-4)
    assert int(result.state[0].count) == best, "the state of the same epoch"
    np.testing.assert_array_equal(result.curves["validation"], values[:ran])
    assert result.curves["train"].shape == result.curves["steps"].shape == (ran,)


def test_without_patience_the_last_parameters_come_back():
    result = fit(
        prescribed([5, 4, 6, 6]), 0.0, jnp.arange(4), optimizers.adam(1.0, 0.0, 0.0),
        epochs=4, validation=jnp.arange(2),
    )  # fmt: skip
    assert (result.best_epoch, result.epochs) == (2, 4)
    assert float(result.params) == pytest.approx(4, abs=1e-4)


def test_without_validation_there_is_no_best_epoch():
    result = fit(epochs=2)
    assert result.best_epoch is None
    assert result.epochs == 2
    assert set(result.curves) == {"train", "steps", "gradient_norm"}
    assert {curve.dtype for curve in result.curves.values()} == {np.dtype(np.float32)}


# --- NaN ----------------------------------------------------------------------------


def breaks_at(limit, value=jnp.nan):
    """The parameter counts steps; from `limit` on the loss is `value`."""

    def loss(params, batch, key=None):
        broken = jnp.where(params >= limit - 0.5, value, 0.0)
        return broken - params * jnp.ones(len(batch))

    return loss


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf, -jnp.inf])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_epoch(value):
    # Three steps an epoch: steps 0-2, 3-5, 6-8. The parameter is 7 at step 7.
    arguments = {"data": jnp.arange(10), "optimizer": optimizers.sgd(1.0)}
    message = rf"in epoch 3 the loss is {float(value)} at step 2"
    with pytest.raises(training.NonFiniteLoss, match=message) as caught:
        fit(breaks_at(7, value), 0.0, epochs=9, **arguments)
    good = caught.value.fit
    assert caught.value.epoch == 3
    assert str(caught.value).endswith("; this error's .fit is the state before it")
    assert str(caught.value).startswith("in epoch 3")
    assert good.epochs == 2
    assert float(good.params) == pytest.approx(6.0)
    assert good.curves["train"].shape == (2,)
    assert isinstance(caught.value, ArithmeticError)
    assert same_bits(good, fit(breaks_at(7, value), 0.0, epochs=2, **arguments))


def test_nan_in_the_first_epoch_leaves_the_start():
    with pytest.raises(training.NonFiniteLoss, match=r"epoch 1 .* step 1;") as caught:
        fit(breaks_at(0), 0.0, jnp.arange(10))
    assert float(caught.value.fit.params) == 0.0
    assert caught.value.fit.epochs == 0
    assert caught.value.fit.best_epoch is None


def test_a_parameter_that_breaks_in_the_last_step_is_noticed():
    """The loss is finite and its slope is not: sqrt at zero."""

    def loss(params, batch, key=None):
        return jnp.sqrt(params) * jnp.ones(len(batch))

    with pytest.raises(training.NonFiniteLoss, match="epoch 1 a parameter"):
        fit(loss, 0.0, jnp.arange(4))


def test_nan_in_validation_is_noticed():
    held_out = (X[:2].at[0, 0].set(jnp.nan), Y[:2])
    with pytest.raises(training.NonFiniteLoss, match="validation loss is nan"):
        fit(validation=held_out)


def test_with_patience_the_error_carries_the_best_so_far():
    loss = prescribed([5, 6, 7, np.nan])
    with pytest.raises(training.NonFiniteLoss) as caught:
        fit(
            loss, 0.0, jnp.arange(4), optimizers.adam(1.0, 0.0, 0.0),
            epochs=6, validation=jnp.arange(2), patience=5,
        )  # fmt: skip
    good = caught.value.fit
    assert (good.best_epoch, good.epochs) == (1, 3)
    assert float(good.params) == pytest.approx(1.0, abs=1e-4)


# --- Arguments that cannot work ------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": ()}, r"leading axis, got shapes \[\]"),
        ({"data": (X, 3.0)}, r"leading axis, got shapes \[\(10, 3\), \(\)\]"),
        ({"data": (X[:0], Y[:0])}, "an example or more"),
        ({"data": (X, Y[:9])}, r"equal length, got shapes \[\(10, 3\), \(9,\)\]"),
        ({"batch_size": 11}, "batch_size <= 10 examples, got 11"),
        ({"batch_size": 0}, "batch_size to be a whole number over 0, got 0"),
        ({"batch_size": 2.0}, "batch_size to be a whole number over 0, got 2.0"),
        ({"epochs": 0}, "epochs to be a whole number over 0, got 0"),
        ({"epochs": -1}, "epochs to be a whole number over 0, got -1"),
        ({"key": 0}, "a key from jax.random.key, got 0"),
        ({"key": jnp.zeros(2)}, "a key from jax.random.key"),
        ({"key": jnp.zeros(3, jnp.uint32)}, "a key from jax.random.key"),
        ({"patience": 2}, "validation data for patience"),
        ({"patience": 0, "validation": (X, Y)}, "patience to be a whole .* got 0"),
        ({"metrics": {"a": squares}}, "validation data for the metrics"),
        ({"validation": (X, Y[:9])}, "validation data of equal length"),
        ({"validation": (X[:0], Y[:0])}, "validation data with an example"),
        (
            {"validation": (X, Y), "metrics": {"train": squares}},
            r"other names for metrics than \['train'\]",
        ),
    ],
)
def test_arguments_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        fit(**changes)


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        (lambda p, b, key=None: squares(p, b).mean(), r"\(\)"),
        (lambda p, b, key=None: squares(p, b)[:, None], r"\(4, 1\)"),
        (lambda p, b, key=None: squares(p, b)[:3], r"\(3,\)"),
    ],
)
def test_a_loss_of_another_shape_is_refused(loss, shape):
    message = rf"expected the loss to return one number .*shape \(4,\), got {shape}"
    with pytest.raises(ValueError, match=message):
        fit(loss)


def test_the_smallest_numbers_are_accepted():
    result = fit(
        data=(X[:1], Y[:1]), epochs=1, batch_size=1, validation=(X[:1], Y[:1]),
        patience=1,
    )  # fmt: skip
    assert result.epochs == 1


def test_numpy_integers_are_numbers_too():
    assert fit(epochs=np.int64(2), batch_size=np.int32(10)).epochs == 2


# --- Progress ------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """Yes."""
        return True


@pytest.mark.parametrize(
    ("progress", "stream", "shown"),
    [
        (None, io.StringIO, False),
        (False, Terminal, False),
        (True, io.StringIO, True),
        (True, Terminal, True),
    ],
)
def test_progress_is_written_to_the_error_stream_alone(
    progress, stream, shown, monkeypatch, capsys
):
    error = stream()
    monkeypatch.setattr(sys, "stderr", error)
    result = fit(epochs=2, validation=(X, Y), progress=progress)
    text = error.getvalue()
    assert capsys.readouterr().out == ""
    assert bool(text) == shown
    if shown:
        assert "2/2" in text
        for name in ("train", "validation"):
            for loss in result.curves[name]:
                assert f"{name}={loss:.4f}" in text


@pytest.mark.parametrize(
    ("terminal", "notebook", "word", "shown"),
    [
        (True, False, None, True),
        (False, True, None, True),
        (False, False, None, False),
        (True, False, "0", True),
        (False, True, "", True),
        (True, False, "1", False),
        (False, True, "1", False),
    ],
)
def test_without_a_word_a_bar_is_shown_where_somebody_watches(
    terminal, notebook, word, shown, monkeypatch
):
    """Unless the environment says no: tqdm's bar for notebooks does not ask it."""
    given = {}
    monkeypatch.setattr(_progress, "tqdm", lambda **words: given.update(words))
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if word is not None:
        monkeypatch.setenv("TQDM_DISABLE", word)
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", object())
    _progress.progress_bar(5, 2, None)
    expected = {"total": 5, "initial": 2, "unit": "epoch", "disable": not shown}
    assert given == expected
