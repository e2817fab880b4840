"""Checks of numbers that optimizers and schedules share."""

import math
import numbers


def check_range(
    name: str, value: object, low: float = 0, high: float = math.inf
) -> None:
    """Refuse a Python number outside `low <= value < high`.

    Arrays and traced values pass, because their content is unknown while JAX
    compiles.

    Parameters
    ----------
    name : str
        What the message calls the value.
    value : object
        The value to check.
    low, high : float
        The range, with `low` in it and `high` outside.

    Raises
    ------
    ValueError
        If the number is out of range, or NaN.

    Examples
    --------
    >>> check_range("momentum", 0.9, high=1)
    >>> check_range("momentum", 1.5, high=1)
    Traceback (most recent call last):
    ...
    ValueError: expected 0 <= momentum < 1, got 1.5
    """
    if isinstance(value, numbers.Real) and not low <= value < high:
        raise ValueError(f"expected {low} <= {name} < {high}, got {value}")


def check_positive(name: str, value: object) -> None:
    """Refuse a Python number that is not finite and over 0.

    Arrays and traced values pass.

    Parameters
    ----------
    name : str
        What the message calls the value.
    value : object
        The value to check.

    Raises
    ------
    ValueError
        If the number is 0, negative, infinite or NaN.

    Examples
    --------
    >>> check_positive("max_norm", 0)
    Traceback (most recent call last):
    ...
    ValueError: expected 0 < max_norm < inf, got 0
    """
    if isinstance(value, numbers.Real) and not 0 < value < math.inf:
        raise ValueError(f"expected 0 < {name} < inf, got {value}")
