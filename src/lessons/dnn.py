"""Dense layers, embeddings, initialisation, and the multi-layer perceptron.

A layer is a pair of functions: ``dense_init`` makes its parameters and ``dense``
applies them. Parameters are dictionaries of arrays, so gradients and optimizers see
the same tree.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
from jax import Array

from lessons.activations import relu

Initialiser = Callable[[Array, int, int], Array]
Params = dict[str, Array]


def standard_normal(key: Array, n_in: int, n_out: int) -> Array:
    """Draw weights from N(0, 1), which is wrong for all but the narrowest layers.

    ``w ~ N(0, 1)``: each layer multiplies the variance of its input by about ``n_in``.

    Parameters
    ----------
    key : JAX random key
    n_in, n_out : int
        Number of inputs and outputs, at least 1.

    Returns
    -------
    array of shape (n_in, n_out)

    Notes
    -----
    Kept so that chapter 03 can show what it does (bug clinic B5).

    Examples
    --------
    >>> standard_normal(jax.random.key(0), 3, 2).shape
    (3, 2)
    """
    return jax.random.normal(key, _shape(n_in, n_out))


def glorot_normal(key: Array, n_in: int, n_out: int) -> Array:
    """Draw weights that keep the variance, forward and backward, near a linear unit.

    ``w ~ N(0, 2 / (n_in + n_out))``.

    Parameters
    ----------
    key : JAX random key
    n_in, n_out : int
        Number of inputs and outputs, at least 1.

    Returns
    -------
    array of shape (n_in, n_out)

    Notes
    -----
    A plain normal distribution; Keras and ``jax.nn.initializers`` cut its tails at two
    standard deviations. Glorot and Bengio (2010), equation 12. Built in chapter 03.

    Examples
    --------
    >>> glorot_normal(jax.random.key(0), 3, 2).shape
    (3, 2)
    """
    shape = _shape(n_in, n_out)
    return jnp.sqrt(2 / (n_in + n_out)) * jax.random.normal(key, shape)


def glorot_uniform(key: Array, n_in: int, n_out: int) -> Array:
    """Draw weights of Glorot's variance from a bounded interval.

    ``w ~ U(-a, a)`` with ``a = sqrt(6 / (n_in + n_out))``, so that the variance
    ``a ** 2 / 3`` is ``2 / (n_in + n_out)``.

    Parameters
    ----------
    key : JAX random key
    n_in, n_out : int
        Number of inputs and outputs, at least 1.

    Returns
    -------
    array of shape (n_in, n_out)

    Notes
    -----
    Glorot and Bengio (2010), equation 16. Built in chapter 03.

    Examples
    --------
    >>> w = glorot_uniform(jax.random.key(0), 3, 3)
    >>> bool(abs(w).max() < 1)
    True
    """
    shape = _shape(n_in, n_out)
    bound = jnp.sqrt(6 / (n_in + n_out))
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def he_normal(key: Array, n_in: int, n_out: int) -> Array:
    """Draw weights that keep the mean square of a ReLU layer's signal.

    ``w ~ N(0, 2 / n_in)``: twice the linear value, since ReLU drops half the signal.

    Parameters
    ----------
    key : JAX random key
    n_in, n_out : int
        Number of inputs and outputs, at least 1.

    Returns
    -------
    array of shape (n_in, n_out)

    Notes
    -----
    He, Zhang, Ren and Sun (2015), equation 10. Built in chapter 03.

    Examples
    --------
    >>> he_normal(jax.random.key(0), 3, 2).shape
    (3, 2)
    """
    shape = _shape(n_in, n_out)
    return jnp.sqrt(2 / n_in) * jax.random.normal(key, shape)


def he_uniform(key: Array, n_in: int, n_out: int) -> Array:
    """Draw weights of He's variance from a bounded interval.

    ``w ~ U(-a, a)`` with ``a = sqrt(6 / n_in)``, so that the variance is ``2 / n_in``.

    Parameters
    ----------
    key : JAX random key
    n_in, n_out : int
        Number of inputs and outputs, at least 1.

    Returns
    -------
    array of shape (n_in, n_out)

    Notes
    -----
    He, Zhang, Ren and Sun (2015). Built in chapter 03.

    Examples
    --------
    >>> w = he_uniform(jax.random.key(0), 6, 2)
    >>> bool(abs(w).max() < 1)
    True
    """
    shape = _shape(n_in, n_out)
    bound = jnp.sqrt(6 / n_in)
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def dense_init(
    key: Array, n_in: int, n_out: int, init: Initialiser = glorot_uniform
) -> Params:
    """Make the parameters of a dense layer.

    ``w = init(key, n_in, n_out)`` and ``b = 0``.

    Parameters
    ----------
    key : JAX random key
    n_in, n_out : int
        Number of inputs and outputs, at least 1.
    init : function (key, n_in, n_out) -> array of shape (n_in, n_out)

    Returns
    -------
    dict
        ``w`` of shape (n_in, n_out) and ``b`` of shape (n_out,).

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    Built in chapter 03.

    Examples
    --------
    >>> layer = dense_init(jax.random.key(0), 3, 2)
    >>> layer["w"].shape, layer["b"].tolist()
    ((3, 2), [0.0, 0.0])
    """
    w = init(key, n_in, n_out)
    return {"w": w, "b": jnp.zeros(n_out, w.dtype)}


def dense(params: Params, x: Array) -> Array:
    """Apply a dense layer.

    ``dense(params, x) = x @ w + b``.

    Parameters
    ----------
    params : dict
        ``w`` of shape (n_in, n_out) and ``b`` of shape (n_out,).
    x : array of shape (..., n_in)

    Returns
    -------
    array of shape (..., n_out)

    Raises
    ------
    ValueError
        If the last axis of ``x`` is not ``n_in`` long.

    Notes
    -----
    Keras and this course store weights as (n_in, n_out); PyTorch as (n_out, n_in).
    Built in chapter 03.

    Examples
    --------
    >>> params = {"w": jnp.array([[1.0], [2.0]]), "b": jnp.array([0.5])}
    >>> dense(params, jnp.array([[3.0, 4.0]])).tolist()
    [[11.5]]
    """
    w, b = params["w"], params["b"]
    if x.ndim == 0 or x.shape[-1] != w.shape[0]:
        raise ValueError(f"expected x of shape (..., {w.shape[0]}), got {x.shape}")
    return x @ w + b


def mlp_init(
    key: Array, sizes: Sequence[int], init: Initialiser = he_normal
) -> list[Params]:
    """Make the parameters of a multi-layer perceptron.

    Layer ``i`` goes from ``sizes[i]`` to ``sizes[i + 1]`` numbers, each from its own
    key.

    Parameters
    ----------
    key : JAX random key
    sizes : sequence of int
        Inputs, hidden widths, outputs: at least two sizes.
    init : function (key, n_in, n_out) -> array of shape (n_in, n_out)

    Returns
    -------
    list of dict
        One dense layer after another.

    Raises
    ------
    ValueError
        If fewer than two sizes are given or a size is below 1.

    Notes
    -----
    Built in chapter 03.

    Examples
    --------
    >>> params = mlp_init(jax.random.key(0), [2, 3, 1])
    >>> [layer["w"].shape for layer in params]
    [(2, 3), (3, 1)]
    """
    if len(sizes) < 2:
        raise ValueError(f"expected at least two sizes, got {list(sizes)}")
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        dense_init(layer_key, n_in, n_out, init)
        for layer_key, (n_in, n_out) in zip(keys, pairwise(sizes), strict=True)
    ]


def mlp(
    params: list[Params], x: Array, activation: Callable[[Array], Array] = relu
) -> Array:
    """Apply a multi-layer perceptron.

    ``h = activation(dense(layer, h))`` for every layer but the last, which is linear:
    its outputs are logits or real-valued predictions.

    Parameters
    ----------
    params : list of dict
        As made by ``mlp_init``.
    x : array of shape (..., sizes[0])
    activation : function
        Applied element by element after every layer but the last.

    Returns
    -------
    array of shape (..., sizes[-1])

    Raises
    ------
    ValueError
        If there is no layer, or the last axis of ``x`` does not fit the first.

    Notes
    -----
    Built in chapter 03.

    Examples
    --------
    >>> layer = {"w": jnp.array([[1.0], [-1.0]]), "b": jnp.array([0.0])}
    >>> out = {"w": jnp.array([[2.0]]), "b": jnp.array([1.0])}
    >>> mlp([layer, out], jnp.array([[3.0, 1.0], [1.0, 3.0]])).tolist()
    [[5.0], [1.0]]
    """
    if not params:
        raise ValueError("expected at least one layer, got none")
    for layer in params[:-1]:
        x = activation(dense(layer, x))
    return dense(params[-1], x)


def embedding_init(key: Array, vocabulary: int, width: int) -> Params:
    """Make a table with one vector per symbol.

    ``table ~ N(0, 1 / width)``: each vector is about 1 long.

    Parameters
    ----------
    key : JAX random key
    vocabulary : int
        Number of symbols, at least 1.
    width : int
        Length of each vector, at least 1.

    Returns
    -------
    dict
        ``table`` of shape (vocabulary, width).

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    PyTorch draws from N(0, 1). Built in chapter 08b.

    Examples
    --------
    >>> embedding_init(jax.random.key(0), 5, 3)["table"].shape
    (5, 3)
    """
    shape = _shape(vocabulary, width)
    return {"table": jax.random.normal(key, shape) / jnp.sqrt(width)}


def embed(params: Params, ids: Array) -> Array:
    """Look up the vector of each symbol.

    ``embed(params, ids) = table[ids]``: a one-hot vector times the table, without the
    multiplications.

    Parameters
    ----------
    params : dict
        ``table`` of shape (vocabulary, width).
    ids : integer array of shape (...)
        From 0 to vocabulary - 1.

    Returns
    -------
    array of shape (..., width)

    Raises
    ------
    ValueError
        If the ids are not integers.

    Notes
    -----
    An id outside the table cannot be refused inside compiled code; it gives NaN, where
    plain JAX indexing would take the nearest row. Built in chapter 08b.

    Examples
    --------
    >>> embed({"table": jnp.array([[1.0], [2.0]])}, jnp.array([1, 0, 1])).tolist()
    [[2.0], [1.0], [2.0]]
    """
    ids = jnp.asarray(ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise ValueError(f"expected integer ids, got {ids.dtype}")
    # A negative index would count from the end; the length is outside, so it gives NaN.
    ids = jnp.where(ids < 0, len(params["table"]), ids)
    return params["table"].at[ids].get(mode="fill", fill_value=jnp.nan)


def _shape(n_in: int, n_out: int) -> tuple[int, int]:
    """Check the sizes of a layer."""
    if n_in < 1 or n_out < 1:
        raise ValueError(f"expected sizes of at least 1, got ({n_in}, {n_out})")
    return n_in, n_out
