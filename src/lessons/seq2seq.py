"""Sequence to sequence: an encoder that reads, a decoder that writes.

The model of the 2017 paper, with its ReLU, but with norms before the sublayers, and
with a table for each side where the paper shares one. Ids are those of
``lessons.text``: padding on the right, and every answer between its start and its end
symbol.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lessons._checks import check_shape
from lessons.activations import relu
from lessons.attention import multi_head, multi_head_weights
from lessons.losses import cross_entropy
from lessons.masks import causal_mask, length_mask
from lessons.norms import layer_norm
from lessons.transformer import (
    block,
    decode,
    embed_sequence,
    encode,
    pre_norm,
    stack_init,
    to_logits,
)

Tree = dict[str, Any]
Context = tuple[Array, Array]


def seq2seq_init(
    key: Array,
    n_source: int,
    n_target: int,
    d_model: int,
    heads: int,
    layers: int = 1,
    d_hidden: int | None = None,
) -> Tree:
    """Make the parameters of an encoder and of a decoder that looks at it.

    Parameters
    ----------
    key : JAX random key
    n_source, n_target : int
        Number of symbols that are read and that are written.
    d_model, heads, layers : int
        Width, heads a block, blocks in each of the two.
    d_hidden : int, optional
        Inner width of the feed-forward layers; ``4 * d_model`` by default.

    Returns
    -------
    dict
        ``encoder`` and ``decoder``, as made by ``transformer.stack_init``. Each has a
        table of its own, since source and answer have different vocabularies.

    Raises
    ------
    ValueError
        If a size is below 1 or ``heads`` does not divide ``d_model``.

    Notes
    -----
    Built in chapter 09b.

    Examples
    --------
    >>> params = seq2seq_init(jax.random.key(0), 9, 7, d_model=8, heads=2)
    >>> sorted(params["decoder"]["blocks"][0])[:3]
    ['attention', 'cross', 'feed_forward']
    """
    first, second = jax.random.split(key)
    sizes = (d_model, heads, layers, d_hidden)
    return {
        "encoder": stack_init(first, n_source, *sizes),
        "decoder": stack_init(second, n_target, *sizes, cross=True),
    }


def seq2seq(params: Tree, x: Array, lengths: Array, y: Array) -> Array:
    """Score the symbol after each one of an answer that is given (teacher forcing).

    Parameters
    ----------
    params : dict
        As made by ``seq2seq_init``.
    x : integer array of shape (B, S)
        What is read.
    lengths : integer array of shape (B,)
        Real symbols of each source, at least 1.
    y : integer array of shape (B, T)
        What is written so far, from the start symbol on.

    Returns
    -------
    array of shape (B, T, n_target)
        Position ``t`` depends on the source and on ``y[:, : t + 1]`` alone.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Vaswani et al. (2017), figure 1. Built in chapter 09b.

    Examples
    --------
    >>> params = seq2seq_init(jax.random.key(0), 9, 7, d_model=8, heads=2)
    >>> x, y = jnp.array([[4, 5, 6]]), jnp.array([[2, 4]])
    >>> seq2seq(params, x, jnp.array([3]), y).shape
    (1, 2, 7)
    """
    memory, lengths = read(params, x, lengths)
    h = decode(params["decoder"], y, memory, lengths, activation=relu)
    return to_logits(params["decoder"], h)


def per_symbol(logits: Array, targets: Array, pad: int = 0) -> Array:
    """Average the surprise at the real symbols of each answer.

    ``per_symbol[b]`` is the mean of ``cross_entropy(logits[b], targets[b])`` over the
    places where ``targets[b] != pad``.

    Parameters
    ----------
    logits : array of shape (B, T, K)
    targets : integer array of shape (B, T)
        The answers without their start symbol; each has at least one real symbol.
    pad : int
        What fills short answers up.

    Returns
    -------
    array of shape (B,)
        In nats a symbol. Each answer counts alike, the long and the short.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the targets are no integers.

    Notes
    -----
    Built in chapter 09b.

    Examples
    --------
    >>> logits = jnp.zeros((1, 3, 4)).at[0, 2].set(99.0)  # the last place is padding
    >>> round(float(per_symbol(logits, jnp.array([[1, 3, 0]]))[0]), 3)  # ln 4
    1.386
    """
    real = jnp.asarray(targets) != pad
    return (cross_entropy(logits, targets) * real).sum(axis=1) / real.sum(axis=1)


def read(params: Tree, x: Array, lengths: Array) -> Context:
    """Read sequences once, for a decoder that will look at them at every step.

    Parameters
    ----------
    params, x, lengths
        As for ``seq2seq``.

    Returns
    -------
    memory : array of shape (B, S, d_model)
    lengths : integer array of shape (B,)
        Both have one row a sequence: they are the ``context`` of ``lessons.decoding``.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Built in chapter 09b.

    Examples
    --------
    >>> params = seq2seq_init(jax.random.key(0), 9, 7, d_model=8, heads=2)
    >>> memory, _ = read(params, jnp.array([[4, 5, 6]]), jnp.array([3]))
    >>> memory.shape
    (1, 3, 8)
    """
    lengths = jnp.asarray(lengths)
    return encode(params["encoder"], x, lengths, activation=relu), lengths


def next_logits(params: Tree, context: Context, ids: Array, t: Array) -> Array:
    """Score the symbol that follows position ``t``, for ``lessons.decoding``.

    Parameters
    ----------
    params : dict
        As made by ``seq2seq_init``.
    context : (memory, lengths)
        As ``read`` returns it.
    ids : integer array of shape (B, T)
        What is written up to position ``t``; what stands to the right is not seen.
    t : int
        Position to go on from, 0 to T - 1; this is not checked.

    Returns
    -------
    array of shape (B, n_target)

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    The decoder runs over all positions again at each step; chapter 12 keeps what was
    computed. Built in chapter 09b.

    Examples
    --------
    >>> from lessons.decoding import greedy
    >>> params = seq2seq_init(jax.random.key(0), 9, 7, d_model=8, heads=2)
    >>> context = read(params, jnp.array([[4, 5, 6]]), jnp.array([3]))
    >>> greedy(next_logits, params, context, steps=5)[0].shape
    (1, 5)
    """
    memory, lengths = context
    h = decode(params["decoder"], ids, memory, lengths, activation=relu)
    here = jax.lax.dynamic_slice_in_dim(h, t, 1, axis=1)
    return to_logits(params["decoder"], here)[:, 0]


def cross_weights(params: Tree, x: Array, lengths: Array, y: Array) -> Array:
    """Return where the decoder looks while it scores an answer.

    Parameters
    ----------
    params, x, lengths, y
        As for ``seq2seq``.

    Returns
    -------
    array of shape (layers, B, heads, T, S)
        Row ``t`` belongs to the symbol that *follows* ``y[:, t]``. Rows sum to 1, and
        nothing falls on padding.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    The weights say where a head took its values from, not what the values were. Built
    in chapter 09b.

    Examples
    --------
    >>> params = seq2seq_init(jax.random.key(0), 9, 7, d_model=8, heads=2)
    >>> x, y = jnp.array([[4, 5, 6]]), jnp.array([[2, 4]])
    >>> cross_weights(params, x, jnp.array([3]), y).shape
    (1, 1, 2, 2, 3)
    """
    memory, lengths = read(params, x, lengths)
    check_shape("y", y, (len(x), y.shape[-1]))
    seen = length_mask(lengths, x.shape[1])[:, None, None]
    causal, weights = causal_mask(y.shape[1]), []
    h = embed_sequence(params["decoder"], y)
    for layer in params["decoder"]["blocks"]:
        look = partial(multi_head, layer["attention"], mask=causal)
        asked = layer_norm(layer["norm_cross"], pre_norm(layer["norm1"], look, h))
        weights.append(multi_head_weights(layer["cross"], asked, memory, seen))
        h = block(layer, h, causal, memory, seen, activation=relu)
    return jnp.stack(weights)
