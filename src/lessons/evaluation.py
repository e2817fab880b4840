"""Evaluation: means and predictions over a whole data set, batch by batch.

`lessons.training` exports both functions. Built in chapter 04.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lessons._batching import as_arrays, cut, length, per_example, take, whole_number

Tree = Any


def sum_over(f: Callable, batch_size: int, params: Tree, data: Tree) -> jax.Array:
    """Return the sum of `f(params, batch)` over all examples."""

    def add(total: jax.Array, batch: tuple) -> tuple[jax.Array, None]:
        index, real = batch
        values = per_example(f(params, take(data, index)), batch_size, "the function")
        return total + jnp.sum(jnp.where(real, values, 0)), None

    index = jnp.arange(length(data))
    return jax.lax.scan(add, jnp.zeros(()), cut(index, batch_size))[0]


compiled_sum = functools.partial(jax.jit, static_argnums=(0, 1))(sum_over)


def evaluate(
    f: Callable[[Tree, Tree], jax.Array],
    params: Tree,
    data: Tree,
    *,
    batch_size: int = 512,
) -> float:
    """Return the mean of a function over every example, each counted once.

    `sum over examples of f(params, batch) / n`. The last, smaller batch is
    filled up and masked, so a mean of batch means, which would weigh its
    examples more, does not arise. Built in chapter 04.

    Parameters
    ----------
    f : function
        `f(params, batch)` returns one number (or truth value) per example,
        shape (B,). A loss of `fit` will do: without a key it is deterministic.
    params : tree of arrays
        Passed to `f`.
    data : tree of arrays
        Equal leading axes of length n, usually `(x, y)`.
    batch_size : int
        Examples at a time. It bounds memory and does not change the result,
        rounding apart.

    Returns
    -------
    float
        The mean, in the unit of `f`.

    Raises
    ------
    ValueError
        If there is no data, lengths differ, `batch_size < 1`, or `f` returns
        another shape.

    Examples
    --------
    >>> def correct(params, batch):
    ...     x, y = batch
    ...     return (params * x > 0) == y
    >>> data = jnp.array([1.0, -2.0, 3.0]), jnp.array([True, True, True])
    >>> round(evaluate(correct, 1.0, data, batch_size=2), 3)
    0.667
    """
    n = length(data)
    size = min(whole_number("batch_size", batch_size), n)
    # Divided in Python: a share of correct answers is exact then.
    return float(compiled_sum(f, size, as_arrays(params), as_arrays(data))) / n


@functools.partial(jax.jit, static_argnums=(0, 1))
def _predict(f: Callable, batch_size: int, params: Tree, x: Tree) -> Tree:
    n = length(x)
    index, _ = cut(jnp.arange(n), batch_size)

    def join(batches: jax.Array) -> jax.Array:
        if batches.shape[1:2] != (batch_size,):
            raise ValueError(
                "expected the function to return a row per example, shape "
                f"({batch_size}, ...), got {batches.shape[1:]}"
            )
        return batches.reshape(-1, *batches.shape[2:])[:n]

    outputs = jax.lax.map(lambda i: f(params, take(x, i)), index)
    return jax.tree.map(join, outputs)


def predict(
    f: Callable[[Tree, Tree], Tree], params: Tree, x: Tree, *, batch_size: int = 512
) -> Tree:
    """Return `f(params, x)` for every example, in order, a batch at a time.

    Built in chapter 04.

    Parameters
    ----------
    f : function
        `f(params, x_batch)` returns an array, or a tree of them, with a row for
        each example.
    params : tree of arrays
        Passed to `f`.
    x : tree of arrays
        Equal leading axes of length n.
    batch_size : int
        Examples at a time. It bounds memory and does not change the result,
        rounding apart.

    Returns
    -------
    tree of arrays
        Leading axis n.

    Raises
    ------
    ValueError
        If there is no data, lengths differ, `batch_size < 1`, or `f` does not
        return a row per example.

    Examples
    --------
    >>> predict(lambda w, x: w * x, 2.0, jnp.array([1.0, 2.0, 3.0]), batch_size=2)
    Array([2., 4., 6.], dtype=float32)
    """
    size = min(whole_number("batch_size", batch_size), length(x, "x"))
    return _predict(f, size, as_arrays(params), as_arrays(x))
