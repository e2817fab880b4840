"""Attention: looking things up by likeness, alone and with several heads.

Heads stand beside the batch: queries are (B, heads, T, d_head). The number of heads is
read off the weights, whose shape is (d_model, heads, d_head).
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lessons._checks import check_positive_int, check_shape
from lessons.dnn import Params, glorot_uniform


def attention_weights(q: Array, k: Array, mask: Array | None = None) -> Array:
    """Share one unit of attention among the keys, by their likeness to the query.

    ``attention_weights = softmax(q @ k.T / sqrt(d_head))`` over the keys, with scores
    of -inf where the mask is False.

    Parameters
    ----------
    q : array of shape (..., T, d_head)
    k : array of shape (..., S, d_head)
    mask : boolean array that broadcasts to (..., T, S), optional
        True where a query may look.

    Returns
    -------
    array of shape (..., T, S)
        Rows sum to 1; a row that may look nowhere is 0, where a plain softmax gives
        NaN.

    Raises
    ------
    ValueError
        If ``d_head`` differs or the mask does not fit.

    Notes
    -----
    Vaswani et al. (2017), equation 1. Built in chapter 09.

    Examples
    --------
    >>> q, k = jnp.zeros((1, 2)), jnp.ones((4, 2))
    >>> attention_weights(q, k, jnp.array([[True, True, False, False]])).tolist()
    [[0.5, 0.5, 0.0, 0.0]]
    """
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"expected keys of width {q.shape[-1]}, got {k.shape[-1]}")
    scores = q @ jnp.swapaxes(k, -1, -2) / jnp.sqrt(q.shape[-1]).astype(q.dtype)
    if mask is not None:
        _check_mask(mask, scores.shape)
        scores = jnp.where(mask, scores, -jnp.inf)
    top = scores.max(axis=-1, keepdims=True)
    top = jax.lax.stop_gradient(jnp.where(jnp.isneginf(top), 0, top))
    weights = jnp.exp(scores - top)
    total = weights.sum(axis=-1, keepdims=True)
    return weights / jnp.where(total == 0, 1, total)


def attention(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    """Look values up: each query gets the average of the values, by its weights.

    ``attention(q, k, v) = attention_weights(q, k) @ v``.

    Parameters
    ----------
    q : array of shape (..., T, d_head)
    k : array of shape (..., S, d_head)
    v : array of shape (..., S, d_value)
    mask : boolean array that broadcasts to (..., T, S), optional
        True where a query may look.

    Returns
    -------
    array of shape (..., T, d_value)

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Vaswani et al. (2017), equation 1. Built in chapter 09.

    Examples
    --------
    >>> q, k, v = jnp.zeros((1, 2)), jnp.ones((2, 2)), jnp.array([[1.0], [3.0]])
    >>> attention(q, k, v).tolist()
    [[2.0]]
    """
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"expected {k.shape[-2]} values, got {v.shape[-2]}")
    return attention_weights(q, k, mask) @ v


def multi_head_init(key: Array, d_model: int, heads: int) -> Params:
    """Make the parameters of multi-head attention.

    Parameters
    ----------
    key : JAX random key
    d_model : int
        Width of the sequence.
    heads : int
        Divides ``d_model``; each head is ``d_head = d_model // heads`` wide.

    Returns
    -------
    dict
        ``w_q, w_k, w_v`` of shape (d_model, heads, d_head); ``w_o`` of shape (heads,
        d_head, d_model); ``b_q, b_k, b_v`` of shape (heads, d_head) and ``b_o`` of
        shape (d_model,), all 0: ``4 * d_model * (d_model + 1)`` numbers.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``d_model``.

    Notes
    -----
    Built in chapter 09.

    Examples
    --------
    >>> params = multi_head_init(jax.random.key(0), 8, 2)
    >>> params["w_q"].shape, params["w_o"].shape
    ((8, 2, 4), (2, 4, 8))
    """
    check_positive_int("heads", heads)
    check_positive_int("d_model", d_model)
    if d_model % heads:
        raise ValueError(f"expected d_model divisible by {heads}, got {d_model}")
    d_head = d_model // heads
    keys = dict(zip("qkvo", jax.random.split(key, 4), strict=True))
    draw = {name: glorot_uniform(k, d_model, d_model) for name, k in keys.items()}
    params = {f"w_{name}": draw[name].reshape(d_model, heads, d_head) for name in "qkv"}
    params["w_o"] = draw["o"].reshape(heads, d_head, d_model)
    params |= {f"b_{name}": jnp.zeros((heads, d_head)) for name in "qkv"}
    return params | {"b_o": jnp.zeros(d_model)}


def multi_head_from_torch(weights: Mapping[str, ArrayLike], heads: int) -> Params:
    """Take over the weights of PyTorch's ``MultiheadAttention``.

    PyTorch keeps the three input matrices in one, stacked query, key, value, and every
    matrix as (n_out, n_in): ``w_q = in_proj_weight[:d_model].T``, cut into heads, and
    ``w_o = out_proj.weight.T``.

    Parameters
    ----------
    weights : mapping of names to arrays
        ``in_proj_weight`` of shape (3 * d_model, d_model), ``in_proj_bias`` of shape
        (3 * d_model,), ``out_proj.weight`` of shape (d_model, d_model) and
        ``out_proj.bias`` of shape (d_model,), as in the layer's state dict. Other names
        are ignored.
    heads : int
        PyTorch's ``num_heads``, which the weights do not tell.

    Returns
    -------
    dict
        For ``multi_head``, as ``multi_head_init`` makes it.

    Raises
    ------
    ValueError
        If a shape does not fit, or ``heads`` does not divide ``d_model``.

    Notes
    -----
    PyTorch's boolean masks mark what is *hidden*; ours what may be seen. Layers with
    ``bias=False``, ``kdim`` or ``vdim`` have other names or shapes. Built in chapter
    09.

    Examples
    --------
    >>> weights = {
    ...     "in_proj_weight": jnp.ones((24, 8)), "in_proj_bias": jnp.ones(24),
    ...     "out_proj.weight": jnp.ones((8, 8)), "out_proj.bias": jnp.ones(8),
    ... }
    >>> multi_head_from_torch(weights, 2)["w_q"].shape
    (8, 2, 4)
    """
    check_positive_int("heads", heads)
    w_o = jnp.asarray(weights["out_proj.weight"])
    d_model = len(w_o)
    if d_model % heads:
        raise ValueError(f"expected d_model divisible by {heads}, got {d_model}")
    shapes = {
        "in_proj_weight": (3 * d_model, d_model),
        "in_proj_bias": (3 * d_model,),
        "out_proj.weight": (d_model, d_model),
        "out_proj.bias": (d_model,),
    }
    w_in, b_in, w_o, b_o = (jnp.asarray(weights[name]) for name in shapes)
    for (name, shape), array in zip(
        shapes.items(), (w_in, b_in, w_o, b_o), strict=True
    ):
        check_shape(name, array, shape)
    params = {"w_o": w_o.T.reshape(heads, -1, d_model), "b_o": b_o}
    w_in = w_in.reshape(3, d_model, d_model)
    for name, w, b in zip("qkv", w_in, b_in.reshape(3, heads, -1), strict=True):
        params |= {f"w_{name}": w.T.reshape(d_model, heads, -1), f"b_{name}": b}
    return params


def multi_head(
    params: Params,
    x: Array,
    context: Array | None = None,
    mask: Array | None = None,
    rotate: bool = False,
) -> Array:
    """Let a sequence look at itself, or at another, through several heads.

    Each head is ``attention(x @ w_q + b_q, context @ w_k + b_k, context @ w_v + b_v)``.
    The heads stand side by side, times ``w_o``, plus ``b_o``.

    Parameters
    ----------
    params : dict
        As made by ``multi_head_init``.
    x : array of shape (B, T, d_model)
        Where the queries come from.
    context : array of shape (B, S, d_model), optional
        Where keys and values come from; ``x`` itself by default (self-attention).
    mask : boolean array that broadcasts to (B, heads, T, S), optional
        True where a query may look.
    rotate : bool
        Turn queries and keys by their positions (``rotary``).

    Returns
    -------
    array of shape (B, T, d_model)

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Vaswani et al. (2017), section 3.2.2, which has no biases; PyTorch has them.
    Built in chapter 09.

    Examples
    --------
    >>> params = multi_head_init(jax.random.key(0), 8, 2)
    >>> multi_head(params, jnp.ones((3, 5, 8))).shape
    (3, 5, 8)
    """
    q, k, v = _heads(params, x, x if context is None else context, rotate)
    y = jnp.moveaxis(attention(q, k, v, mask), 1, 2)  # (B, T, heads, d_head)
    d_model = params["w_o"].shape[-1]
    y = y.reshape(-1, y.shape[2] * y.shape[3]) @ params["w_o"].reshape(-1, d_model)
    return y.reshape(x.shape) + params["b_o"]


def multi_head_weights(
    params: Params,
    x: Array,
    context: Array | None = None,
    mask: Array | None = None,
    rotate: bool = False,
) -> Array:
    """Return the attention weights that ``multi_head`` uses, for drawing them.

    Parameters
    ----------
    params, x, context, mask, rotate
        As for ``multi_head``.

    Returns
    -------
    array of shape (B, heads, T, S)
        Rows sum to 1.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Built in chapter 09.

    Examples
    --------
    >>> params = multi_head_init(jax.random.key(0), 8, 2)
    >>> multi_head_weights(params, jnp.ones((1, 4, 8)))[0, 0, 0].tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    q, k, _ = _heads(params, x, x if context is None else context, rotate)
    return attention_weights(q, k, mask)


def sinusoidal(steps: int, d_model: int) -> Array:
    """Name each position by the hands of many clocks.

    ``sinusoidal[t, 2 * i] = sin(t / 10000 ** (2 * i / d_model))`` and
    ``sinusoidal[t, 2 * i + 1] = cos`` of the same angle.

    Parameters
    ----------
    steps : int
        T, the number of positions.
    d_model : int
        Even.

    Returns
    -------
    array of shape (T, d_model)

    Raises
    ------
    ValueError
        If ``d_model`` is odd or a size is below 1.

    Notes
    -----
    Vaswani et al. (2017), section 3.5. Built in chapter 09.

    Examples
    --------
    >>> sinusoidal(2, 4)[0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    angle = _angles(steps, d_model)
    return jnp.stack([jnp.sin(angle), jnp.cos(angle)], axis=-1).reshape(steps, d_model)


def rotary(x: Array) -> Array:
    """Turn each pair of features by an angle that grows with the position.

    ``rotary(x)[t, 2 * i] = x[t, 2 * i] * cos(a) - x[t, 2 * i + 1] * sin(a)`` and
    ``rotary(x)[t, 2 * i + 1] = x[t, 2 * i] * sin(a) + x[t, 2 * i + 1] * cos(a)`` with
    ``a = t / 10000 ** (2 * i / d_head)``. Positions enter the product of a turned query
    and a turned key only through their difference.

    Parameters
    ----------
    x : array of shape (..., T, d_head)
        Queries or keys; ``d_head`` even.

    Returns
    -------
    array of the shape of x

    Raises
    ------
    ValueError
        If ``d_head`` is odd or there is no axis of positions.

    Notes
    -----
    Su et al. (2021), equation 34, with neighbouring features paired. Some libraries
    pair feature ``i`` with ``i + d_head / 2`` and order the weights for that, so
    weights do not carry over as they are. Built in chapter 09.

    Examples
    --------
    >>> rotary(jnp.ones((1, 2))).tolist()
    [[1.0, 1.0]]
    """
    if x.ndim < 2:
        raise ValueError(f"expected x of shape (..., T, d_head), got {x.shape}")
    angle = _angles(*x.shape[-2:]).astype(x.dtype)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return turned.reshape(x.shape)


def _angles(steps: int, width: int) -> Array:
    """Return the angle of each position and pair of features: (steps, width / 2)."""
    check_positive_int("steps", steps)
    check_positive_int("width", width)
    if width % 2:
        raise ValueError(f"expected an even width, got {width}")
    rate = 10_000.0 ** (-jnp.arange(0, width, 2) / width)
    return jnp.arange(steps)[:, None] * rate


def _heads(
    params: Params, x: Array, context: Array, rotate: bool
) -> tuple[Array, Array, Array]:
    """Make queries, keys and values: each (B, heads, steps, d_head)."""
    if x.ndim != 3 or context.ndim != 3 or len(x) != len(context):
        raise ValueError(
            "expected x and context of shapes (B, T, d_model) and (B, S, d_model), "
            f"got {x.shape} and {context.shape}"
        )
    q = _project(x, params["w_q"], params["b_q"])
    k = _project(context, params["w_k"], params["b_k"])
    v = _project(context, params["w_v"], params["b_v"])
    return (rotary(q), rotary(k), v) if rotate else (q, k, v)


def _project(x: Array, w: Array, b: Array) -> Array:
    """Multiply (B, T, D) by (D, heads, d_head) in one matrix product, heads first."""
    d_model, heads, d_head = w.shape
    if x.shape[-1] != d_model:
        raise ValueError(f"expected sequences of width {d_model}, got {x.shape[-1]}")
    # Flattening first is four times faster on the CPU than an einsum over five axes.
    flat = x.reshape(-1, d_model) @ w.reshape(d_model, heads * d_head)
    return jnp.moveaxis(flat.reshape(*x.shape[:2], heads, d_head) + b, 2, 1)


def _check_mask(mask: Array, shape: tuple[int, ...]) -> None:
    """Refuse a mask that is not boolean or does not broadcast to the scores."""
    if mask.dtype != bool:
        raise ValueError(f"expected a boolean mask, got {mask.dtype}")
    try:
        fits = jnp.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"expected a mask that fits {shape}, got {mask.shape}")
