"""Transformers: the block, and three models made of it.

An encoder reads a sequence, a decoder writes one, and the model of the 2017 paper joins
the two by cross-attention. All are one block: masks differ, the third looks twice.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lessons._checks import check_positive_int, check_shape
from lessons.activations import gelu
from lessons.attention import multi_head, multi_head_init, sinusoidal
from lessons.dnn import Params, dense, dense_init, embed, embedding_init
from lessons.masks import causal_mask, length_mask
from lessons.norms import layer_norm, layer_norm_init

Tree = dict[str, Any]
Sublayer = Callable[[Array], Array]
Residual = Callable[[Params, Sublayer, Array], Array]


def pre_norm(params: Params, f: Sublayer, x: Array) -> Array:
    """Normalise before the sublayer; the sum itself is left alone.

    ``pre_norm(params, f, x) = x + f(layer_norm(params, x))``.

    Parameters
    ----------
    params : dict
        Of the layer norm.
    f : function of an array of the shape of x
    x : array of shape (..., d_model)

    Returns
    -------
    array of the shape of x

    Notes
    -----
    The straight path from output to input keeps gradients alive in deep stacks.
    Xiong et al. (2020). Built in chapter 09.

    Examples
    --------
    >>> x = jnp.array([[1.0, 3.0]])
    >>> pre_norm(layer_norm_init(2), jnp.zeros_like, x).tolist()
    [[1.0, 3.0]]
    """
    return x + f(layer_norm(params, x))


def post_norm(params: Params, f: Sublayer, x: Array) -> Array:
    """Normalise after the sublayer and the sum, as the 2017 paper does.

    ``post_norm(params, f, x) = layer_norm(params, x + f(x))``.

    Parameters
    ----------
    params : dict
        Of the layer norm.
    f : function of an array of the shape of x
    x : array of shape (..., d_model)

    Returns
    -------
    array of the shape of x

    Notes
    -----
    Vaswani et al. (2017), section 3.1; deep stacks need warm-up. Built in chapter 09.

    Examples
    --------
    >>> x = jnp.array([[1.0, 3.0]])
    >>> y = post_norm(layer_norm_init(2), jnp.zeros_like, x)
    >>> bool(jnp.allclose(y, jnp.array([[-1.0, 1.0]]), atol=1e-4))
    True
    """
    return layer_norm(params, x + f(x))


def feed_forward_init(key: Array, d_model: int, d_hidden: int) -> dict[str, Params]:
    """Make the parameters of the two dense layers inside a block.

    Parameters
    ----------
    key : JAX random key
    d_model, d_hidden : int
        Outer and inner width; the paper has 512 and 2048.

    Returns
    -------
    dict
        ``up`` and ``down``, dense layers.

    Notes
    -----
    Built in chapter 09.

    Examples
    --------
    >>> feed_forward_init(jax.random.key(0), 4, 16)["up"]["w"].shape
    (4, 16)
    """
    up, down = jax.random.split(key)
    return {
        "up": dense_init(up, d_model, d_hidden),
        "down": dense_init(down, d_hidden, d_model),
    }


def feed_forward(
    params: dict[str, Params],
    x: Array,
    activation: Callable[[Array], Array] = gelu,
) -> Array:
    """Apply the same two dense layers to every position.

    ``feed_forward(x) = down(activation(up(x)))``.

    Parameters
    ----------
    params : dict
        As made by ``feed_forward_init``.
    x : array of shape (..., d_model)
    activation : function
        The paper has ReLU.

    Returns
    -------
    array of the shape of x

    Notes
    -----
    Vaswani et al. (2017), equation 2. Built in chapter 09.

    Examples
    --------
    >>> params = feed_forward_init(jax.random.key(0), 4, 16)
    >>> feed_forward(params, jnp.ones((2, 3, 4))).shape
    (2, 3, 4)
    """
    flat = x.reshape(-1, x.shape[-1])  # one matrix product for all positions
    h = dense(params["down"], activation(dense(params["up"], flat)))
    return h.reshape(x.shape)


def block_init(
    key: Array, d_model: int, heads: int, d_hidden: int, cross: bool = False
) -> Tree:
    """Make the parameters of a transformer block.

    Parameters
    ----------
    key : JAX random key
    d_model, heads, d_hidden : int
        Width, number of heads, inner width of the feed-forward layers.
    cross : bool
        Whether the block also looks at another sequence.

    Returns
    -------
    dict
        ``attention``, ``feed_forward`` and their ``norm1``, ``norm2``; with ``cross``
        also ``cross`` and ``norm_cross``.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``d_model``.

    Notes
    -----
    Built in chapter 09.

    Examples
    --------
    >>> sorted(block_init(jax.random.key(0), 8, 2, 32))
    ['attention', 'feed_forward', 'norm1', 'norm2']
    """
    keys = jax.random.split(key, 3)
    params = {
        "norm1": layer_norm_init(d_model),
        "attention": multi_head_init(keys[0], d_model, heads),
        "norm2": layer_norm_init(d_model),
        "feed_forward": feed_forward_init(keys[1], d_model, d_hidden),
    }
    if cross:
        params["norm_cross"] = layer_norm_init(d_model)
        params["cross"] = multi_head_init(keys[2], d_model, heads)
    return params


def block(
    params: Tree,
    x: Array,
    mask: Array | None = None,
    context: Array | None = None,
    context_mask: Array | None = None,
    *,
    rotate: bool = False,
    activation: Callable[[Array], Array] = gelu,
    residual: Residual = pre_norm,
) -> Array:
    """Apply a transformer block: attention, then feed-forward, each added to its input.

    With the parameters of ``cross``, attention to ``context`` comes between the two.

    Parameters
    ----------
    params : dict
        As made by ``block_init``.
    x : array of shape (B, T, d_model)
    mask : boolean array that broadcasts to (B, heads, T, T), optional
    context : array of shape (B, S, d_model)
        For a block with ``cross`` alone.
    context_mask : boolean array that broadcasts to (B, heads, T, S), optional
    rotate : bool
        Turn the queries and keys of self-attention by their positions.
    activation : function
        Of the feed-forward layers.
    residual : function (norm parameters, sublayer, x) -> array
        ``pre_norm`` or ``post_norm``.

    Returns
    -------
    array of the shape of x

    Raises
    ------
    ValueError
        If a block with ``cross`` gets no context, or one without it does.

    Notes
    -----
    Vaswani et al. (2017), figure 1. Built in chapter 09.

    Examples
    --------
    >>> params = block_init(jax.random.key(0), 8, 2, 32)
    >>> block(params, jnp.ones((3, 5, 8))).shape
    (3, 5, 8)
    """
    if ("cross" in params) != (context is not None):
        want = "a context" if "cross" in params else "no context"
        raise ValueError(f"expected {want} for these parameters, got the contrary")
    x = residual(
        params["norm1"],
        lambda h: multi_head(params["attention"], h, mask=mask, rotate=rotate),
        x,
    )
    if context is not None:
        x = residual(
            params["norm_cross"],
            lambda h: multi_head(params["cross"], h, context, context_mask),
            x,
        )
    return residual(
        params["norm2"],
        lambda h: feed_forward(params["feed_forward"], h, activation),
        x,
    )


def stack_init(
    key: Array,
    vocabulary: int,
    d_model: int,
    heads: int,
    layers: int,
    d_hidden: int | None = None,
    cross: bool = False,
) -> Tree:
    """Make the parameters of an embedding followed by blocks.

    Parameters
    ----------
    key : JAX random key
    vocabulary : int
        Number of symbols.
    d_model, heads, layers : int
        Width, heads a block, number of blocks.
    d_hidden : int, optional
        Inner width of the feed-forward layers; ``4 * d_model`` by default.
    cross : bool
        Whether the blocks also look at another sequence.

    Returns
    -------
    dict
        ``embedding``, ``blocks`` (a list) and the last ``norm``.

    Raises
    ------
    ValueError
        If a size is below 1 or ``heads`` does not divide ``d_model``.

    Notes
    -----
    Built in chapter 09.

    Examples
    --------
    >>> params = stack_init(jax.random.key(0), 10, 8, heads=2, layers=3)
    >>> len(params["blocks"]), params["embedding"]["table"].shape
    (3, (10, 8))
    """
    check_positive_int("layers", layers)
    first, *keys = jax.random.split(key, layers + 1)
    hidden = 4 * d_model if d_hidden is None else d_hidden
    return {
        "embedding": embedding_init(first, vocabulary, d_model),
        "blocks": [block_init(k, d_model, heads, hidden, cross) for k in keys],
        "norm": layer_norm_init(d_model),
    }


def embed_sequence(params: Tree, ids: Array, rotate: bool = False) -> Array:
    """Give each symbol its vector and its position: what the first block reads.

    ``h = table[ids] * sqrt(d_model) + sinusoidal(T, d_model)``, and ``h`` is returned.

    Parameters
    ----------
    params : dict
        As made by ``stack_init``.
    ids : integer array of shape (B, T)
    rotate : bool
        Leave the positions out: each block will turn its queries and keys by them.

    Returns
    -------
    array of shape (B, T, d_model)

    Raises
    ------
    ValueError
        If the shape does not fit, or the ids are not integers.

    Notes
    -----
    Vaswani et al. (2017), sections 3.4 and 3.5. Built in chapter 09.

    Examples
    --------
    >>> params = stack_init(jax.random.key(0), 10, 8, heads=2, layers=1)
    >>> embed_sequence(params, jnp.array([[1, 2, 3]])).shape
    (1, 3, 8)
    """
    _check_ids(ids)
    d_model = params["embedding"]["table"].shape[1]
    h = embed(params["embedding"], ids) * jnp.sqrt(d_model)
    return h if rotate else h + sinusoidal(ids.shape[1], d_model)


def encode(params: Tree, ids: Array, lengths: Array | None = None, **options) -> Array:
    """Read sequences, each position looking at all real ones.

    Parameters
    ----------
    params : dict
        As made by ``stack_init``.
    ids : integer array of shape (B, T)
    lengths : integer array of shape (B,), optional
        Real symbols of each sequence; all of them by default.
    **options
        ``rotate``, ``activation``, ``residual``, as for ``block``.

    Returns
    -------
    array of shape (B, T, d_model)
        What stands at padded positions has no meaning.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Vaswani et al. (2017), section 3.1. Built in chapter 09.

    Examples
    --------
    >>> params = stack_init(jax.random.key(0), 10, 8, heads=2, layers=1)
    >>> encode(params, jnp.array([[1, 2, 3]])).shape
    (1, 3, 8)
    """
    return _run(params, ids, _padding_mask(ids, lengths), **options)


def decode(
    params: Tree,
    ids: Array,
    memory: Array | None = None,
    memory_lengths: Array | None = None,
    **options,
) -> Array:
    """Read sequences, each position looking at itself and what came before.

    Parameters
    ----------
    params : dict
        As made by ``stack_init``; with ``cross`` to look at a memory.
    ids : integer array of shape (B, T)
    memory : array of shape (B, S, d_model), optional
        What ``encode`` made of the sequences to translate.
    memory_lengths : integer array of shape (B,), optional
        Real positions of the memory.
    **options
        ``rotate``, ``activation``, ``residual``, as for ``block``.

    Returns
    -------
    array of shape (B, T, d_model)
        Position ``t`` depends on ``ids[:, : t + 1]`` alone. Padding at the end of a
        sequence needs no mask: nothing before it can see it.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Vaswani et al. (2017), section 3.1. Built in chapter 09.

    Examples
    --------
    >>> params = stack_init(jax.random.key(0), 10, 8, heads=2, layers=1)
    >>> decode(params, jnp.array([[1, 2, 3]])).shape
    (1, 3, 8)
    """
    _check_ids(ids)
    mask = causal_mask(ids.shape[1])
    seen = None if memory is None else _padding_mask(memory, memory_lengths)
    return _run(params, ids, mask, memory, seen, **options)


def to_logits(params: Tree, h: Array) -> Array:
    """Score every symbol by its likeness to what the stack says.

    ``to_logits(params, h) = h @ table.T``: the embedding's table serves twice.

    Parameters
    ----------
    params : dict
        As made by ``stack_init``.
    h : array of shape (B, T, d_model)

    Returns
    -------
    array of shape (B, T, vocabulary)

    Notes
    -----
    Press and Wolf (2017); Vaswani et al. (2017), section 3.4. Built in chapter 09.

    Examples
    --------
    >>> params = stack_init(jax.random.key(0), 10, 8, heads=2, layers=1)
    >>> to_logits(params, jnp.ones((2, 3, 8))).shape
    (2, 3, 10)
    """
    table = params["embedding"]["table"]
    return (h.reshape(-1, h.shape[-1]) @ table.T).reshape(*h.shape[:-1], len(table))


def mean_over_time(h: Array, lengths: Array | None = None) -> Array:
    """Average the real positions of each sequence.

    Parameters
    ----------
    h : array of shape (B, T, d_model)
    lengths : integer array of shape (B,), optional
        At least 1 each; all positions by default.

    Returns
    -------
    array of shape (B, d_model)

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Built in chapter 09.

    Examples
    --------
    >>> h = jnp.array([[[1.0], [3.0], [99.0]]])
    >>> mean_over_time(h, jnp.array([2])).tolist()
    [[2.0]]
    """
    if lengths is None:
        return h.mean(axis=1)
    check_shape("lengths", jnp.asarray(lengths), h.shape[:1])
    real = length_mask(lengths, h.shape[1])[..., None]
    return jnp.where(real, h, 0).sum(axis=1) / real.sum(axis=1)


def _run(
    params: Tree,
    ids: Array,
    mask: Array | None,
    context: Array | None = None,
    context_mask: Array | None = None,
    **options,
) -> Array:
    """Embed, go through the blocks, and normalise."""
    h = embed_sequence(params, ids, options.get("rotate", False))
    for layer in params["blocks"]:
        h = block(layer, h, mask, context, context_mask, **options)
    return layer_norm(params["norm"], h)


def _padding_mask(x: Array, lengths: Array | None) -> Array | None:
    """Let nobody look at padding: (B, 1, 1, T), for all heads and queries."""
    if lengths is None:
        return None
    check_shape("lengths", jnp.asarray(lengths), x.shape[:1])
    return length_mask(lengths, x.shape[1])[:, None, None]


def _check_ids(ids: Array) -> None:
    """Refuse anything but a batch of sequences of symbols."""
    if ids.ndim != 2:
        raise ValueError(f"expected ids of shape (B, T), got {ids.shape}")
