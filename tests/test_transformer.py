"""Blocks against their parts, models against leaks, counts against formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from perturb import moved

from lessons import transformer
from lessons.activations import gelu, relu
from lessons.attention import multi_head, multi_head_init, sinusoidal
from lessons.dnn import embedding_init, glorot_uniform
from lessons.masks import causal_mask, length_mask
from lessons.norms import layer_norm

KEY = jax.random.key(0)
V, D, HEADS, LAYERS = 7, 8, 2, 2


def stack(cross=False):
    return moved(transformer.stack_init(KEY, V, D, HEADS, LAYERS, cross=cross))


def ids(seed, *shape):
    return jax.random.randint(jax.random.key(seed), shape, 0, V)


def size(tree):
    return sum(p.size for p in jax.tree.leaves(tree))


def close(a, b, atol=2e-5):
    np.testing.assert_allclose(a, b, atol=atol)


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_norms_stand_where_their_names_say():
    params = moved({"scale": jnp.ones(D), "shift": jnp.zeros(D)})
    x = 3 * jax.random.normal(KEY, (2, 3, D))
    close(transformer.pre_norm(params, jnp.sin, x), x + jnp.sin(layer_norm(params, x)))
    close(transformer.post_norm(params, jnp.sin, x), layer_norm(params, x + jnp.sin(x)))


@pytest.mark.parametrize("activation", [None, relu])
def test_feed_forward_is_the_same_at_every_position(activation):
    params = moved(transformer.feed_forward_init(KEY, D, 12))
    x = jax.random.normal(KEY, (2, 3, D))
    up, down = params["up"], params["down"]
    act = activation or gelu
    want = act(x @ up["w"] + up["b"]) @ down["w"] + down["b"]
    got = transformer.feed_forward(params, x, *([activation] if activation else []))
    close(got, want)


def test_feed_forward_init_draws_both_layers():
    params = transformer.feed_forward_init(KEY, D, 12)
    up, down = jax.random.split(KEY)
    np.testing.assert_array_equal(params["up"]["w"], glorot_uniform(up, D, 12))
    np.testing.assert_array_equal(params["down"]["w"], glorot_uniform(down, 12, D))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rotate": True},
        {"activation": relu},
        {"residual": transformer.post_norm},
    ],
)
@pytest.mark.parametrize("cross", [False, True])
def test_block_equals_its_parts(options, cross):
    params = moved(transformer.block_init(KEY, D, HEADS, 12, cross))
    x, context = jax.random.normal(KEY, (2, 2, 4, D))
    mask = causal_mask(4)
    seen = length_mask(jnp.array([4, 2]), 4)[:, None, None]
    norm = options.get("residual", transformer.pre_norm)
    act, rotate = options.get("activation", gelu), options.get("rotate", False)
    attend = params["attention"]
    h = norm(
        params["norm1"], lambda h: multi_head(attend, h, mask=mask, rotate=rotate), x
    )
    if cross:
        look = lambda h: multi_head(params["cross"], h, context, seen)  # noqa: E731
        h = norm(params["norm_cross"], look, h)
    ff = params["feed_forward"]
    want = norm(params["norm2"], lambda h: transformer.feed_forward(ff, h, act), h)
    extra = (context, seen) if cross else ()
    close(transformer.block(params, x, mask, *extra, **options), want)


def test_block_init_gives_each_part_its_own_key():
    params = transformer.block_init(KEY, D, HEADS, 12, cross=True)
    assert set(params) == {
        "norm1",
        "attention",
        "norm_cross",
        "cross",
        "norm2",
        "feed_forward",
    }
    keys = jax.random.split(KEY, 3)
    same(params["attention"], multi_head_init(keys[0], D, HEADS))
    same(params["feed_forward"], transformer.feed_forward_init(keys[1], D, 12))
    same(params["cross"], multi_head_init(keys[2], D, HEADS))
    for name in ("norm1", "norm_cross", "norm2"):
        same(params[name], {"scale": jnp.ones(D), "shift": jnp.zeros(D)})
    assert "cross" not in transformer.block_init(KEY, D, HEADS, 12)


@pytest.mark.parametrize("cross", [False, True])
def test_parameter_count_equals_the_formula(cross):
    params = transformer.stack_init(KEY, V, D, HEADS, LAYERS, cross=cross)
    attention, norm = 4 * D * (D + 1), 2 * D
    feed = D * 4 * D + 4 * D + 4 * D * D + D
    layer = (attention + norm) * (2 if cross else 1) + feed + norm
    assert size(params) == V * D + LAYERS * layer + norm


def test_stack_init_follows_its_sizes():
    params = transformer.stack_init(KEY, V, D, HEADS, 3, d_hidden=10)
    assert len(params["blocks"]) == 3
    assert params["blocks"][0]["feed_forward"]["up"]["w"].shape == (D, 10)
    assert params["blocks"][0]["attention"]["w_q"].shape == (D, HEADS, D // HEADS)
    first, *keys = jax.random.split(KEY, 4)
    same(params["embedding"], embedding_init(first, V, D))
    for layer, key in zip(params["blocks"], keys, strict=True):
        same(layer, transformer.block_init(key, D, HEADS, 10))
    assert params["norm"]["scale"].shape == (D,)


def test_a_sequence_is_embedded_symbol_by_symbol():
    params = transformer.stack_init(jax.random.key(0), 7, 4, heads=2, layers=1)
    table, ids = np.asarray(params["embedding"]["table"]), np.array([[3, 0], [6, 6]])
    bare = transformer.embed_sequence(params, jnp.array(ids), rotate=True)
    np.testing.assert_allclose(bare, 2 * table[ids], rtol=1e-6)  # 2 is sqrt(4)
    clocks = [[0, 1, 0, 1], [np.sin(1), np.cos(1), np.sin(0.01), np.cos(0.01)]]
    placed = transformer.embed_sequence(params, jnp.array(ids))
    np.testing.assert_allclose(placed, 2 * table[ids] + clocks, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rotate", [False, True])
def test_encode_equals_its_parts(rotate):
    params, x = stack(), ids(1, 2, 5)
    lengths = jnp.array([5, 3])
    h = params["embedding"]["table"][x] * np.sqrt(D)
    h = h if rotate else h + sinusoidal(5, D)
    mask = length_mask(lengths, 5)[:, None, None]
    for layer in params["blocks"]:
        h = transformer.block(layer, h, mask, rotate=rotate)
    want = layer_norm(params["norm"], h)
    got = transformer.encode(params, x, lengths, rotate=rotate)
    close(got, want)
    close(
        transformer.encode(params, x), transformer.encode(params, x, jnp.array([5, 5]))
    )


@pytest.mark.parametrize("rotate", [False, True])
def test_encode_of_a_padded_batch_equals_each_sequence_alone(rotate):
    params, x = stack(), ids(1, 2, 5)
    batch = transformer.encode(params, x, jnp.array([5, 3]), rotate=rotate)
    alone = transformer.encode(params, x[1:, :3], rotate=rotate)
    close(batch[1, :3], alone[0])
    other = x.at[1, 3:].set((x[1, 3:] + 1) % V)
    again = transformer.encode(params, other, jnp.array([5, 3]), rotate=rotate)
    np.testing.assert_array_equal(again[1, :3], batch[1, :3])


@pytest.mark.parametrize("rotate", [False, True])
def test_decode_never_sees_the_future(rotate):
    params, x = stack(), ids(1, 2, 6)
    whole = transformer.decode(params, x, rotate=rotate)
    for t in range(6):
        other = x.at[:, t].set((x[:, t] + 1) % V)
        changed = transformer.decode(params, other, rotate=rotate)
        np.testing.assert_array_equal(changed[:, :t], whole[:, :t])
        assert (changed[:, t] != whole[:, t]).any()
        close(
            transformer.decode(params, x[:, : t + 1], rotate=rotate), whole[:, : t + 1]
        )


def test_decode_looks_at_the_real_part_of_the_memory():
    params, x = stack(cross=True), ids(1, 2, 4)
    memory = jax.random.normal(KEY, (2, 5, D))
    lengths = jnp.array([5, 2])
    got = transformer.decode(params, x, memory, lengths)
    garbage = memory.at[1, 2:].set(99.0)
    np.testing.assert_array_equal(transformer.decode(params, x, garbage, lengths), got)
    close(transformer.decode(params, x[1:], memory[1:, :2]), got[1:])
    changed = transformer.decode(params, x, memory.at[0, 4].add(1.0), lengths)
    assert (changed[0] != got[0]).any()
    assert (changed[1] == got[1]).all()
    h = params["embedding"]["table"][x] * np.sqrt(D) + sinusoidal(4, D)
    seen = length_mask(lengths, 5)[:, None, None]
    for layer in params["blocks"]:
        h = transformer.block(layer, h, causal_mask(4), memory, seen)
    close(got, layer_norm(params["norm"], h))


def test_positions_make_order_matter():
    params, x = stack(), jnp.array([[1, 2, 3, 4]])
    order = jnp.array([2, 0, 3, 1])
    plain = transformer.encode(params, x)
    assert (
        float(abs(transformer.encode(params, x[:, order]) - plain[:, order]).max())
        > 0.1
    )


def test_logits_are_products_with_the_table():
    params, h = stack(), jax.random.normal(KEY, (2, 3, D))
    want = np.einsum("btd,vd->btv", h, params["embedding"]["table"])
    close(transformer.to_logits(params, h), want)


def test_mean_over_time_counts_real_positions_alone():
    h = jax.random.normal(KEY, (3, 4, D))
    lengths = jnp.array([4, 1, 3])
    got = transformer.mean_over_time(h, lengths)
    for i, n in enumerate([4, 1, 3]):
        close(got[i], np.asarray(h)[i, :n].mean(axis=0), atol=1e-6)
    close(transformer.mean_over_time(h), np.asarray(h).mean(axis=1), atol=1e-6)
    poisoned = transformer.mean_over_time(h.at[1, 1:].set(jnp.nan), lengths)
    np.testing.assert_array_equal(poisoned, got)


@pytest.mark.parametrize("residual", [transformer.pre_norm, transformer.post_norm])
def test_options_reach_every_block(residual):
    params, x = stack(), ids(1, 2, 4)
    h = params["embedding"]["table"][x] * np.sqrt(D) + sinusoidal(4, D)
    for layer in params["blocks"]:
        h = transformer.block(
            layer, h, causal_mask(4), residual=residual, activation=relu
        )
    got = transformer.decode(params, x, residual=residual, activation=relu)
    close(got, layer_norm(params["norm"], h))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transformer.encode(stack(), ids(1, 4)), r"shape \(B, T\), got \(4,\)"),
        (lambda: transformer.decode(stack(), ids(1, 4)), r"shape \(B, T\), got \(4,\)"),
        (
            lambda: transformer.encode(stack(), ids(1, 2, 4), jnp.array([4])),
            r"lengths of shape \(2,\), got \(1,\)",
        ),
        (
            lambda: transformer.mean_over_time(
                jnp.ones((2, 3, 4)), jnp.ones((2, 1), int)
            ),
            r"lengths of shape \(2,\), got \(2, 1\)",
        ),
        (
            lambda: transformer.decode(stack(cross=True), ids(1, 2, 4)),
            "expected a context for these parameters",
        ),
        (
            lambda: transformer.decode(stack(), ids(1, 2, 4), jnp.ones((2, 3, D))),
            "expected no context for these parameters",
        ),
        (
            lambda: transformer.stack_init(KEY, V, D, HEADS, 0),
            "layers of at least 1, got 0",
        ),
        (lambda: transformer.stack_init(KEY, V, D, 3, 1), "divisible by 3, got 8"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
