"""Update rules: the parts that optimizers are chained from.

Each turns gradients into updates by one equation. `lessons.optimizers` exports
them all. Built in chapter 04.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lessons._checks import check_positive, check_range
from lessons.schedules import Schedule

Tree = Any
Rate = jax.typing.ArrayLike | Schedule


class Optimizer(NamedTuple):
    """A pair of functions: `init(params)` and `update(grads, state, params=None)`.

    Examples
    --------
    >>> optimizer = scale_by_learning_rate(0.5)
    >>> state = optimizer.init(jnp.array([1.0, 2.0]))
    >>> updates, state = optimizer.update(jnp.array([2.0, -2.0]), state)
    >>> updates.tolist()
    [-1.0, 1.0]
    """

    init: Callable[[Tree], Tree]
    update: Callable[..., tuple[Tree, Tree]]


class EmptyState(NamedTuple):
    """The state of a rule that remembers nothing."""


class CountState(NamedTuple):
    """The number of updates made, an int32 scalar."""

    count: jax.Array


class TraceState(NamedTuple):
    """The velocity, a tree like the parameters."""

    trace: Tree


class RmsState(NamedTuple):
    """The running mean of squared gradients, a tree like the parameters."""

    nu: Tree


class AdamState(NamedTuple):
    """The number of updates and the running means of `g` and `g ** 2`."""

    count: jax.Array
    mu: Tree
    nu: Tree


def _map(f: Callable, expected: Tree, *others: Tree) -> Tree:
    """Map over trees as jax.tree.map does, but never broadcast a leaf."""

    def call(leaf: jax.Array, *rest: jax.Array) -> jax.Array:
        for other in rest:
            if jnp.shape(other) != jnp.shape(leaf):
                raise ValueError(
                    f"expected an array of shape {jnp.shape(leaf)} like the "
                    f"parameter, got {jnp.shape(other)}"
                )
        return f(leaf, *rest)

    return jax.tree.map(call, expected, *others)


def _running_mean(decay: float, means: Tree, values: Tree) -> Tree:
    """Return decay * mean + (1 - decay) * value, in the dtype of the mean."""

    def step(mean: jax.Array, value: jax.Array) -> jax.Array:
        return (decay * mean + (1 - decay) * value).astype(mean.dtype)

    return _map(step, means, values)


def _zeros(params: Tree) -> Tree:
    return jax.tree.map(jnp.zeros_like, params)


def _no_state(params: Tree) -> EmptyState:
    return EmptyState()


def apply_updates(params: Tree, updates: Tree) -> Tree:
    """Add the updates to the parameters.

    `params = params + updates`, in the dtype of the parameters.
    Built in chapter 04.

    Parameters
    ----------
    params, updates : trees of arrays
        Equal structure and shapes.

    Returns
    -------
    tree of arrays
        The new parameters.

    Raises
    ------
    ValueError
        If structures or shapes differ. Optax broadcasts where it can.

    Examples
    --------
    >>> apply_updates({"w": jnp.array([1.0, 2.0])}, {"w": jnp.array([0.5, 0.5])})
    {'w': Array([1.5, 2.5], dtype=float32)}
    """
    return _map(
        lambda p, u: jnp.asarray(p + u).astype(jnp.asarray(p).dtype), params, updates
    )


def global_norm(tree: Tree) -> jax.Array:
    """Return the Euclidean norm of all numbers in a tree taken as one vector.

    `sqrt(sum of x ** 2)`, summed in float32 or wider also for bfloat16 leaves,
    where Optax sums in the leaf's own dtype. Built in chapter 04.

    Parameters
    ----------
    tree : tree of arrays
        Usually gradients.

    Returns
    -------
    array of shape ()
        The norm; 0 for an empty tree.

    Examples
    --------
    >>> global_norm({"w": jnp.array([3.0, 0.0]), "b": jnp.array([4.0])})
    Array(5., dtype=float32)
    """

    def squares(x: jax.Array) -> jax.Array:
        x = jnp.asarray(x)
        return jnp.sum(jnp.square(x.astype(jnp.promote_types(x.dtype, jnp.float32))))

    return jnp.sqrt(sum(map(squares, jax.tree.leaves(tree)), start=jnp.zeros(())))


def chain(*parts: Optimizer) -> Optimizer:
    """Join rules: the updates of each are the gradients of the next.

    Optax's transformations fit in, and a chain fits into Optax's.
    Built in chapter 04.

    Parameters
    ----------
    *parts : Optimizer
        The rules in order.

    Returns
    -------
    Optimizer
        Its state is the tuple of the parts' states.

    Raises
    ------
    ValueError
        From `update`, if the state does not have one entry for each part.

    Examples
    --------
    >>> optimizer = chain(clip_by_global_norm(1.0), scale_by_learning_rate(0.1))
    >>> state = optimizer.init(jnp.array([0.0]))
    >>> updates, state = optimizer.update(jnp.array([50.0]), state)
    >>> round(float(updates[0]), 3)
    -0.1
    """

    def init(params: Tree) -> tuple:
        return tuple(part.init(params) for part in parts)

    def update(grads: Tree, state: tuple, params: Tree = None) -> tuple[Tree, tuple]:
        if len(state) != len(parts):
            raise ValueError(
                f"expected the state of a chain of {len(parts)}, got one of "
                f"{len(state)}: was it made by this chain's init?"
            )
        states = []
        for part, part_state in zip(parts, state, strict=True):
            grads, part_state = part.update(grads, part_state, params)
            states.append(part_state)
        return grads, tuple(states)

    return Optimizer(init, update)


def scale_by_learning_rate(learning_rate: Rate) -> Optimizer:
    """Multiply by minus the learning rate, so that a step goes downhill.

    `update = -learning_rate * g`, or `-learning_rate(count) * g` for a schedule,
    where `count` is 0 at the first update. Built in chapter 04.

    Parameters
    ----------
    learning_rate : scalar or Schedule
        A number, an array (also a traced one), or a function of the step.

    Returns
    -------
    Optimizer
        The rule.

    Raises
    ------
    ValueError
        If the rate is a negative or non-finite Python number.

    Examples
    --------
    >>> optimizer = scale_by_learning_rate(lambda count: 1.0 / (1 + count))
    >>> state = optimizer.init(jnp.array(0.0))
    >>> for _ in range(2):
    ...     update, state = optimizer.update(jnp.array(3.0), state)
    ...     print(update)
    -3.0
    -1.5
    """
    check_range("learning_rate", learning_rate)

    def scale(grads: Tree, rate: jax.typing.ArrayLike) -> Tree:
        return jax.tree.map(lambda g: -jnp.asarray(rate, g.dtype) * g, grads)

    def fixed(grads: Tree, state: EmptyState, params: Tree = None) -> tuple:
        return scale(grads, learning_rate), state

    def scheduled(grads: Tree, state: CountState, params: Tree = None) -> tuple:
        return scale(grads, learning_rate(state.count)), CountState(state.count + 1)

    if not callable(learning_rate):
        return Optimizer(_no_state, fixed)
    return Optimizer(lambda params: CountState(jnp.zeros((), jnp.int32)), scheduled)


def trace(decay: float, nesterov: bool = False) -> Optimizer:
    """Add up gradients in a velocity that forgets: momentum.

    `v = decay * v + g`, and `update = v`; with `nesterov`,
    `update = decay * v + g`, which looks one step ahead.
    Polyak (1964, the heavy ball); Nesterov (1983), in the form of Sutskever et
    al. (2013) that evaluates the gradient at the current parameters. The
    velocity is a sum, not a mean: under a constant gradient it grows to
    `g / (1 - decay)`. Built in chapter 04.

    Parameters
    ----------
    decay : float
        The share of the velocity that is kept, in [0, 1).
    nesterov : bool
        Whether to look ahead.

    Returns
    -------
    Optimizer
        The rule, with no learning rate yet.

    Raises
    ------
    ValueError
        If `decay` is outside [0, 1), or from `update`, if a gradient does not
        have its parameter's shape.

    Examples
    --------
    >>> rule = trace(0.5)
    >>> state = rule.init(jnp.array(0.0))
    >>> for _ in range(3):
    ...     update, state = rule.update(jnp.array(1.0), state)
    ...     print(update)
    1.0
    1.5
    1.75
    """
    check_range("decay", decay, high=1)

    def accumulate(velocity: Tree, grads: Tree) -> Tree:
        return _map(lambda v, g: (decay * v + g).astype(v.dtype), velocity, grads)

    def update(grads: Tree, state: TraceState, params: Tree = None) -> tuple:
        velocity = accumulate(state.trace, grads)
        step = accumulate(velocity, grads) if nesterov else velocity
        return step, TraceState(velocity)

    return Optimizer(lambda params: TraceState(_zeros(params)), update)


def scale_by_rms(decay: float = 0.9, eps: float = 1e-8) -> Optimizer:
    """Divide each gradient by the root of its running mean square.

    `nu = decay * nu + (1 - decay) * g ** 2`, `update = g / sqrt(nu + eps)`.
    Tieleman and Hinton (2012, lecture 6.5). `eps` lies inside the root, as in
    Optax; PyTorch adds it outside. Built in chapter 04.

    Parameters
    ----------
    decay : float
        The share of the mean that is kept, in [0, 1).
    eps : float
        Keeps the quotient finite, 0 or more.

    Returns
    -------
    Optimizer
        The rule, with no learning rate yet.

    Raises
    ------
    ValueError
        If `decay` or `eps` is out of range, or from `update`, if a gradient does
        not have its parameter's shape.

    Examples
    --------
    >>> rule = scale_by_rms(decay=0.75)
    >>> update, state = rule.update(jnp.array(3.0), rule.init(jnp.array(0.0)))
    >>> round(float(update), 4)
    2.0
    """
    check_range("decay", decay, high=1)
    check_range("eps", eps)

    def update(grads: Tree, state: RmsState, params: Tree = None) -> tuple:
        nu = _running_mean(decay, state.nu, jax.tree.map(jnp.square, grads))
        return _map(lambda g, n: g / jnp.sqrt(n + eps), grads, nu), RmsState(nu)

    return Optimizer(lambda params: RmsState(_zeros(params)), update)


def scale_by_adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """Divide the running mean of gradients by the root of their mean square.

    At update `t = 1, 2, ...`:

    - `mu = b1 * mu + (1 - b1) * g`, `nu = b2 * nu + (1 - b2) * g ** 2`
    - `mu_hat = mu / (1 - b1 ** t)`, `nu_hat = nu / (1 - b2 ** t)`
    - `update = mu_hat / (sqrt(nu_hat) + eps)`

    The second line is the bias correction: both means start at 0, so the early
    ones are too small, and not by the same factor. Kingma and Ba (2015,
    algorithm 1). Built in chapter 04.

    Parameters
    ----------
    b1, b2 : float
        The shares of the two means that are kept, in [0, 1).
    eps : float
        Keeps the quotient finite, 0 or more.

    Returns
    -------
    Optimizer
        The rule, with no learning rate yet.

    Raises
    ------
    ValueError
        If `b1`, `b2` or `eps` is out of range, or from `update`, if a gradient
        does not have its parameter's shape.

    Examples
    --------
    >>> rule = scale_by_adam()
    >>> update, state = rule.update(jnp.array(-7.0), rule.init(jnp.array(0.0)))
    >>> round(float(update), 4)
    -1.0
    """
    check_range("b1", b1, high=1)
    check_range("b2", b2, high=1)
    check_range("eps", eps)

    def init(params: Tree) -> AdamState:
        return AdamState(jnp.zeros((), jnp.int32), _zeros(params), _zeros(params))

    def update(grads: Tree, state: AdamState, params: Tree = None) -> tuple:
        t = state.count + 1
        mu = _running_mean(b1, state.mu, grads)
        nu = _running_mean(b2, state.nu, jax.tree.map(jnp.square, grads))

        def step(m: jax.Array, n: jax.Array) -> jax.Array:
            # The powers are taken in float32: in bfloat16, 1 - b2 ** t is 0.
            mu_hat = m / (1 - b1**t).astype(m.dtype)
            nu_hat = n / (1 - b2**t).astype(n.dtype)
            return mu_hat / (jnp.sqrt(nu_hat) + eps)

        return _map(step, mu, nu), AdamState(t, mu, nu)

    return Optimizer(init, update)


def add_decayed_weights(
    weight_decay: jax.typing.ArrayLike = 0.0,
    mask: Tree | Callable[[Tree], Tree] | None = None,
) -> Optimizer:
    """Add a share of the parameters to the updates: weight decay.

    `update = g + weight_decay * p`. Its place in the chain matters. Before an
    adaptive rule it is the gradient of the L2 penalty
    `weight_decay / 2 * sum(p ** 2)`, and the rule divides it away again with
    the rest. After the rule it is decoupled decay, as in `adamw`. Loshchilov and
    Hutter (2019, section 2). Built in chapter 04.

    Parameters
    ----------
    weight_decay : scalar
        The share, 0 or more.
    mask : tree of bool, or function from parameters to one, optional
        Which arrays decay, for instance weights but not biases. Default: all.

    Returns
    -------
    Optimizer
        The rule.

    Raises
    ------
    ValueError
        If `weight_decay` is a negative number, or from `update`, if `params` is
        missing or a shape differs.

    Examples
    --------
    >>> rule = add_decayed_weights(0.1)
    >>> params = jnp.array([10.0, 20.0])
    >>> rule.update(jnp.array([0.0, 1.0]), rule.init(params), params)[0].tolist()
    [1.0, 3.0]
    """
    check_range("weight_decay", weight_decay)

    def update(grads: Tree, state: EmptyState, params: Tree = None) -> tuple:
        if params is None:
            raise ValueError(
                "weight decay needs the parameters: call "
                "update(grads, state, params), got params=None"
            )
        decays = mask(params) if callable(mask) else mask
        if decays is None:
            decays = jax.tree.map(lambda _: True, params)

        def add(g: jax.Array, p: jax.Array) -> jax.Array:
            return (g + weight_decay * p).astype(g.dtype)

        added = _map(add, grads, params)
        return jax.tree.map(
            lambda yes, new, g: new if yes else g, decays, added, grads
        ), state

    return Optimizer(_no_state, update)


def clip_by_global_norm(max_norm: jax.typing.ArrayLike) -> Optimizer:
    """Shorten the gradient, all arrays taken as one vector, to a longest norm.

    `update = g * max_norm / max(global_norm(g), max_norm)`: a shorter gradient
    passes unchanged, and the direction is kept. Pascanu et al. (2013,
    algorithm 1). Built in chapter 04.

    Parameters
    ----------
    max_norm : scalar
        The longest norm, over 0.

    Returns
    -------
    Optimizer
        The rule.

    Raises
    ------
    ValueError
        If `max_norm` is a number and not over 0.

    Examples
    --------
    >>> rule = clip_by_global_norm(1.0)
    >>> grads = jnp.array([3.0, 4.0])
    >>> [round(float(u), 3) for u in rule.update(grads, rule.init(grads))[0]]
    [0.6, 0.8]
    """
    check_positive("max_norm", max_norm)

    def update(grads: Tree, state: EmptyState, params: Tree = None) -> tuple:
        factor = max_norm / jnp.maximum(global_norm(grads), max_norm)
        return jax.tree.map(lambda g: g * factor.astype(g.dtype), grads), state

    return Optimizer(_no_state, update)
