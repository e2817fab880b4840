"""Cutting data into batches of one size, the last one filled up and masked."""

import numbers
from typing import Any

import jax
import jax.numpy as jnp

Tree = Any


def whole_number(name: str, value: object) -> int:
    """Return `value` as an int, or refuse what is not 1, 2, 3, ..."""
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"expected {name} to be a whole number over 0, got {value}")
    return int(value)


def length(data: Tree, name: str = "data") -> int:
    """Return the number of examples, or refuse empty and unequal arrays."""
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(data)]
    if not shapes or () in shapes:
        raise ValueError(f"expected {name} with a leading axis, got shapes {shapes}")
    if len({shape[0] for shape in shapes}) > 1:
        raise ValueError(f"expected {name} of equal length, got shapes {shapes}")
    if shapes[0][0] == 0:
        raise ValueError(f"expected {name} with an example or more, got {shapes}")
    return shapes[0][0]


def cut(order: jax.Array, batch_size: int) -> tuple[jax.Array, jax.Array]:
    """Cut an order of examples into batches.

    The last batch is filled up with the first examples of the order. They are
    real, so that whatever the loss computes of them is as finite as the rest,
    and the mask says that they do not count.

    Parameters
    ----------
    order : int array (n,)
        Indices of examples, `n >= batch_size`.
    batch_size : int
        B.

    Returns
    -------
    (steps, B) int array of indices, (steps, B) bool array, True where real.
    """
    n = order.shape[0]
    steps = -(-n // batch_size)
    filled = jnp.concatenate([order, order[: steps * batch_size - n]])
    real = jnp.arange(steps * batch_size) < n
    return filled.reshape(steps, batch_size), real.reshape(steps, batch_size)


def take(data: Tree, index: jax.Array) -> Tree:
    """Return the examples at `index` of every array."""
    return jax.tree.map(lambda leaf: leaf[index], data)


def as_arrays(tree: Tree) -> Tree:
    """Return a tree of JAX arrays with fixed dtypes.

    A Python number's dtype is weak: it gives way in arithmetic. After one step
    it no longer is, and the changed type would compile a second time.
    """
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), tree)


def per_example(values: jax.Array, batch_size: int, name: str) -> jax.Array:
    """Return `values` as floats of shape (B,), or refuse another shape."""
    if jnp.shape(values) != (batch_size,):
        raise ValueError(
            f"expected {name} to return one number per example, shape "
            f"({batch_size},), got {jnp.shape(values)}"
        )
    return jnp.asarray(values, jnp.promote_types(jnp.result_type(values), jnp.float32))
