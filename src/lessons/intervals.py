"""How far to trust a number: confidence intervals, and calibration of probabilities.

Reach these as `lessons.metrics.bootstrap_interval` and so on.
"""

import statistics
from collections.abc import Callable

import jax
import numpy as np

from lessons.curves import binary


def bootstrap_interval(
    key,
    values,
    statistic: Callable = np.mean,
    level: float = 0.95,
    resamples: int = 1000,
) -> tuple[float, float]:
    """Give the interval of a statistic over samples drawn again from the sample.

    `interval = quantile([statistic(values[random rows]) ...], (1 -+ level) / 2)`,
    with n rows drawn with replacement each time.

    Parameters
    ----------
    key : PRNG key
    values : (n,) array such as the correctness of each prediction, or a tuple of
        arrays with equal leading length, such as labels and scores
    statistic : function of an array, or of as many arrays as the tuple holds;
        gives a number
    level : share of resamples inside the interval, between 0 and 1
    resamples : how many samples to draw, at least 1

    Returns
    -------
    low, high : floats, in the units of the statistic

    Raises
    ------
    ValueError
        If the lengths differ, there is no row, or level or resamples are out of
        range.

    Notes
    -----
    The bootstrap of Efron (1979); the interval lies between two percentiles of what it
    draws. Built in chapter 06.

    Examples
    --------
    >>> import jax
    >>> bootstrap_interval(jax.random.key(0), [2.0, 2.0, 2.0])
    (2.0, 2.0)
    """
    arrays = [
        np.asarray(a) for a in (values if isinstance(values, tuple) else [values])
    ]
    shapes = [array.shape for array in arrays]
    if () in shapes or len({shape[0] for shape in shapes}) != 1 or shapes[0][0] == 0:
        raise ValueError(f"expected arrays of one leading length, got shapes {shapes}")
    if resamples < 1:
        raise ValueError(f"expected at least 1 resample, got {resamples}")
    tail = (1 - _level(level)) / 2
    # NumPy draws sample by sample, so that memory does not grow with their number.
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    n = shapes[0][0]
    draws = (rng.integers(n, size=n) for _ in range(resamples))
    results = [float(statistic(*(array[rows] for array in arrays))) for rows in draws]
    low, high = np.quantile(results, [tail, 1 - tail])
    return float(low), float(high)


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Give the interval of a share, such as an accuracy, from its count.

    With `p = successes / n` and z the normal quantile of the level:
    `(p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`.

    Parameters
    ----------
    successes : how many of n, 0 to n
    n : number of independent trials, at least 1
    level : confidence, between 0 and 1

    Returns
    -------
    low, high : floats in [0, 1]

    Raises
    ------
    ValueError
        If successes is not in 0..n, n is less than 1 or level is out of range.

    Notes
    -----
    Unlike `p -+ z sqrt(p (1 - p) / n)` it stays in [0, 1] and has a width at 0 and
    n. Source: Wilson (1927). Built in chapter 06.

    Examples
    --------
    >>> low, high = wilson_interval(1926, 2000)
    >>> round(low, 3), round(high, 3)
    (0.954, 0.97)
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"expected successes in 0..n and n >= 1, got {successes}, {n}")
    z = statistics.NormalDist().inv_cdf((1 + _level(level)) / 2)
    p, square = successes / n, z * z / n
    centre = (p + square / 2) / (1 + square)
    reach = z * np.sqrt(p * (1 - p) / n + square / (4 * n)) / (1 + square)
    # Rounding must not push the ends past p, 0 or 1.
    low, high = np.clip([centre - reach, centre + reach], [0, p], [p, 1])
    return float(low), float(high)


def brier_score(labels, probabilities) -> float:
    """Give the mean squared distance of probabilities from what happened.

    `brier_score = mean((probabilities - labels)^2)`

    Parameters
    ----------
    labels : (n,) 0 or 1
    probabilities : (n,) of class 1, in [0, 1]

    Returns
    -------
    float in [0, 1]; lower is better, 0.25 for saying one half always

    Raises
    ------
    ValueError
        If a shape or a value is not as above.

    Notes
    -----
    Source: Brier (1950), here for two classes, half of his sum over both. Built
    in chapter 06.

    Examples
    --------
    >>> brier_score([0, 1], [0.5, 1.0])
    0.125
    """
    labels, probabilities = _probable(labels, probabilities)
    return float(np.mean((probabilities - labels) ** 2))


def calibration_curve(labels, probabilities, bins: int = 10):
    """Compare what was promised with what happened, bin by bin.

    Bin `i` holds the rows with `i / bins < probability <= (i + 1) / bins`; the
    first holds probability 0 as well.

    Parameters
    ----------
    labels : (n,) 0 or 1
    probabilities : (n,) of class 1, in [0, 1]
    bins : number of bins, at least 1

    Returns
    -------
    promised : (m,) mean probability in each of the m bins that are not empty
    happened : (m,) share of label 1 in them
    counts : (m,) rows in them

    Raises
    ------
    ValueError
        If a shape or a value is not as above, or bins is less than 1.

    Notes
    -----
    scikit-learn gives happened and promised, in this order, and no counts. Built
    in chapter 06.

    Examples
    --------
    >>> curve = calibration_curve([0, 1, 1], [0.25, 0.25, 1.0], bins=2)
    >>> [values.tolist() for values in curve]
    [[0.25, 1.0], [0.5, 1.0], [2, 1]]
    """
    labels, probabilities = _probable(labels, probabilities)
    if bins < 1:
        raise ValueError(f"expected at least 1 bin, got {bins}")
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], probabilities)
    counts = np.bincount(place, minlength=bins)
    used = counts > 0
    promised = np.bincount(place, probabilities, bins)[used] / counts[used]
    happened = np.bincount(place, labels, bins)[used] / counts[used]
    return promised, happened, counts[used]


def expected_calibration_error(labels, probabilities, bins: int = 10) -> float:
    """Give the average gap between what was promised and what happened.

    `sum(counts / n * abs(promised - happened))` over the bins of
    `calibration_curve`.

    Parameters
    ----------
    labels : (n,) 0 or 1; for many classes whether the prediction was right
    probabilities : (n,) of class 1; for many classes of the predicted class
    bins : number of bins of equal width, at least 1

    Returns
    -------
    float in [0, 1]; 0 when every promise is kept

    Raises
    ------
    ValueError
        If a shape or a value is not as above, or bins is less than 1.

    Notes
    -----
    Source: Naeini, Cooper and Hauskrecht (2015). Built in chapter 06.

    Examples
    --------
    >>> expected_calibration_error([0, 1, 1, 1], [0.25, 0.25, 1.0, 1.0], bins=2)
    0.125
    """
    promised, happened, counts = calibration_curve(labels, probabilities, bins)
    return float(np.sum(counts * np.abs(promised - happened)) / counts.sum())


def _level(level):
    if not 0 < level < 1:
        raise ValueError(f"expected a level between 0 and 1, got {level}")
    return level


def _probable(labels, probabilities):
    """Labels as 0.0 and 1.0, and their probabilities."""
    labels, probabilities = binary(labels, probabilities, "probabilities")
    low, high = probabilities.min(), probabilities.max()
    if low < 0 or high > 1:
        raise ValueError(f"expected probabilities in [0, 1], got {low} to {high}")
    return labels.astype(np.float64), probabilities
