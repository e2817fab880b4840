"""Gradients by hand against jax.grad and central differences; the check itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import activations, backprop, dnn, losses

KEY = jax.random.key(0)
PAIRS = {
    name: (getattr(activations, name), getattr(activations, f"{name}_grad"))
    for name in ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu"]
}


def network(sizes, seed=0):
    """Make a perceptron with every parameter off zero."""
    params = dnn.mlp_init(jax.random.key(seed), sizes, dnn.glorot_normal)
    keys = jax.random.split(jax.random.key(seed + 1), len(params))
    for layer, key in zip(params, keys, strict=True):
        layer["b"] = 0.5 * jax.random.normal(key, layer["b"].shape)
    return params


def problem(kind, n, n_out):
    """Return the mean loss of a batch, its delta, and targets."""
    key = jax.random.key(5)
    if kind == "mse":
        return losses.mse, backprop.mse_delta, jax.random.normal(key, (n, n_out))
    if kind == "binary":
        labels = jax.random.bernoulli(key, 0.5, (n, n_out)).astype(float)
        return losses.binary_cross_entropy, backprop.binary_cross_entropy_delta, labels
    labels = jax.random.randint(key, (n,), 0, n_out)
    return losses.cross_entropy, backprop.cross_entropy_delta, labels


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("kind", ["mse", "binary", "categorical"])
@pytest.mark.parametrize(("n", "sizes"), [(6, [4, 5, 3, 2]), (1, [4, 3]), (3, [2, 2])])
def test_gradients_by_hand_equal_autodiff(name, kind, n, sizes):
    activation, activation_grad = PAIRS[name]
    loss, delta_of, targets = problem(kind, n, sizes[-1])
    x = jax.random.normal(jax.random.key(3), (n, sizes[0]))
    params = network(sizes)
    with jax.enable_x64(True):  # leaves rounding no room to hide a wrong term
        params, x = jax.tree.map(lambda a: jnp.asarray(a, "float64"), (params, x))
        output, cache = backprop.mlp_forward(params, x, activation)
        np.testing.assert_allclose(output, dnn.mlp(params, x, activation), rtol=1e-12)
        delta = delta_of(output, targets)
        by_hand = backprop.mlp_backward(params, cache, delta, activation_grad)
        f = lambda p: loss(dnn.mlp(p, x, activation), targets).mean()  # noqa: E731
        by_jax = jax.grad(f)(params)
    assert backprop.max_relative_error(by_hand, by_jax) < 1e-12


@pytest.mark.parametrize("kind", ["mse", "binary", "categorical"])
def test_deltas_equal_autodiff(kind):
    loss, delta_of, targets = problem(kind, 4, 3)
    output = jax.random.normal(KEY, (4, 3))
    want = jax.grad(lambda z: loss(z, targets).mean())(output)
    np.testing.assert_allclose(delta_of(output, targets), want, atol=1e-7)


def test_the_cross_entropy_delta_takes_further_axes():
    logits = jax.random.normal(KEY, (4, 3, 5))
    labels = jax.random.randint(jax.random.key(1), (4, 3), 0, 5)
    want = jax.grad(lambda z: losses.cross_entropy(z, labels).mean())(logits)
    got = backprop.cross_entropy_delta(logits, labels)
    np.testing.assert_allclose(got, want, atol=1e-7)
    with pytest.raises(ValueError, match=r"labels of shape \(4, 3\), got \(4,\)"):
        backprop.cross_entropy_delta(logits, labels[:, 0])


@pytest.mark.parametrize("kind", ["mse", "binary", "categorical"])
def test_deltas_keep_the_dtype_of_the_output(kind):
    _, delta_of, targets = problem(kind, 4, 3)
    if kind != "categorical":
        targets = targets.astype(jnp.bfloat16)
    assert delta_of(jnp.ones((4, 3), jnp.bfloat16), targets).dtype == jnp.bfloat16


def test_forward_caches_inputs_and_pre_activations():
    params = network([3, 4, 2])
    x = jax.random.normal(KEY, (5, 3))
    output, cache = backprop.mlp_forward(params, x, jnp.tanh)
    assert [(a.shape, z.shape) for a, z in cache] == [
        ((5, 3), (5, 4)),
        ((5, 4), (5, 2)),
    ]
    np.testing.assert_array_equal(cache[0][0], x)
    np.testing.assert_array_equal(cache[1][0], jnp.tanh(cache[0][1]))
    np.testing.assert_array_equal(cache[1][1], output)


def test_the_check_passes_right_gradients_and_fails_wrong_ones():
    params = network([2, 3, 3, 1])
    x = jax.random.normal(KEY, (8, 2))
    y = jax.random.normal(jax.random.key(1), (8, 1))

    def f(p):
        return losses.mse(dnn.mlp(p, x, jnp.tanh), y).mean()

    grads = jax.grad(f)(params)
    assert backprop.gradient_check(f, params, grads) < 1e-5
    wrong = jax.tree.map(lambda g: g, grads)
    wrong[1]["b"] = wrong[1]["b"].at[2].multiply(1.01)
    assert 1e-4 < backprop.gradient_check(f, params, wrong) < 2e-2


def test_numerical_gradient_of_known_functions():
    x = {"a": np.array([[1.0, -2.0, 3.0]]), "b": [np.array(0.5)]}
    f = lambda p: (p["a"] ** 3).sum() + jnp.sin(p["b"][0])  # noqa: E731
    grads = backprop.numerical_grad(f, x)
    assert grads["a"].dtype == np.float64
    np.testing.assert_allclose(grads["a"], [[3, 12, 27]], rtol=1e-9)
    np.testing.assert_allclose(grads["b"][0], np.cos(0.5), rtol=1e-9)
    np.testing.assert_array_equal(x["a"], [[1.0, -2.0, 3.0]])


def test_numerical_gradient_runs_jax_in_double_precision():
    seen = []
    backprop.numerical_grad(lambda p: seen.append(p.dtype) or p.sum(), jnp.ones(2))
    assert set(seen) == {np.dtype("float64")}
    assert len(seen) == 4
    assert jnp.ones(2).dtype == np.float32


@pytest.mark.parametrize("step", [None, 0.5])
def test_numerical_gradient_uses_the_step(step):
    at = []
    kwargs = {} if step is None else {"step": step}
    backprop.numerical_grad(lambda p: at.append(float(p)) or p, 2.0, **kwargs)
    size = 1e-5 if step is None else step
    np.testing.assert_allclose(at, [2 + size, 2 - size], rtol=1e-12)


def test_max_relative_error_is_relative_to_each_array():
    reference = [jnp.array([100.0, -200.0]), jnp.array([[0.5], [0.25]])]
    tree = [jnp.array([101.0, -200.0]), jnp.array([[0.5], [0.125]])]
    assert backprop.max_relative_error(tree, reference) == 0.25
    assert backprop.max_relative_error(tree[:1], reference[:1]) == 0.005
    assert backprop.max_relative_error(reference, reference) == 0


def test_max_relative_error_at_zero_empty_and_nan():
    zero, nan = jnp.zeros(3), jnp.array([jnp.nan, 1.0])
    assert backprop.max_relative_error(jnp.array([0, -0.5, 0]), zero) == 0.5
    assert backprop.max_relative_error(zero, zero) == 0
    assert backprop.max_relative_error(jnp.zeros((0, 2)), jnp.zeros((0, 2))) == 0
    assert np.isnan(backprop.max_relative_error([nan, zero], [jnp.ones(2), zero]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p, c: backprop.mlp_forward(p, jnp.zeros(3), jnp.tanh),
            r"expected x of shape \(n, n_in\), got \(3,\)",
        ),
        (
            lambda p, c: backprop.mlp_forward([], jnp.zeros((2, 3)), jnp.tanh),
            "at least one layer, got none",
        ),
        (
            lambda p, c: backprop.mlp_backward(p, c, jnp.zeros(5), jnp.cos),
            r"expected delta of shape \(5, 2\), got \(5,\)",
        ),
        (
            lambda p, c: backprop.mse_delta(jnp.zeros((3, 1)), jnp.zeros(3)),
            r"expected targets of shape \(3, 1\), got \(3,\)",
        ),
        (
            lambda p, c: backprop.binary_cross_entropy_delta(
                jnp.zeros((3, 1)), jnp.zeros(3)
            ),
            r"expected labels of shape \(3, 1\), got \(3,\)",
        ),
        (
            lambda p, c: backprop.cross_entropy_delta(
                jnp.zeros((3, 2)), jnp.zeros((3, 1), int)
            ),
            r"expected labels of shape \(3,\), got \(3, 1\)",
        ),
        (
            lambda p, c: backprop.max_relative_error([jnp.zeros(2)], [jnp.zeros(3)]),
            r"expected an array of shape \(3,\), got \(2,\)",
        ),
        (
            lambda p, c: backprop.max_relative_error([jnp.zeros(2)], jnp.zeros(2)),
            r"expected a tree like .* got .*\[",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    params = network([3, 4, 2])
    _, cache = backprop.mlp_forward(params, jnp.ones((5, 3)), jnp.tanh)
    with pytest.raises(ValueError, match=message):
        call(params, cache)
