"""Scaling of features, with statistics of the training part alone.

Reach these as `lessons.data.fit_standardiser` and so on. A scaler is two arrays:
`(x - mean) / scale` applies it, `x * scale + mean` takes it back.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Scaler(NamedTuple):
    """What scaling needs to know: the value that becomes 0, and the unit."""

    mean: jax.Array
    scale: jax.Array


def fit_standardiser(x, axis=0) -> Scaler:
    """Measure mean and standard deviation, to scale features to mean 0, spread 1.

    `mean = x.mean(axis)`, `scale = x.std(axis)` (divided by n, not n - 1).

    Parameters
    ----------
    x : (n, ...) the training part, and nothing else
    axis : what to average over: 0 for a pair of statistics per feature, None for
        one pair over everything

    Returns
    -------
    Scaler of float32 arrays with x's shape less `axis`

    Raises
    ------
    ValueError
        If x holds no row.

    Notes
    -----
    A constant feature gets scale 1, so that it becomes 0 and nothing is divided
    by 0; scikit-learn's `StandardScaler` does the same. Used in chapter 04.

    Examples
    --------
    >>> import numpy as np
    >>> scaler = fit_standardiser(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scale(scaler, np.array([[1.0, 5.0], [5.0, 6.0]])).tolist()
    [[-1.0, 0.0], [3.0, 1.0]]
    """
    x = _rows(x)
    low, constant = x.min(axis), x.min(axis) == x.max(axis)
    mean = np.where(constant, low, x.mean(axis))
    return _scaler(mean, np.where(constant, 1.0, x.std(axis)))


def fit_min_max(x, low: float = 0.0, high: float = 1.0, axis=0) -> Scaler:
    """Measure minimum and maximum, to scale features to a range.

    `scale = (x.max(axis) - x.min(axis)) / (high - low)`,
    `mean = x.min(axis) - low * scale`.

    Parameters
    ----------
    x : (n, ...) the training part, and nothing else
    low, high : the range that the training part will fill; low < high
    axis : 0 for a range per feature, None for one range over everything

    Returns
    -------
    Scaler of float32 arrays with x's shape less `axis`; here `mean` is the value
    that becomes 0, not an average

    Raises
    ------
    ValueError
        If x holds no row, or low is not less than high.

    Notes
    -----
    Rows outside the training part may fall outside the range. A constant feature
    becomes `low`, as in scikit-learn's `MinMaxScaler`. Used in chapter 04.

    Examples
    --------
    >>> import numpy as np
    >>> scaler = fit_min_max(np.array([[2.0], [6.0]]), -1.0, 1.0)
    >>> scale(scaler, np.array([[2.0], [4.0], [8.0]])).tolist()
    [[-1.0], [0.0], [2.0]]
    """
    if not low < high:
        raise ValueError(f"expected low < high, got low={low} and high={high}")
    x = _rows(x)
    bottom, width = x.min(axis), x.max(axis) - x.min(axis)
    unit = np.where(width == 0, 1.0, width) / (high - low)
    return _scaler(bottom - low * unit, unit)


def scale(scaler: Scaler, x):
    """Apply a scaler: `(x - mean) / scale`.

    Parameters
    ----------
    scaler : Scaler, fitted on the training part
    x : (n, ...) of the same features

    Returns
    -------
    (n, ...) float array

    Raises
    ------
    ValueError
        If the features of x are not those of the scaler.

    Notes
    -----
    Used in chapter 04.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scaler = Scaler(jnp.array([1.0]), jnp.array([2.0]))
    >>> scale(scaler, jnp.array([[5.0]])).tolist()
    [[2.0]]
    """
    return (_features(scaler, x) - scaler.mean) / scaler.scale


def unscale(scaler: Scaler, x):
    """Take scaling back: `x * scale + mean`.

    Parameters
    ----------
    scaler : Scaler, the one that was applied
    x : (n, ...) scaled features

    Returns
    -------
    (n, ...) float array in the original units

    Raises
    ------
    ValueError
        If the features of x are not those of the scaler.

    Notes
    -----
    Used in chapter 04.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> scaler = Scaler(jnp.array([1.0]), jnp.array([2.0]))
    >>> unscale(scaler, jnp.array([[2.0]])).tolist()
    [[5.0]]
    """
    return _features(scaler, x) * scaler.scale + scaler.mean


def _rows(x):
    """Give x in float64, so that sums over many rows lose nothing."""
    x = np.asarray(x, np.float64)
    if x.ndim < 1 or x.size == 0:
        raise ValueError(f"expected at least one row, got shape {x.shape}")
    return x


def _scaler(mean, unit):
    return Scaler(jnp.asarray(mean, jnp.float32), jnp.asarray(unit, jnp.float32))


def _features(scaler, x):
    """Refuse features that would only fit by broadcasting."""
    x, shape = jnp.asarray(x), jnp.shape(scaler.mean)
    if shape not in ((), x.shape[1:]):
        expected = ", ".join(["n", *map(str, shape)])
        raise ValueError(f"expected x of shape ({expected}), got {x.shape}")
    return x
