"""One epoch of training: the unit that is compiled."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lessons._batching import cut, length, per_example, take, whole_number
from lessons.optimizers import Optimizer, apply_updates, global_norm

Tree = Any
Loss = Callable[..., jax.Array]


def train_epoch(
    loss: Loss,
    optimizer: Optimizer,
    batch_size: int,
    params: Tree,
    state: Tree,
    data: Tree,
    key: jax.Array,
) -> tuple[Tree, Tree, dict[str, jax.Array]]:
    """Train for one epoch on shuffled mini-batches."""
    n = length(data)
    shuffle_key, loss_key = jax.random.split(key)
    index, real = cut(jax.random.permutation(shuffle_key, n), batch_size)
    keys = jax.random.split(loss_key, len(index))

    def step(carry: tuple, batch: tuple) -> tuple[tuple, tuple]:
        params, state = carry
        index, real, key = batch

        def mean_loss(params: Tree) -> jax.Array:
            values = loss(params, take(data, index), key)
            values = per_example(values, batch_size, "the loss")
            return jnp.sum(jnp.where(real, values, 0)) / jnp.sum(real)

        value, grads = jax.value_and_grad(mean_loss)(params)
        updates, state = optimizer.update(grads, state, params)
        params = apply_updates(params, updates)
        return (params, state), (value, global_norm(grads))

    (params, state), (losses, norms) = jax.lax.scan(
        step, (params, state), (index, real, keys)
    )
    train = jnp.sum(losses * jnp.sum(real, axis=1)) / n
    return params, state, {"train": train, "steps": losses, "gradient_norm": norms}


# Nothing is donated: if an epoch ends in NaN, its starting point is still needed.
# Within an epoch the scan works in place anyway.
compiled_epoch = functools.partial(jax.jit, static_argnums=(0, 1, 2))(train_epoch)


def check_data(data: Tree, validation: Tree, batch_size: int, key: jax.Array) -> None:
    """Refuse data and keys that cannot be trained with."""
    n = length(data)
    if whole_number("batch_size", batch_size) > n:
        raise ValueError(f"expected batch_size <= {n} examples, got {batch_size}")
    if validation is not None:
        length(validation, "validation data")
    dtype = getattr(key, "dtype", None)
    raw = dtype == jnp.uint32 and key.shape == (2,)
    if not raw and (dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key)):
        raise ValueError(f"expected a key from jax.random.key, got {key}")
