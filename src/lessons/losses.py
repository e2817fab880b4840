"""Loss functions: one number per example, from logits where probabilities are meant.

The caller averages: ``cross_entropy(logits, labels).mean()``.
One number per example lets a training loop mask padded rows and count every example.
Shapes must agree exactly; nothing is broadcast.
Subtracting ``(n,)`` from ``(n, 1)`` would give an ``(n, n)`` matrix without a warning
(bug clinic B4).
"""

import jax
import jax.numpy as jnp
from jax import Array

from lessons._checks import check_shape


def mse(predictions: Array, targets: Array) -> Array:
    """Mean squared error of each example.

    ``mse[i] = mean((predictions[i] - targets[i]) ** 2)``, the mean over all axes but
    the first.

    Parameters
    ----------
    predictions, targets : arrays of shape (n, ...)
        The same shape for both.

    Returns
    -------
    array of shape (n,)
        In the square of the targets' unit.

    Raises
    ------
    ValueError
        If the shapes differ or there is no axis of examples.

    Notes
    -----
    Some books halve it, so that the derivative has no factor 2; we do not.
    Built in chapter 03.

    Examples
    --------
    >>> mse(jnp.array([[1.0, 2.0], [0.0, 0.0]]), jnp.zeros((2, 2))).tolist()
    [2.5, 0.0]
    """
    predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
    check_shape("targets", targets, predictions.shape)
    if predictions.ndim == 0:
        raise ValueError("expected predictions of shape (n, ...), got ()")
    squares = jnp.square(predictions - targets)
    return squares.mean(axis=tuple(range(1, squares.ndim)))


def binary_cross_entropy(logits: Array, labels: Array) -> Array:
    """Surprise at the true one of two classes, from one logit per example.

    ``binary_cross_entropy = -labels * log(p) - (1 - labels) * log(1 - p)`` with
    ``p = sigmoid(logits)``, rearranged by ``-log(p) = log(1 + exp(-logits))`` and
    ``-log(1 - p) = log(1 + exp(logits))``, which never takes the logarithm of 0.

    Parameters
    ----------
    logits : array of shape (...)
        Log-odds of class 1.
    labels : array of shape (...)
        0 or 1, or a probability of class 1 in between.

    Returns
    -------
    array of shape (...)
        In nats. At a logit of 0 it is ln 2, the value at chance.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Equal to ``optax.sigmoid_binary_cross_entropy``. Built in chapter 03.

    Examples
    --------
    >>> binary_cross_entropy(jnp.array([1e4, -1e4]), jnp.array([1, 1])).tolist()
    [0.0, 10000.0]
    """
    logits, labels = jnp.asarray(logits), jnp.asarray(labels)
    check_shape("labels", labels, logits.shape)
    # logaddexp(0, z) = log(exp(0) + exp(z)) neither overflows nor loses small values.
    if_one, if_zero = jnp.logaddexp(0, -logits), jnp.logaddexp(0, logits)
    return labels * if_one + (1 - labels) * if_zero


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Surprise at the true one of K classes, from K logits per example.

    ``cross_entropy[i] = log(sum(exp(logits[i]))) - logits[i][labels[i]]``, which is
    ``-log_softmax(logits[i])[labels[i]]``.

    Parameters
    ----------
    logits : array of shape (..., K)
        One score per class; K at least 2, since a softmax over one class is always 1
        and its loss always 0 (bug clinic B3).
    labels : integer array of shape (...)
        Index of the true class, from 0 to K - 1.

    Returns
    -------
    array of shape (...)
        In nats. At equal logits it is ln K, the value at chance.

    Raises
    ------
    ValueError
        If the labels' shape is not the logits' without its last axis, if the labels are
        not integers, or if there are fewer than two classes.

    Notes
    -----
    A label outside 0 ... K - 1 cannot be refused inside compiled code; it gives NaN.
    Written as a difference so that only the true logit is looked up: with many classes
    XLA compiles the gradient of an index into ``log_softmax`` to a slower program.
    Equal to ``optax.softmax_cross_entropy_with_integer_labels``. Built in chapter 03.

    Examples
    --------
    >>> logits = jnp.array([[0.0, 1e4, 0.0], [1e4, 0.0, 0.0]])
    >>> cross_entropy(logits, jnp.array([1, 1])).tolist()
    [0.0, 10000.0]
    """
    logits = jnp.asarray(logits, dtype=jnp.result_type(logits, float))
    labels = jnp.asarray(labels)
    if logits.ndim == 0 or logits.shape[-1] < 2:
        raise ValueError(
            f"expected logits of shape (..., K) with K >= 2 classes, got {logits.shape}"
        )
    check_shape("labels", labels, logits.shape[:-1])
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"expected integer labels, got {labels.dtype}")
    # Shifting by a constant changes no difference, and exp does not overflow.
    shifted = logits - jax.lax.stop_gradient(logits.max(axis=-1, keepdims=True))
    # A negative index would count from the end; K is outside, so it is filled with NaN.
    index = jnp.where(labels < 0, logits.shape[-1], labels)[..., None]
    picked = jnp.take_along_axis(
        shifted, index, axis=-1, mode="fill", fill_value=jnp.nan
    )
    return jnp.log(jnp.exp(shifted).sum(axis=-1)) - picked[..., 0]
