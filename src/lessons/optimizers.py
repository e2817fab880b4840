"""Optimizers: rules that turn gradients into steps.

An optimizer is a pair of functions, as in Optax:

- `state = optimizer.init(params)`
- `updates, state = optimizer.update(grads, state, params)`

The updates are *added* to the parameters: `apply_updates(params, updates)`.
Names, arguments and defaults are Optax's, so a program changes library by
writing `optax` for `optimizers`, and the parts of either fit the other's
`chain`. Built in chapter 04.
"""

from collections.abc import Callable

import jax

from lessons._checks import check_range
from lessons.schedules import (
    constant_schedule,
    cosine_decay_schedule,
    exponential_decay,
    join_schedules,
    linear_schedule,
    piecewise_constant_schedule,
    warmup_cosine_decay_schedule,
)
from lessons.update_rules import (
    Optimizer,
    Rate,
    Tree,
    add_decayed_weights,
    apply_updates,
    chain,
    clip_by_global_norm,
    global_norm,
    scale_by_adam,
    scale_by_learning_rate,
    scale_by_rms,
    trace,
)

__all__ = [
    "Optimizer",
    "adam",
    "adamw",
    "add_decayed_weights",
    "apply_updates",
    "chain",
    "clip_by_global_norm",
    "constant_schedule",
    "cosine_decay_schedule",
    "exponential_decay",
    "global_norm",
    "join_schedules",
    "linear_schedule",
    "piecewise_constant_schedule",
    "rmsprop",
    "scale_by_adam",
    "scale_by_learning_rate",
    "scale_by_rms",
    "sgd",
    "trace",
    "warmup_cosine_decay_schedule",
]


def sgd(
    learning_rate: Rate, momentum: float | None = None, nesterov: bool = False
) -> Optimizer:
    """Return gradient descent: one step against the gradient.

    `p = p - learning_rate * g`; with `momentum`, `g` is replaced by the velocity
    of `trace`. On mini-batches this is stochastic gradient descent. Robbins and
    Monro (1951); Polyak (1964); Nesterov (1983). Built in chapter 04.

    Parameters
    ----------
    learning_rate : scalar or Schedule
        The rate.
    momentum : float, optional
        The share of the velocity that is kept, in [0, 1). Default: no velocity.
    nesterov : bool
        Whether the velocity looks ahead.

    Returns
    -------
    Optimizer
        The optimizer.

    Raises
    ------
    ValueError
        If a number is out of range, or `nesterov` comes without `momentum`
        (Optax ignores it then).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> optimizer = sgd(0.1, momentum=0.9)
    >>> params = jnp.array(1.0)
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, state = optimizer.update(2 * params, state)
    ...     params = apply_updates(params, updates)
    ...     print(round(float(params), 3))
    0.8
    0.46
    """
    if momentum is None and nesterov:
        raise ValueError("expected a momentum with nesterov=True, got momentum=None")
    if momentum is None:
        return chain(scale_by_learning_rate(learning_rate))
    check_range("momentum", momentum, high=1)
    return chain(trace(momentum, nesterov), scale_by_learning_rate(learning_rate))


def rmsprop(learning_rate: Rate, decay: float = 0.9, eps: float = 1e-8) -> Optimizer:
    """Return RMSProp: every parameter has its own step size.

    `p = p - learning_rate * g / sqrt(nu + eps)`, with `nu` of `scale_by_rms`.
    Tieleman and Hinton (2012, lecture 6.5). Optax's further options (centred,
    momentum) are left out. Built in chapter 04.

    Parameters
    ----------
    learning_rate : scalar or Schedule
        The rate.
    decay : float
        The share of the mean square that is kept, in [0, 1).
    eps : float
        Added inside the root, 0 or more.

    Returns
    -------
    Optimizer
        The optimizer.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> optimizer = rmsprop(0.1, decay=0.75)
    >>> updates, _ = optimizer.update(jnp.array(3.0), optimizer.init(jnp.array(0.0)))
    >>> round(float(updates), 4)
    -0.2
    """
    return chain(scale_by_rms(decay, eps), scale_by_learning_rate(learning_rate))


def adam(
    learning_rate: Rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> Optimizer:
    """Return Adam: momentum and a step size for every parameter.

    `p = p - learning_rate * mu_hat / (sqrt(nu_hat) + eps)`, with the corrected
    means of `scale_by_adam`. Kingma and Ba (2015, algorithm 1).
    Built in chapter 04.

    Parameters
    ----------
    learning_rate : scalar or Schedule
        The rate.
    b1, b2 : float
        The shares of the two means that are kept, in [0, 1).
    eps : float
        Added outside the root, 0 or more.

    Returns
    -------
    Optimizer
        The optimizer.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> optimizer = adam(0.1)
    >>> updates, _ = optimizer.update(jnp.array(3.0), optimizer.init(jnp.array(0.0)))
    >>> round(float(updates), 4)
    -0.1
    """
    return chain(scale_by_adam(b1, b2, eps), scale_by_learning_rate(learning_rate))


def adamw(
    learning_rate: Rate,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    *,
    weight_decay: jax.typing.ArrayLike = 1e-4,
    mask: Tree | Callable[[Tree], Tree] | None = None,
) -> Optimizer:
    """Return AdamW: Adam with weight decay outside the adaptive step.

    `p = p - learning_rate * (mu_hat / (sqrt(nu_hat) + eps) + weight_decay * p)`.
    With L2 in the loss, that is `chain(add_decayed_weights(...), adam(...))`,
    Adam divides the decay by `sqrt(nu_hat)`, so parameters with large gradients
    hardly decay. Here all decay alike. Loshchilov and Hutter (2019, algorithm
    2); as in Optax and PyTorch, the decay is multiplied by the learning rate.
    Built in chapter 04.

    Parameters
    ----------
    learning_rate : scalar or Schedule
        The rate.
    b1, b2 : float
        The shares of the two means that are kept, in [0, 1).
    eps : float
        Added outside the root, 0 or more.
    weight_decay : scalar
        The share of the parameters taken away, before the rate, 0 or more.
    mask : tree of bool, or function from parameters to one, optional
        Which arrays decay. Default: all.

    Returns
    -------
    Optimizer
        The optimizer. Its `update` needs the parameters.

    Raises
    ------
    ValueError
        If a number is out of range, or from `update`, if `params` is missing.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> optimizer = adamw(0.1, weight_decay=0.5)
    >>> params = jnp.array(4.0)
    >>> updates, _ = optimizer.update(jnp.array(3.0), optimizer.init(params), params)
    >>> round(float(updates), 4)
    -0.3
    """
    return chain(
        scale_by_adam(b1, b2, eps),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
