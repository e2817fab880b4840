"""Attention against NumPy loops; masks by perturbation; positions by their algebra."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from lessons import attention
from lessons.dnn import glorot_uniform
from lessons.masks import causal_mask, length_mask

KEY = jax.random.key(0)
B, T, S, D, HEADS = 2, 3, 5, 6, 2


def drawn(d_model=D, heads=HEADS):
    """Make multi-head parameters with every number off its starting value."""
    leaves, tree = jax.tree.flatten(attention.multi_head_init(KEY, d_model, heads))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noise = [jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)]
    return tree.unflatten([p + 0.5 * n for p, n in zip(leaves, noise, strict=True)])


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def by_loops(params, x, context, mask=None, turn=lambda a: a):
    """Multi-head attention one head and one query at a time, in float64."""
    p = {k: np.asarray(v, np.float64) for k, v in params.items()}
    x, context = np.asarray(x, np.float64), np.asarray(context, np.float64)
    heads, d_head = p["b_q"].shape
    out = np.zeros(x.shape) + p["b_o"]
    weights = np.zeros((len(x), heads, x.shape[1], context.shape[1]))
    for b, head in np.ndindex(len(x), heads):
        q, k, v = (
            s @ p[f"w_{name}"][:, head] + p[f"b_{name}"][head]
            for name, s in zip("qkv", (x[b], context[b], context[b]), strict=True)
        )
        q, k = turn(q), turn(k)
        for t in range(x.shape[1]):
            scores = np.array([q[t] @ row for row in k]) / np.sqrt(d_head)
            if mask is not None:
                scores = np.where(mask[b, t], scores, -np.inf)
            weights[b, head, t] = softmax(scores)
            out[b, t] += weights[b, head, t] @ v @ p["w_o"][head]
    return out, weights


@pytest.mark.parametrize("lead", [(), (2,), (2, 4)])
def test_weights_equal_the_definition(lead):
    q, k, v = normal(1, *lead, T, 4), normal(2, *lead, S, 4), normal(3, *lead, S, 7)
    scores = np.einsum("...td,...sd->...ts", q, k) / 2
    want = softmax(np.asarray(scores, np.float64), axis=-1)
    np.testing.assert_allclose(attention.attention_weights(q, k), want, atol=1e-6)
    got = attention.attention(q, k, v)
    assert got.shape == (*lead, T, 7)
    np.testing.assert_allclose(got, want @ np.asarray(v), atol=1e-5)


def test_masked_keys_get_nothing_and_the_rest_share_one():
    q, k = normal(1, B, T, 4), normal(2, B, S, 4)
    mask = jnp.arange(S) < jnp.array([[[2]], [[5]]])
    weights = attention.attention_weights(q, k, mask)
    assert (weights[0, :, 2:] == 0).all()
    assert (weights[1] > 0).all()
    np.testing.assert_allclose(weights.sum(-1), np.ones((B, T)), atol=1e-6)
    short = attention.attention_weights(q[:1], k[:1, :2])
    np.testing.assert_allclose(weights[:1, :, :2], short, atol=1e-6)


def test_a_query_that_may_look_nowhere_gets_zeros_and_a_finite_gradient():
    q, k = normal(1, T, 4), normal(2, S, 4)
    mask = jnp.ones((T, S), bool).at[1].set(False)
    weights = attention.attention_weights(q, k, mask)
    assert (weights[1] == 0).all()
    assert (weights[0] > 0).all()
    for argument in (0, 1):
        slope = jax.grad(
            lambda q, k: (attention.attention_weights(q, k, mask) ** 2).sum(), argument
        )(q, k)
        assert jnp.isfinite(slope).all()
        assert (slope != 0).any()


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_extreme_scores_stay_finite(size):
    q, k = jnp.full((1, 4), size), jnp.array([[1.0] * 4, [-1.0] * 4])
    weights = attention.attention_weights(q, k)
    np.testing.assert_array_equal(weights, [[1, 0]] if size > 0 else [[0, 1]])
    slope = jax.grad(lambda q: attention.attention_weights(q, k)[0, 0])(q)
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_self_attention_equals_loops(rotate, masked):
    params, x = drawn(8), normal(4, B, T, 8)
    mask = causal_mask(T) if masked else None
    loops = np.broadcast_to(causal_mask(T), (B, T, T)) if masked else None
    turn = (lambda a: np.asarray(attention.rotary(jnp.asarray(a)))) if rotate else None
    want, weights = by_loops(params, x, x, loops, *([turn] if rotate else []))
    got = attention.multi_head(params, x, mask=mask, rotate=rotate)
    np.testing.assert_allclose(got, want, atol=5e-5)
    shown = attention.multi_head_weights(params, x, mask=mask, rotate=rotate)
    np.testing.assert_allclose(shown, weights, atol=5e-6)


def test_cross_attention_equals_loops():
    params, x, context = drawn(), normal(4, B, T, D), normal(5, B, S, D)
    lengths = jnp.array([5, 2])
    mask = length_mask(lengths, S)
    loops = np.broadcast_to(np.asarray(mask)[:, None], (B, T, S))
    want, weights = by_loops(params, x, context, loops)
    got = attention.multi_head(params, x, context, mask[:, None, None])
    np.testing.assert_allclose(got, want, atol=5e-5)
    shown = attention.multi_head_weights(params, x, context, mask[:, None, None])
    np.testing.assert_allclose(shown, weights, atol=5e-6)


def test_rotation_is_off_unless_asked_for():
    params, x = drawn(8), normal(4, B, T, 8)
    plain = attention.multi_head(params, x)
    np.testing.assert_array_equal(plain, attention.multi_head(params, x, rotate=False))
    weights = attention.multi_head_weights(params, x)
    turned = attention.multi_head_weights(params, x, rotate=True)
    assert float(abs(weights - turned).max()) > 0.01


def test_nothing_leaks_from_the_future_or_from_padding():
    params, x = drawn(), normal(4, B, S, D)
    mask = causal_mask(S) & length_mask(jnp.array([5, 3]), S)[:, None, None]
    jacobian = jax.jacrev(lambda x: attention.multi_head(params, x, mask=mask))(x)
    reach = abs(jacobian).max(axis=(2, 5))  # (B, T, B, T): which input moves which
    for b, t, other, s in np.ndindex(B, S, B, S):
        sees = b == other and s <= t and (b == 0 or s < 3)
        itself = b == other and s == t  # the query comes from there
        assert bool(reach[b, t, other, s] > 0) == (sees or itself), (b, t, other, s)


def test_attention_without_positions_ignores_order():
    params, x = drawn(), normal(4, B, S, D)
    order = jnp.array([3, 0, 4, 1, 2])
    moved = attention.multi_head(params, x[:, order])
    np.testing.assert_allclose(
        moved, attention.multi_head(params, x)[:, order], atol=1e-5
    )


def test_multi_head_init_draws_each_matrix_from_its_own_key():
    params = attention.multi_head_init(KEY, D, HEADS)
    for name, key in zip("qkvo", jax.random.split(KEY, 4), strict=True):
        flat = params[f"w_{name}"].reshape(D, D)
        np.testing.assert_array_equal(flat, glorot_uniform(key, D, D))
    assert params["w_k"].shape == (6, 2, 3)
    assert params["w_o"].shape == (2, 3, 6)
    biases = {name: params[name].shape for name in ("b_q", "b_k", "b_v", "b_o")}
    assert biases == {"b_q": (2, 3), "b_k": (2, 3), "b_v": (2, 3), "b_o": (6,)}
    assert all((params[name] == 0).all() for name in biases)
    assert sum(p.size for p in jax.tree.leaves(params)) == 4 * D * (D + 1)


@pytest.mark.parametrize(("steps", "width"), [(1, 2), (7, 4), (50, 6)])
def test_sinusoidal_equals_its_formula(steps, width):
    got = attention.sinusoidal(steps, width)
    for t, i in np.ndindex(steps, width // 2):
        angle = t / 10000 ** (2 * i / width)
        np.testing.assert_allclose(got[t, 2 * i], np.sin(angle), atol=1e-5)
        np.testing.assert_allclose(got[t, 2 * i + 1], np.cos(angle), atol=1e-5)


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_rotary_equals_a_rotation_of_each_pair(lead):
    x = normal(6, *lead, 5, 4)
    got = attention.rotary(x)
    assert got.shape == x.shape
    for t, i in np.ndindex(5, 2):
        a = t / 10000 ** (2 * i / 4)
        turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        want = np.asarray(x)[..., t, 2 * i : 2 * i + 2] @ turn.T
        np.testing.assert_allclose(got[..., t, 2 * i : 2 * i + 2], want, atol=1e-5)


def test_rotary_products_depend_on_distance_alone():
    q, k = normal(7, 8), normal(8, 8)
    turned_q = attention.rotary(jnp.tile(q, (12, 1)))
    turned_k = attention.rotary(jnp.tile(k, (12, 1)))
    scores = turned_q @ turned_k.T
    for distance in range(-11, 12):
        diagonal = jnp.diagonal(scores, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], atol=1e-4)
    assert abs(scores[0, 0] - scores[5, 0]) > 1e-2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: attention.attention_weights(jnp.ones((2, 3)), jnp.ones((2, 4))),
            "expected keys of width 3, got 4",
        ),
        (
            lambda: attention.attention(
                jnp.ones((2, 3)), jnp.ones((4, 3)), jnp.ones((5, 3))
            ),
            "expected 4 values, got 5",
        ),
        (
            lambda: attention.attention_weights(
                jnp.ones((2, 3)), jnp.ones((4, 3)), jnp.ones((2, 4))
            ),
            "expected a boolean mask, got float32",
        ),
        (
            lambda: attention.attention_weights(
                jnp.ones((2, 3)), jnp.ones((4, 3)), jnp.ones((2, 3), bool)
            ),
            r"expected a mask that fits \(2, 4\), got \(2, 3\)",
        ),
        (
            lambda: attention.attention_weights(
                jnp.ones((2, 3)), jnp.ones((4, 3)), jnp.ones((5, 2, 4), bool)
            ),
            r"expected a mask that fits \(2, 4\), got \(5, 2, 4\)",
        ),
        (lambda: attention.multi_head_init(KEY, 6, 4), "divisible by 4, got 6"),
        (lambda: attention.multi_head_init(KEY, 6, 0), "heads of at least 1, got 0"),
        (lambda: attention.multi_head_init(KEY, 0, 2), "d_model of at least 1, got 0"),
        (
            lambda: attention.multi_head(drawn(), jnp.ones((2, 6))),
            r"shapes \(B, T, d_model\) and .* got \(2, 6\) and \(2, 6\)",
        ),
        (
            lambda: attention.multi_head(
                drawn(), jnp.ones((2, 3, 6)), jnp.ones((1, 3, 6))
            ),
            r"got \(2, 3, 6\) and \(1, 3, 6\)",
        ),
        (
            lambda: attention.multi_head(
                drawn(), jnp.ones((2, 3, 6)), jnp.ones((2, 6))
            ),
            r"got \(2, 3, 6\) and \(2, 6\)",
        ),
        (
            lambda: attention.multi_head(drawn(), jnp.ones((2, 3, 5))),
            "expected sequences of width 6, got 5",
        ),
        (lambda: attention.sinusoidal(3, 5), "expected an even width, got 5"),
        (lambda: attention.sinusoidal(0, 4), "steps of at least 1, got 0"),
        (lambda: attention.sinusoidal(3, 0), "width of at least 1, got 0"),
        (lambda: attention.rotary(jnp.ones((2, 3))), "expected an even width, got 3"),
        (
            lambda: attention.rotary(jnp.ones(4)),
            r"shape \(\.\.\., T, d_head\), got \(4,\)",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


TORCH = Path(attention.__file__).parent / "datasets" / "torch_attention.npz"


def stored():
    """Return the weights, inputs and outputs that PyTorch left."""
    with np.load(TORCH) as file:
        return dict(file)


def test_weights_of_pytorch_give_pytorchs_output():
    torch = stored()
    params = attention.multi_head_from_torch(torch, 3)
    shapes = jax.tree.map(jnp.shape, attention.multi_head_init(KEY, 12, 3))
    assert jax.tree.map(jnp.shape, params) == shapes
    x, context = torch["x"], torch["context"]
    seen = length_mask(torch["lengths"], context.shape[1])[:, None, None]
    found = {
        "plain": attention.multi_head(params, x),
        "causal": attention.multi_head(params, x, mask=causal_mask(x.shape[1])),
        "cross": attention.multi_head(params, x, context, seen),
        "cross_weights": attention.multi_head_weights(params, x, context, seen),
    }
    for name, value in found.items():
        np.testing.assert_allclose(value, torch[name], atol=2e-5, err_msg=name)


def test_pytorchs_other_names_are_ignored():
    weights = stored()
    few = {name: weights[name] for name in weights if "proj" in name}
    assert len(few) == 4
    params = attention.multi_head_from_torch(few, 2)
    assert params["w_k"].shape == (12, 2, 6)


@pytest.mark.parametrize(
    ("change", "heads", "message"),
    [
        ({}, 5, "expected d_model divisible by 5, got 12"),
        ({}, 0, "heads"),
        ({"in_proj_weight": np.ones((12, 36))}, 3, r"in_proj_weight.*\(36, 12\)"),
        ({"in_proj_bias": np.ones(12)}, 3, r"in_proj_bias.*\(36,\).*\(12,\)"),
        ({"out_proj.weight": np.ones((12, 1))}, 3, r"out_proj.weight.*\(12, 12\)"),
        ({"out_proj.bias": np.ones(1)}, 3, r"out_proj.bias.*\(12,\).*\(1,\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, heads, message):
    with pytest.raises(ValueError, match=message):
        attention.multi_head_from_torch(stored() | change, heads)
