"""Activations against float64 formulas, finite differences, JAX and their limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from lessons import activations

NAMES = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu"]
ORACLES = {
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
}
SMOOTH = np.array([-9.0, -4.2, -1.3, -0.4, -0.01, 0.02, 0.3, 1.1, 3.7, 8.0])
EXTREMES = [0.0, 1e-8, -1e-8, 90.0, -90.0, 1e3, -1e3, 3e38, -3e38, np.inf, -np.inf]
#              value at -inf, 0, inf           derivative at -inf, 0, inf
LIMITS = {
    "sigmoid": ([0, 0.5, 1], [0, 0.25, 0]),
    "tanh": ([-1, 0, 1], [0, 1, 0]),
    "relu": ([0, 0, np.inf], [0, 0, 1]),
    "leaky_relu": ([-np.inf, 0, np.inf], [0.01, 1, 1]),
    "elu": ([-1, 0, np.inf], [0, 1, 1]),
    "gelu": ([0, 0, np.inf], [0, 0.5, 1]),
    "silu": ([0, 0, np.inf], [0, 0.5, 1]),
}


def pair(name):
    """Return an activation and its derivative by hand."""
    return getattr(activations, name), getattr(activations, f"{name}_grad")


def autodiff(f, x):
    """Differentiate f at each element of x by jax.grad."""
    return jax.vmap(jax.grad(f))(x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("dtype", "rtol", "atol"),
    # eight bits of mantissa: rounding x / sqrt(2) alone moves gelu's far tail by 13 %
    [("float32", 2e-5, 1e-37), ("bfloat16", 2e-2, 1e-5)],
)
def test_values_equal_the_float64_formula(name, dtype, rtol, atol):
    x = jnp.asarray(SMOOTH, dtype)
    exact = ORACLES[name](np.asarray(x, np.float64))
    got = pair(name)[0](x)
    assert got.dtype == x.dtype
    np.testing.assert_allclose(np.asarray(got, np.float64), exact, rtol, atol)


@pytest.mark.parametrize("name", NAMES)
def test_derivative_equals_central_differences_in_float64(name):
    step = 1e-6
    f = ORACLES[name]
    slope = (f(SMOOTH + step) - f(SMOOTH - step)) / (2 * step)
    got = pair(name)[1](jnp.asarray(SMOOTH, jnp.float32))
    np.testing.assert_allclose(got, slope, rtol=2e-5, atol=2e-7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_hand_derivative_equals_autodiff_and_neither_is_nan(name, dtype):
    f, f_grad = pair(name)
    x = jnp.concatenate([jnp.linspace(-30, 30, 601), jnp.array(EXTREMES)]).astype(dtype)
    by_hand, by_jax = f_grad(x), autodiff(f, x)
    assert by_hand.dtype == by_jax.dtype == x.dtype
    assert not jnp.isnan(f(x)).any()
    tolerance = 1e-6 if dtype == "float32" else 2e-2
    np.testing.assert_allclose(
        np.asarray(by_hand, float), np.asarray(by_jax, float), atol=tolerance
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_limits_and_kinks(name, dtype):
    f, f_grad = pair(name)
    x = jnp.array([-jnp.inf, 0, jnp.inf], dtype)
    values, slopes = (jnp.array(row, dtype) for row in LIMITS[name])
    np.testing.assert_array_equal(f(x), values)
    np.testing.assert_array_equal(f_grad(x), slopes)
    np.testing.assert_array_equal(autodiff(f, x), slopes)


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_not_hidden(name):
    f, f_grad = pair(name)
    assert jnp.isnan(f(jnp.nan))
    assert jnp.isnan(f_grad(jnp.nan))


@pytest.mark.parametrize("name", NAMES)
def test_integers_become_floats_and_shapes_stay(name):
    f, f_grad = pair(name)
    x = jnp.array([[-2, 0, 1], [3, -1, 2]])
    for g in (f, f_grad):
        assert g(x).shape == (2, 3)
        np.testing.assert_allclose(g(x), g(x.astype(float)))


@pytest.mark.parametrize("name", NAMES)
def test_negative_tails_keep_relative_precision(name):
    x = np.array([-14.0, -30.0, -60.0]) if name != "gelu" else np.array([-4.0, -6, -9])
    got = pair(name)[0](jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, ORACLES[name](x), rtol=5e-5)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_derivative_keeps_precision_where_the_value_saturates(name):
    exact = {"sigmoid": lambda x: np.exp(-x), "tanh": lambda x: 4 * np.exp(-2 * x)}
    x = np.array([20.0, 30.0])
    got = pair(name)[1](jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, exact[name](x), rtol=1e-5)


def test_slope_and_alpha_are_used():
    x = jnp.array([-2.0, -0.5, 0.0, 4.0])
    left = np.array([-2.0, -0.5])
    leaky = activations.leaky_relu(x, slope=0.3)
    np.testing.assert_allclose(leaky, [-0.6, -0.15, 0, 4], rtol=1e-6)
    leaky_slope = activations.leaky_relu_grad(x, slope=0.3)
    np.testing.assert_allclose(leaky_slope, [0.3, 0.3, 1, 1], rtol=1e-6)
    elu = activations.elu(x, alpha=1.7)
    np.testing.assert_allclose(elu, [*(1.7 * np.expm1(left)), 0, 4], rtol=1e-6)
    elu_slope = activations.elu_grad(x, alpha=1.7)
    np.testing.assert_allclose(elu_slope, [*(1.7 * np.exp(left)), 1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("sigmoid", jax.nn.sigmoid),
        ("relu", jax.nn.relu),
        ("leaky_relu", jax.nn.leaky_relu),
        ("elu", jax.nn.elu),
        ("gelu", lambda x: jax.nn.gelu(x, approximate=False)),
        ("silu", jax.nn.silu),
    ],
)
def test_values_equal_those_of_jax(name, other):
    x = jnp.linspace(-20, 20, 401)
    np.testing.assert_allclose(pair(name)[0](x), other(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_along_each_axis(name, axis):
    x = jax.random.normal(jax.random.key(0), (3, 4, 5)) * 7
    ours, other = getattr(activations, name), getattr(special, name)
    exact = other(np.asarray(x, np.float64), axis=axis)
    np.testing.assert_allclose(ours(x, axis=axis), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_works_on_the_last_axis_by_default(name):
    x = jax.random.normal(jax.random.key(1), (3, 5))
    f = getattr(activations, name)
    np.testing.assert_array_equal(f(x), f(x, axis=-1))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_softmax_of_extreme_scores_and_its_gradient_are_finite(dtype):
    x = jnp.array([1e4, -1e4, 1e4, -jnp.inf], dtype)
    np.testing.assert_array_equal(activations.softmax(x), jnp.array([0.5, 0, 0.5, 0]))
    log_p = activations.log_softmax(x)
    assert log_p.dtype == x.dtype
    np.testing.assert_allclose(np.asarray(log_p[:3], float), [-0.69, -2e4, -0.69], 2e-2)
    pull_back = jax.grad(lambda z: activations.softmax(z)[0])(x)
    np.testing.assert_allclose(np.asarray(pull_back, float), [0.25, 0, -0.25, 0])
    pull_log = jax.grad(lambda z: activations.log_softmax(z)[1])(x)
    np.testing.assert_allclose(np.asarray(pull_log, float), [-0.5, 1, -0.5, 0])


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_ignores_a_constant(name):
    f = getattr(activations, name)
    x = jnp.array([0.5, -1.25, 2.0])
    np.testing.assert_array_equal(f(x + 64), f(x))


def test_softmax_gradient_equals_jax():
    x = jax.random.normal(jax.random.key(2), (6,))
    weights = jnp.arange(1.0, 7.0)
    for name in ("softmax", "log_softmax"):
        ours, other = getattr(activations, name), getattr(jax.nn, name)
        got = jax.grad(lambda z, f=ours: weights @ f(z))(x)
        want = jax.grad(lambda z, f=other: weights @ f(z))(x)
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_softmax_jacobian_equals_autodiff():
    x = jax.random.normal(jax.random.key(3), (5,))
    by_hand = activations.softmax_jacobian(x)
    by_jax = jax.jacfwd(jax.nn.softmax)(x)
    np.testing.assert_allclose(by_hand, by_jax, atol=1e-7)
    np.testing.assert_allclose(by_hand.sum(axis=1), np.zeros(5), atol=1e-7)


def test_softmax_jacobian_refuses_a_batch():
    with pytest.raises(ValueError, match=r"expected scores of shape \(K,\).*\(2, 3\)"):
        activations.softmax_jacobian(jnp.zeros((2, 3)))


def test_softmax_jacobian_refuses_a_number():
    with pytest.raises(ValueError, match=r"scores of shape \(K,\), got \(\)"):
        activations.softmax_jacobian(3.0)


def test_softmax_jacobian_takes_whole_numbers():
    by_hand = activations.softmax_jacobian(np.array([2, 0, 1]))
    expected = activations.softmax_jacobian(jnp.array([2.0, 0.0, 1.0]))
    np.testing.assert_array_equal(by_hand, expected)
