"""Checks of arguments that several modules share: one wording for one mistake."""

import math
import numbers
from typing import Any


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


def check_positive_int(name: str, value: int) -> None:
    """Refuse a number of things below 1.

    Parameters
    ----------
    name : str
        What the message calls the value.
    value : int
        The value to check.

    Raises
    ------
    ValueError
        If the value is below 1 or not a whole number.

    Examples
    --------
    >>> check_positive_int("window", 0)
    Traceback (most recent call last):
    ...
    ValueError: expected window of at least 1, got 0
    """
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"expected {name} of at least 1, got {value}")


def check_shape(name: str, array: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array whose shape is not exactly the expected one.

    Parameters
    ----------
    name : str
        What the message calls the array.
    array : array
        The array to check; its content is not looked at.
    shape : tuple of int

    Raises
    ------
    ValueError
        If the shapes differ, also where broadcasting could join them.

    Examples
    --------
    >>> import numpy as np
    >>> check_shape("labels", np.zeros((3, 1)), (3,))
    Traceback (most recent call last):
    ...
    ValueError: expected labels of shape (3,), got (3, 1)
    """
    if array.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, got {array.shape}")
