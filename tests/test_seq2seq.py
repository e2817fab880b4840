"""The encoder-decoder against its parts, against leaks, and against plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from perturb import moved
from scipy.special import log_softmax

from lessons import attention, decoding, seq2seq, transformer
from lessons.activations import relu
from lessons.masks import causal_mask
from lessons.norms import layer_norm

N_SOURCE, N_TARGET, D, HEADS = 9, 7, 8, 2


def model(layers=2, **options):
    key = jax.random.key(0)
    sizes = (N_SOURCE, N_TARGET, D, HEADS, layers)
    return moved(seq2seq.seq2seq_init(key, *sizes, **options))


def example(seed=0, batch=3, steps=5, width=6):
    rng = np.random.default_rng(seed)
    x = rng.integers(4, N_SOURCE, (batch, width))
    lengths = np.array([width, 2, 4])[:batch]
    x = np.where(np.arange(width) < lengths[:, None], x, 0)
    y = rng.integers(4, N_TARGET, (batch, steps))
    y[:, 0] = 2
    return jnp.asarray(x), jnp.asarray(lengths), jnp.asarray(y)


def close(a, b, atol=2e-5):
    np.testing.assert_allclose(a, b, atol=atol)


def test_the_sizes_are_those_of_two_stacks():
    params = seq2seq.seq2seq_init(jax.random.key(3), N_SOURCE, N_TARGET, D, HEADS, 2)
    one, two = jax.random.split(jax.random.key(3))
    encoder = transformer.stack_init(one, N_SOURCE, D, HEADS, 2)
    decoder = transformer.stack_init(two, N_TARGET, D, HEADS, 2, cross=True)
    jax.tree.map(
        np.testing.assert_array_equal, params, {"encoder": encoder, "decoder": decoder}
    )


def test_one_block_and_four_times_the_width_by_default():
    params = seq2seq.seq2seq_init(jax.random.key(0), N_SOURCE, N_TARGET, D, HEADS)
    for stack in params.values():
        [block] = stack["blocks"]
        assert block["feed_forward"]["up"]["w"].shape == (D, 4 * D)
    small = seq2seq.seq2seq_init(jax.random.key(0), 5, 5, D, HEADS, d_hidden=3)
    [block] = small["encoder"]["blocks"]
    assert block["feed_forward"]["up"]["w"].shape == (D, 3)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_scores_are_those_of_the_parts(layers):
    params, (x, lengths, y) = model(layers), example()
    memory = transformer.encode(params["encoder"], x, lengths, activation=relu)
    h = transformer.decode(params["decoder"], y, memory, lengths, activation=relu)
    want = transformer.to_logits(params["decoder"], h)
    close(seq2seq.seq2seq(params, x, lengths, y), want)
    got = seq2seq.read(params, x, lengths)
    close(got[0], memory)
    assert got[1].tolist() == lengths.tolist()


def test_no_position_sees_a_later_symbol_or_padding():
    params, (x, lengths, y) = model(), example()
    before = np.asarray(seq2seq.seq2seq(params, x, lengths, y))
    later = seq2seq.seq2seq(params, x, lengths, y.at[:, 3].set(1))
    assert (np.asarray(later)[:, :3] == before[:, :3]).all()
    assert (np.asarray(later)[:, 3:] != before[:, 3:]).any(axis=(1, 2)).all()
    filler = jnp.where(jnp.arange(6) < lengths[:, None], x, 8)
    assert (np.asarray(seq2seq.seq2seq(params, filler, lengths, y)) == before).all()
    other = seq2seq.seq2seq(params, x.at[:, 1].set(1), lengths, y)
    assert (np.asarray(other) != before).any(axis=(1, 2)).all()


def test_a_short_source_reads_as_it_does_alone():
    params, (x, lengths, y) = model(), example()
    alone = seq2seq.seq2seq(params, x[1:2, :2], lengths[1:2], y[1:2])
    close(alone, seq2seq.seq2seq(params, x, lengths, y)[1:2])


@pytest.mark.parametrize("pad", [0, 5])
def test_the_loss_is_the_mean_over_real_symbols(pad):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 4, N_TARGET))
    targets = np.array([[4, 1, 3, pad], [6, pad, pad, pad]])
    log_p = log_softmax(logits, axis=-1)
    first = -np.mean([log_p[0, t, targets[0, t]] for t in range(3)])
    want = [first, -log_p[1, 0, 6]]
    options = {} if pad == 0 else {"pad": pad}
    close(seq2seq.per_symbol(jnp.asarray(logits), targets, **options), want)


def test_padding_has_no_gradient():
    targets = jnp.array([[4, 0, 0]])
    logits = jax.random.normal(jax.random.key(0), (1, 3, N_TARGET))
    grad = jax.grad(lambda a: seq2seq.per_symbol(a, targets).sum())(logits)
    assert np.abs(grad[0, 0]).min() > 0
    assert (grad[0, 1:] == 0).all()


@pytest.mark.parametrize("t", [0, 2, 4])
def test_the_next_scores_are_those_of_that_position(t):
    params, (x, lengths, y) = model(), example()
    context = seq2seq.read(params, x, lengths)
    want = seq2seq.seq2seq(params, x, lengths, y)[:, t]
    close(seq2seq.next_logits(params, context, y, t), want)
    unknown = jnp.where(jnp.arange(5) <= t, y, 0)
    close(seq2seq.next_logits(params, context, unknown, t), want)


def test_greedy_writes_what_a_loop_writes():
    params, (x, lengths, _) = model(), example()
    context = seq2seq.read(params, x, lengths)
    got, _ = decoding.greedy(seq2seq.next_logits, params, context, steps=4)
    for b in range(len(x)):
        ids = [2]
        while len(ids) < 5 and ids[-1] != 3:
            y = jnp.array([ids])
            row = seq2seq.seq2seq(params, x[b : b + 1], lengths[b : b + 1], y)[0, -1]
            ids.append(int(row.at[jnp.array([0, 2])].set(-jnp.inf).argmax()))
        assert got[b].tolist() == ids[1:] + [0] * (5 - len(ids))


def test_the_weights_lead_to_the_scores():
    """Written out for two blocks: the second reads what the first has made."""
    params, (x, lengths, y) = model(2), example()
    got = seq2seq.cross_weights(params, x, lengths, y)
    assert got.shape == (2, 3, HEADS, 5, 6)
    close(got.sum(axis=-1), np.ones((2, 3, HEADS, 5)))
    for b, n in enumerate(lengths.tolist()):
        assert (np.asarray(got)[:, b, ..., n:] == 0).all()
    memory, _ = seq2seq.read(params, x, lengths)
    p, mask = params["decoder"], causal_mask(5)
    h = p["embedding"]["table"][y] * np.sqrt(D) + attention.sinusoidal(5, D)
    for layer, weights in zip(p["blocks"], got, strict=True):
        inner = layer_norm(layer["norm1"], h)
        h = h + attention.multi_head(layer["attention"], inner, mask=mask)
        c = layer["cross"]
        v = jnp.einsum("bsd,dhe->bhse", memory, c["w_v"]) + c["b_v"][None, :, None]
        h = h + jnp.einsum("bhts,bhse,hed->btd", weights, v, c["w_o"]) + c["b_o"]
        inner = layer_norm(layer["norm2"], h)
        h = h + transformer.feed_forward(layer["feed_forward"], inner, relu)
    want = transformer.to_logits(p, layer_norm(p["norm"], h))
    close(seq2seq.seq2seq(params, x, lengths, y), want, atol=1e-4)


@pytest.mark.parametrize("function", [seq2seq.seq2seq, seq2seq.cross_weights])
def test_shapes_that_do_not_fit_are_refused(function):
    params, (x, lengths, y) = model(1), example()
    with pytest.raises(ValueError, match=r"lengths.*\(3,\).*\(2,\)"):
        function(params, x, lengths[:2], y)
    with pytest.raises(ValueError, match="expected"):
        function(params, x, lengths, y[:2])
    with pytest.raises(ValueError, match="expected"):
        function(params, x[0], lengths, y)
    with pytest.raises(ValueError, match="expected"):
        function(params, x, lengths, y[0])


def test_lengths_may_be_a_list():
    params, (x, lengths, y) = model(1), example()
    want = seq2seq.seq2seq(params, x, lengths, y)
    close(seq2seq.seq2seq(params, x, lengths.tolist(), y), want)
    # A list would be three leaves of the context, and no row a sequence.
    assert isinstance(seq2seq.read(params, x, lengths.tolist())[1], jax.Array)
