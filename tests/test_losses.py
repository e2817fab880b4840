"""Losses against NumPy in float64, Optax, finite differences and their extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special

from lessons import losses

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(7,), (1,), (5, 3), (4, 3, 2)])
def test_mse_equals_a_loop(shape):
    predictions, targets = jax.random.normal(KEY, (2, *shape))
    pairs = zip(np.asarray(predictions), np.asarray(targets), strict=True)
    want = [np.mean((p - t) ** 2) for p, t in pairs]
    got = losses.mse(predictions, targets)
    assert got.shape == (shape[0],)
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_mse_is_zero_at_a_perfect_prediction_and_its_gradient_has_the_factor_two():
    x = jnp.array([0.5, -2.0, 3.0])
    np.testing.assert_array_equal(losses.mse(x, x), np.zeros(3))
    slope = jax.grad(lambda p: losses.mse(p, jnp.zeros(3)).sum())(x)
    np.testing.assert_allclose(slope, 2 * x)


@pytest.mark.parametrize("shape", [(9,), (1,), (4, 3)])
def test_binary_cross_entropy_equals_the_definition_and_optax(shape):
    logits = 5 * jax.random.normal(KEY, shape)
    labels = jax.random.bernoulli(jax.random.key(1), 0.5, shape).astype(float)
    p = special.expit(np.asarray(logits, np.float64))
    want = -labels * np.log(p) - (1 - labels) * np.log1p(-p)
    got = losses.binary_cross_entropy(logits, labels)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    other = optax.sigmoid_binary_cross_entropy(logits, labels)
    np.testing.assert_allclose(got, other, rtol=1e-5)


def test_binary_cross_entropy_accepts_integer_and_soft_labels():
    logits = jnp.array([0.3, -1.0])
    soft = losses.binary_cross_entropy(logits, jnp.array([0.25, 0.75]))
    ends = [losses.binary_cross_entropy(logits, jnp.full(2, y)) for y in (0, 1)]
    mixed = jnp.array([0.75, 0.25]) * ends[0] + jnp.array([0.25, 0.75]) * ends[1]
    np.testing.assert_allclose(soft, mixed, rtol=1e-6)


@pytest.mark.parametrize("shape", [(6,), (1,), (4, 3)])
@pytest.mark.parametrize("classes", [2, 5])
def test_cross_entropy_equals_the_definition_and_optax(shape, classes):
    logits = 4 * jax.random.normal(KEY, (*shape, classes))
    labels = jax.random.randint(jax.random.key(2), shape, 0, classes)
    log_p = special.log_softmax(np.asarray(logits, np.float64), axis=-1)
    want = -np.take_along_axis(log_p, np.asarray(labels)[..., None], -1)[..., 0]
    got = losses.cross_entropy(logits, labels)
    assert got.shape == shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    other = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    np.testing.assert_allclose(got, other, rtol=1e-5, atol=1e-6)


def test_values_at_chance():
    binary = losses.binary_cross_entropy(jnp.zeros(3), jnp.array([0, 1, 1]))
    np.testing.assert_allclose(binary, np.log(2), rtol=1e-6)
    for k in (2, 3, 10):
        logits = jnp.full((4, k), 7.0)
        loss = losses.cross_entropy(logits, jnp.arange(4) % k)
        np.testing.assert_allclose(loss, np.log(k), rtol=1e-6)


def flushed(x):
    """Make 0 of numbers below float32's normal ones, as a CPU does and a GPU not."""
    x = np.asarray(x, float)
    return np.where(abs(x) < float(jnp.finfo("float32").tiny), 0, x)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("logit", [1e4, -1e4, 90.0, -90.0])
@pytest.mark.parametrize("label", [0, 1])
def test_extreme_logits_stay_exact_and_their_gradients_finite(dtype, logit, label):
    right = (logit > 0) == bool(label)
    size = float(jnp.asarray(abs(logit), dtype))
    one = jnp.array([logit], dtype)
    binary = losses.binary_cross_entropy(one, jnp.array([label], dtype))
    assert binary.dtype == dtype
    assert flushed(binary[0]) == (0 if right else size)
    slope = jax.grad(
        lambda z: losses.binary_cross_entropy(z, jnp.array([label], dtype)).sum()
    )(one)
    assert flushed(slope[0]) == (0 if right else np.sign(logit))
    two = jnp.array([[0, logit]], dtype)
    pair = losses.cross_entropy(two, jnp.array([label]))
    assert flushed(pair[0]) == (0 if right else size)
    pull = jax.grad(lambda z: losses.cross_entropy(z, jnp.array([label])).sum())(two)
    step = 0 if right else np.sign(logit)
    np.testing.assert_array_equal(flushed(pull), [[-step, step]])


def test_gradients_are_prediction_minus_label():
    logits = jax.random.normal(KEY, (5, 4))
    labels = jnp.array([0, 3, 2, 1, 3])
    pull = jax.grad(lambda z: losses.cross_entropy(z, labels).sum())(logits)
    want = special.softmax(np.asarray(logits), axis=-1) - np.eye(4)[labels]
    np.testing.assert_allclose(pull, want, atol=1e-6)
    z, y = logits[:, 0], jnp.array([0.0, 1, 1, 0, 1])
    pull = jax.grad(lambda z: losses.binary_cross_entropy(z, y).sum())(z)
    np.testing.assert_allclose(pull, special.expit(np.asarray(z)) - y, atol=1e-6)


def test_gradient_of_binary_cross_entropy_at_zero_is_a_half():
    f = lambda z, y: losses.binary_cross_entropy(z[None], y[None])[0]  # noqa: E731
    assert jax.grad(f)(jnp.array(0.0), jnp.array(1.0)) == -0.5
    assert jax.grad(f)(jnp.array(0.0), jnp.array(0.0)) == 0.5


def test_cross_entropy_keeps_what_large_logits_differ_by():
    small, labels = jnp.array([[0.0, 1.0, 3.0], [2.0, 0.0, 0.0]]), jnp.array([1, 2])
    got = losses.cross_entropy(2.0**20 + small, labels)
    assert (got == losses.cross_entropy(small, labels)).all()
    whole = losses.cross_entropy(small.astype(int), labels)
    assert whole.dtype == jnp.float32
    assert (whole == got).all()


@pytest.mark.parametrize("label", [-1, 3, 100])
def test_a_label_outside_the_classes_gives_nan(label):
    loss = losses.cross_entropy(jnp.zeros((2, 3)), jnp.array([label, 2]))
    assert jnp.isnan(loss[0])
    assert jnp.isfinite(loss[1])


@pytest.mark.parametrize(
    ("f", "args", "message"),
    [
        (losses.mse, ((3, 1), (3,)), r"expected targets of shape \(3, 1\), got \(3,\)"),
        (losses.mse, ((3,), (1,)), r"expected targets of shape \(3,\), got \(1,\)"),
        (losses.mse, ((), ()), r"expected predictions of shape \(n, ...\), got \(\)"),
        (
            losses.binary_cross_entropy,
            ((3, 1), (3,)),
            r"expected labels of shape \(3, 1\), got \(3,\)",
        ),
    ],
)
def test_shapes_that_differ_are_refused(f, args, message):
    with pytest.raises(ValueError, match=message):
        f(*map(jnp.zeros, args))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (jnp.zeros((4, 1)), jnp.zeros(4, int), r"K >= 2 classes, got \(4, 1\)"),
        (jnp.zeros(()), jnp.zeros((), int), r"K >= 2 classes, got \(\)"),
        (jnp.zeros((4, 3)), jnp.zeros((4, 1), int), r"shape \(4,\), got \(4, 1\)"),
        (jnp.zeros((4, 3)), jnp.zeros(5, int), r"shape \(4,\), got \(5,\)"),
        (jnp.zeros((4, 3)), jnp.zeros(4), "expected integer labels, got float32"),
    ],
)
def test_cross_entropy_refuses_what_it_cannot_mean(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        losses.cross_entropy(logits, labels)
