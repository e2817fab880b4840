"""Normalisation of each vector of features, so that signals keep their scale."""

import jax
import jax.numpy as jnp
from jax import Array

from lessons._checks import check_positive_int


def layer_norm_init(width: int) -> dict[str, Array]:
    """Make the parameters of layer normalisation: no change of scale or centre.

    Parameters
    ----------
    width : int
        Length of the vectors.

    Returns
    -------
    dict
        ``scale`` of ones and ``shift`` of zeros, each of shape (width,).

    Raises
    ------
    ValueError
        If ``width`` is below 1.

    Notes
    -----
    Built in chapter 09.

    Examples
    --------
    >>> {name: p.tolist() for name, p in layer_norm_init(2).items()}
    {'scale': [1.0, 1.0], 'shift': [0.0, 0.0]}
    """
    check_positive_int("width", width)
    return {"scale": jnp.ones(width), "shift": jnp.zeros(width)}


def layer_norm(params: dict[str, Array], x: Array, eps: float = 1e-5) -> Array:
    """Centre each vector, divide it by its spread, then scale and shift.

    ``layer_norm(x) = (x - mean(x)) / sqrt(var(x) + eps) * scale + shift``, mean and
    variance over the last axis, the variance with divisor ``width``.

    Parameters
    ----------
    params : dict
        ``scale`` and ``shift``, each of shape (width,).
    x : array of shape (..., width)
    eps : float
        In the square of the unit of ``x``; keeps a constant vector at ``shift``.

    Returns
    -------
    array of the shape of x

    Raises
    ------
    ValueError
        If the last axis of ``x`` is not ``width`` long.

    Notes
    -----
    Ba, Kiros and Hinton (2016), equation 4. The default ``eps`` is PyTorch's; Flax has
    1e-6. Built in chapter 09.

    Examples
    --------
    >>> y = layer_norm(layer_norm_init(2), jnp.array([[3.0, 5.0]]), eps=0)
    >>> y.tolist()
    [[-1.0, 1.0]]
    """
    _check_width(x, params["scale"])
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = jnp.square(centred).mean(axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(variance + eps) * params["scale"] + params["shift"]


def rms_norm_init(width: int) -> dict[str, Array]:
    """Make the parameters of root-mean-square normalisation: no change of scale.

    Parameters
    ----------
    width : int
        Length of the vectors.

    Returns
    -------
    dict
        ``scale`` of ones, of shape (width,).

    Raises
    ------
    ValueError
        If ``width`` is below 1.

    Notes
    -----
    Built in chapter 09.

    Examples
    --------
    >>> rms_norm_init(2)["scale"].tolist()
    [1.0, 1.0]
    """
    check_positive_int("width", width)
    return {"scale": jnp.ones(width)}


def rms_norm(params: dict[str, Array], x: Array, eps: float = 1e-5) -> Array:
    """Divide each vector by its root mean square, then scale.

    ``rms_norm(x) = x / sqrt(mean(x ** 2) + eps) * scale``, the mean over the last axis.

    Parameters
    ----------
    params : dict
        ``scale`` of shape (width,).
    x : array of shape (..., width)
    eps : float
        In the square of the unit of ``x``; keeps a vector of zeros at 0.

    Returns
    -------
    array of the shape of x

    Raises
    ------
    ValueError
        If the last axis of ``x`` is not ``width`` long.

    Notes
    -----
    Layer normalisation without the centring and the shift. Zhang and Sennrich (2019),
    equation 4, to which implementations add ``eps``. Built in chapter 09.

    Examples
    --------
    >>> rms_norm(rms_norm_init(2), jnp.array([[3.0, -3.0]]), eps=0).round(4).tolist()
    [[1.0, -1.0]]
    """
    _check_width(x, params["scale"])
    mean_square = jnp.square(x).mean(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(mean_square + eps) * params["scale"]


def _check_width(x: Array, scale: Array) -> None:
    """Refuse vectors of another length than the parameters'."""
    width = len(scale)
    if x.ndim == 0 or x.shape[-1] != width:
        raise ValueError(f"expected x of shape (..., {width}), got {x.shape}")
