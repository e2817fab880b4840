"""Back-propagation through time as written, against JAX's own through a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import sigmoid
from test_rnn import LAYERS, B, H, T, drawn, sequences

from lessons import rnn

LENGTHS = jnp.array([5, 2, 0])


def looped(name, p, x, lengths, start):
    """Read step by step in JAX, from the gate equations; give outputs and state."""
    (h, c), rows = start, []
    for t in range(x.shape[1]):
        old, real = (h, c), (t < lengths)[:, None]
        z = jnp.einsum("bd,d...->b...", x[:, t], p["w_x"]) + p["b"]
        y = jnp.einsum("bd,d...->b...", h, p["w_h"])
        if name == "rnn":
            h = jnp.tanh(z + y)
        elif name == "lstm":
            i, f, g, o = jnp.moveaxis(z + y, 1, 0)
            c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
            h = sigmoid(o) * jnp.tanh(c)
        else:
            r, u = sigmoid(z[:, 0] + y[:, 0]), sigmoid(z[:, 1] + y[:, 1])
            h = u * h + (1 - u) * jnp.tanh(z[:, 2] + r * (y[:, 2] + p["b_h"]))
        rows.append(jnp.where(real, h, 0))
        h, c = (jnp.where(real, a, b) for a, b in zip((h, c), old, strict=True))
    return jnp.stack(rows, axis=1), (h, c)


def packaged(name, p, x, lengths, start):
    """Read with the package's layer."""
    state = rnn.LstmState(*start) if name == "lstm" else start[0]
    y, state = LAYERS[name][1](p, x, lengths, state)
    return y, tuple(state) if name == "lstm" else (state, start[1])


def point(name):
    """Return parameters, inputs and a start, all off their usual values."""
    return (
        drawn(name),
        sequences(),
        tuple(jax.random.normal(jax.random.key(3), (2, B, H))),
    )


def objective(read, name, lengths):
    """Return a number that depends on every output and on the last state."""

    def value(p, x, start):
        y, state = read(name, p, x, lengths, start)
        weights = jnp.arange(1.0, y.size + 1).reshape(y.shape) / max(y.size, 1)
        return (weights * y).sum() + sum((s**2).sum() for s in state)

    return value


def close(got, want):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5), got, want
    )


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("lengths", [jnp.full(B, T), LENGTHS])
def test_every_value_and_gradient_is_that_of_the_loop(name, lengths):
    at = point(name)
    values = [objective(read, name, lengths)(*at) for read in (packaged, looped)]
    close(*values)
    ours, theirs = (
        jax.grad(objective(read, name, lengths), (0, 1, 2))(*at)
        for read in (packaged, looped)
    )
    close(ours, theirs)
    assert all(abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(ours[0]))


@pytest.mark.parametrize("name", LAYERS)
def test_without_lengths_the_gradient_is_the_same(name):
    at = point(name)
    ours = jax.grad(objective(packaged, name, None), (0, 1, 2))(*at)
    close(ours, jax.grad(objective(looped, name, jnp.full(B, T)), (0, 1, 2))(*at))


@pytest.mark.parametrize("name", LAYERS)
def test_no_steps_leave_the_state_and_no_gradient_but_that_of_the_state(name):
    params, x, start = point(name)
    value = objective(packaged, name, None)
    d_params, d_start = jax.grad(value, (0, 2))(params, x[:, :0], start)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(d_params))
    close(d_start, jax.tree.map(lambda s: 2 * s, start))


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradient_has_a_gradient(name):
    params, x, start = point(name)

    def steepness(read):
        slope = jax.grad(objective(read, name, LENGTHS))
        return lambda p: sum((g**2).sum() for g in slope(p, x, start).values())

    close(jax.grad(steepness(packaged))(params), jax.grad(steepness(looped))(params))


@pytest.mark.parametrize("name", LAYERS)
def test_networks_side_by_side_are_read_one_by_one(name):
    params, x, start = point(name)
    two = jax.tree.map(lambda a: jnp.stack([a, -a]), params)
    slope = jax.grad(objective(packaged, name, LENGTHS))
    both = jax.vmap(lambda p: slope(p, x, start))(two)
    for place in (0, 1):
        one = jax.tree.map(lambda a, place=place: a[place], (two, both))
        close(one[1], slope(one[0], x, start))


@pytest.mark.parametrize("name", LAYERS)
def test_a_gradient_has_the_type_of_its_parameter(name):
    params, x, start = point(name)
    params["w_h"] = params["w_h"].astype(jnp.bfloat16)
    slopes = jax.grad(objective(packaged, name, None))(params, x, start)
    assert {k: g.dtype for k, g in slopes.items()} == {
        k: p.dtype for k, p in params.items()
    }


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_what_the_activation_holds_can_be_trained(lengths):
    p, x, (h, _) = point("rnn")
    real = jnp.arange(T) < (jnp.full(B, T) if lengths is None else lengths)[:, None]

    def ours(a):
        y, _ = rnn.rnn(p, x, lengths, h, activation=lambda z: jnp.tanh(a * z))
        return (y**2).sum()

    def theirs(a):
        state, total = h, 0.0
        for t in range(T):
            state = jnp.tanh(a * (x[:, t] @ p["w_x"] + state @ p["w_h"] + p["b"]))
            total += (jnp.where(real[:, t, None], state, 0) ** 2).sum()
        return total

    for f in (lambda g: g, jax.jit):
        close(f(jax.value_and_grad(ours))(0.7), jax.value_and_grad(theirs)(0.7))


def test_an_activation_with_numbers_of_its_own_follows_the_type():
    p, x, (h, _) = point("rnn")
    half = jnp.array(0.5, jnp.float32)
    low = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (p, x))
    y, _ = rnn.rnn(*low, state=h, activation=lambda z: jnp.maximum(half * z, z))
    assert y.dtype == jnp.float32


def test_forward_mode_is_refused():
    params, x, _ = point("gru")
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda x: rnn.gru(params, x)[0], (x,), (x,))
