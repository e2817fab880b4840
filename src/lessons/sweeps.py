"""A learning-rate sweep: the epoch of `fit` under `jax.vmap`.

`lessons.training` exports it. Built in chapter 04.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lessons._batching import as_arrays, length, whole_number
from lessons._epochs import check_data, train_epoch
from lessons._progress import progress_bar
from lessons.evaluation import sum_over
from lessons.optimizers import Optimizer

Tree = Any
Loss = Callable[..., jax.Array]


class Sweep(NamedTuple):
    """What a sweep gives back, with a leading axis for the rates.

    `params` is a tree like the parameters; `curves` maps `train`, and
    `validation` where given, to arrays of shape (rates, epochs).
    """

    params: Tree
    curves: dict[str, np.ndarray]


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _sweep_epoch(
    loss: Loss,
    make_optimizer: Callable,
    batch_size: int,
    rates: jax.Array,
    params: Tree,
    states: Tree,
    data: Tree,
    key: jax.Array,
) -> tuple[Tree, Tree, dict[str, jax.Array]]:
    """Train for one epoch at every rate: the same epoch, under vmap."""

    def one(rate: jax.Array, params: Tree, state: Tree) -> tuple:
        optimizer = make_optimizer(rate)
        return train_epoch(loss, optimizer, batch_size, params, state, data, key)

    return jax.vmap(one)(rates, params, states)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _sweep_mean(loss: Loss, batch_size: int, params: Tree, data: Tree) -> jax.Array:
    n = length(data)
    size = min(batch_size, n)
    return jax.vmap(lambda params: sum_over(loss, size, params, data))(params) / n


def sweep(
    loss: Loss,
    params: Tree,
    data: Tree,
    make_optimizer: Callable[[jax.Array], Optimizer],
    rates: jax.typing.ArrayLike,
    *,
    key: jax.Array,
    epochs: int,
    batch_size: int,
    validation: Tree = None,
    progress: bool | None = None,
) -> Sweep:
    """Train at several learning rates at once, from one start on one shuffling.

    Each row equals a `fit` at that rate, rounding apart: the epoch of `fit` runs
    under `jax.vmap` over the rates. A rate that diverges fills its own curve with
    NaN and leaves the others alone; nothing is raised. Built in chapter 04.

    Parameters
    ----------
    loss, params, data, key, epochs, batch_size, validation, progress
        As in `fit`.
    make_optimizer : function
        `make_optimizer(rate)` returns an optimizer. The rate is a traced scalar,
        so the function may compute with it but not compare it.
    rates : array (R,)
        The learning rates.

    Returns
    -------
    Sweep
        The last parameters and the curves, R in front.

    Raises
    ------
    ValueError
        As in `fit`, and if `rates` is not a list of numbers of 0 or more.

    Examples
    --------
    >>> from lessons import optimizers
    >>> x = jnp.linspace(-1.0, 1.0, 10)
    >>> def loss(w, batch, key=None):
    ...     x, y = batch
    ...     return (w * x - y) ** 2
    >>> result = sweep(
    ...     loss, 0.0, (x, 2 * x), optimizers.sgd, [0.0, 0.5],
    ...     key=jax.random.key(0), epochs=30, batch_size=4,
    ... )
    >>> result.curves["train"].shape
    (2, 30)
    >>> [round(float(w), 1) for w in result.params]
    [0.0, 2.0]
    """
    epochs = whole_number("epochs", epochs)
    check_data(data, validation, batch_size, key)
    rates = _checked_rates(rates)
    data, params = as_arrays(data), as_arrays(params)
    states = jax.vmap(lambda rate: make_optimizer(rate).init(params))(rates)
    params = jax.tree.map(lambda p: jnp.stack([p] * len(rates)), params)
    states = as_arrays(states)
    curves = {"train": []} if validation is None else {"train": [], "validation": []}
    with progress_bar(epochs, 0, progress) as bar:
        for epoch in range(epochs):
            params, states, points = _sweep_epoch(
                loss, make_optimizer, int(batch_size), rates, params, states, data,
                jax.random.fold_in(key, epoch),
            )  # fmt: skip
            curves["train"].append(points["train"])
            if validation is not None:
                curves["validation"].append(
                    _sweep_mean(loss, int(batch_size), params, as_arrays(validation))
                )
            bar.update()
    return Sweep(params, {k: np.stack(v, axis=1) for k, v in curves.items()})


def _checked_rates(rates: jax.typing.ArrayLike) -> jax.Array:
    values = np.asarray(rates, np.float32)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"expected rates of shape (R,), got {values.shape}")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"expected finite rates of 0 or more, got {values.tolist()}")
    return jnp.asarray(values)
