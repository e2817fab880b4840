"""Counting: how many numbers a model has, and how many operations it does."""

import math
from collections.abc import Callable
from typing import Any

import jax

Tree = Any


def parameter_count(params: Tree) -> int:
    """Count the numbers in a tree of arrays.

    ``parameter_count(params) = sum(size of each array)``.

    Parameters
    ----------
    params : tree of arrays
        Shapes suffice, as ``jax.eval_shape`` gives them.

    Returns
    -------
    int

    Notes
    -----
    An array that stands twice in the tree counts twice. Built in chapter 09.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> parameter_count({"w": jnp.zeros((3, 2)), "b": jnp.zeros(2)})
    8
    """
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def flops(f: Callable, *args: Tree) -> int:
    """Count the floating-point operations of a function, by XLA's cost analysis.

    A product of an (m, k) and a (k, n) matrix is ``2 * m * k * n`` operations: a
    multiplication and an addition for each of ``m * k * n`` pairs.

    Parameters
    ----------
    f : function of arrays, which JAX can trace
    *args : trees of arrays
        Shapes suffice, as ``jax.ShapeDtypeStruct``; nothing is computed.

    Returns
    -------
    int
        Additions, subtractions, multiplications, divisions, comparisons and the like.

    Notes
    -----
    It reads the program before the compiler rewrites it, as for a CPU, so the count
    does not depend on the machine. Three limits. The body of a loop (``lax.scan``,
    ``lax.fori_loop``, ``lax.while_loop``) counts once, however often it runs: unroll it
    first. A transcendental function (``exp``, ``tanh``, ``erf``) is not counted as an
    operation. Moving data is free here, and not on a machine. Built in chapter 09.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> flops(jnp.matmul, jnp.zeros((3, 5)), jnp.zeros((5, 7)))
    210
    """
    # XLA analyses a program that is not yet compiled for the CPU alone.
    with jax.default_device(jax.devices("cpu")[0]):
        shapes = jax.eval_shape(lambda *given: given, *args)
        cost = jax.jit(f).lower(*shapes).cost_analysis()
    return int(cost.get("flops", 0))
