"""Masks: which positions are real, and which one may look at which.

A mask is boolean; True means *may be looked at*.
"""

import jax.numpy as jnp
from jax import Array

from lessons._checks import check_positive_int


def length_mask(lengths: Array, steps: int) -> Array:
    """Mark which steps of padded sequences are real.

    ``length_mask[b, t] = t < lengths[b]``.

    Parameters
    ----------
    lengths : integer array of shape (B,)
    steps : int
        T, the padded length.

    Returns
    -------
    boolean array of shape (B, T)

    Raises
    ------
    ValueError
        If ``lengths`` is not a vector of integers, or there is no step.

    Notes
    -----
    Built in chapter 08.

    Examples
    --------
    >>> length_mask(jnp.array([2, 0]), 3).tolist()
    [[True, True, False], [False, False, False]]
    """
    check_positive_int("steps", steps)
    lengths = jnp.asarray(lengths)
    if lengths.ndim != 1 or not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise ValueError(
            "expected integer lengths of shape (B,), "
            f"got {lengths.dtype} of shape {lengths.shape}"
        )
    return jnp.arange(steps) < lengths[:, None]


def causal_mask(steps: int) -> Array:
    """Let each position look at itself and at what came before.

    ``causal_mask[t, s] = s <= t``.

    Parameters
    ----------
    steps : int
        T, the length of the sequence.

    Returns
    -------
    boolean array of shape (T, T)
        Row t belongs to the position that looks.

    Raises
    ------
    ValueError
        If there is no step.

    Notes
    -----
    Vaswani et al. (2017), section 3.2.3. Built in chapter 09.

    Examples
    --------
    >>> causal_mask(2).tolist()
    [[True, False], [True, True]]
    """
    check_positive_int("steps", steps)
    positions = jnp.arange(steps)
    return positions <= positions[:, None]
