"""Learning-rate schedules: functions from a step number to a rate.

Names, arguments and values are Optax's. `lessons.optimizers` exports them all.
Built in chapter 04.
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from lessons._checks import check_positive, check_range

Schedule = Callable[[jax.typing.ArrayLike], jax.typing.ArrayLike]


def constant_schedule(value: jax.typing.ArrayLike) -> Schedule:
    """Return a schedule that is `value` at every step.

    `rate(step) = value`. Built in chapter 04.

    Parameters
    ----------
    value : scalar
        The rate.

    Returns
    -------
    Schedule
        Function from a step number to the rate.

    Raises
    ------
    ValueError
        If `value` is a negative number.

    Examples
    --------
    >>> constant_schedule(0.5)(100)
    0.5
    """
    check_range("value", value)
    return lambda step: value


def linear_schedule(
    init_value: jax.typing.ArrayLike,
    end_value: jax.typing.ArrayLike,
    transition_steps: int,
    transition_begin: int = 0,
) -> Schedule:
    """Return a schedule on a straight line from `init_value` to `end_value`.

    `rate(step) = init_value + (end_value - init_value) * done`, where
    `done = (step - transition_begin) / transition_steps`, clipped to [0, 1].
    A rising line is the warm-up of Goyal et al. (2017, section 2.2).
    Built in chapter 04.

    Parameters
    ----------
    init_value, end_value : scalar
        The rates at both ends.
    transition_steps : int
        Length of the line in steps.
    transition_begin : int
        Steps spent at `init_value` first.

    Returns
    -------
    Schedule
        Function from a step number to the rate.

    Raises
    ------
    ValueError
        If a rate is negative, `transition_steps < 1` (where Optax stays at
        `init_value`) or `transition_begin < 0`.

    Examples
    --------
    >>> rate = linear_schedule(0.0, 1.0, transition_steps=4)
    >>> [float(rate(step)) for step in (0, 1, 4, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """
    check_range("init_value", init_value)
    check_range("end_value", end_value)
    check_range("transition_steps", transition_steps, low=1)
    check_range("transition_begin", transition_begin)

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        done = jnp.clip((step - transition_begin) / transition_steps, 0.0, 1.0)
        # Exact at both ends: done = 1 leaves end_value alone.
        return init_value * (1 - done) + end_value * done

    return schedule


def exponential_decay(
    init_value: jax.typing.ArrayLike,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """Return a schedule that multiplies the rate by a factor again and again.

    `rate(step) = init_value * decay_rate ** periods`, where
    `periods = (step - transition_begin) / transition_steps`. Built in chapter 04.

    Parameters
    ----------
    init_value : scalar
        The rate at the start.
    transition_steps : int
        Steps in which the rate is multiplied by `decay_rate` once.
    decay_rate : float
        The factor, over 0.
    transition_begin : int
        Steps spent at `init_value` first.
    staircase : bool
        Whether `periods` is rounded down, so that the rate falls in steps.
    end_value : float, optional
        Bound that the rate does not cross: a floor if `decay_rate < 1`, a
        ceiling otherwise.

    Returns
    -------
    Schedule
        Function from a step number to the rate.

    Raises
    ------
    ValueError
        If `init_value` is negative, `transition_steps < 1`, `decay_rate <= 0`
        (in these two cases Optax stays at `init_value`) or
        `transition_begin < 0`.

    Examples
    --------
    >>> rate = exponential_decay(1.0, transition_steps=2, decay_rate=0.25)
    >>> [float(rate(step)) for step in (0, 1, 2, 4)]
    [1.0, 0.5, 0.25, 0.0625]
    """
    check_range("init_value", init_value)
    check_range("transition_steps", transition_steps, low=1)
    check_range("transition_begin", transition_begin)
    check_positive("decay_rate", decay_rate)
    bound = jnp.maximum if decay_rate < 1 else jnp.minimum

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        periods = jnp.maximum(step - transition_begin, 0) / transition_steps
        if staircase:
            periods = jnp.floor(periods)
        rate = init_value * jnp.power(decay_rate, periods)
        return rate if end_value is None else bound(rate, end_value)

    return schedule


def piecewise_constant_schedule(
    init_value: jax.typing.ArrayLike,
    boundaries_and_scales: Mapping[int, float] | None = None,
) -> Schedule:
    """Return a schedule in steps: the rate is multiplied at given step numbers.

    `rate(step) = init_value * product of the scales whose boundary <= step`.
    Known as step decay. Built in chapter 04.

    Parameters
    ----------
    init_value : scalar
        The rate at the start.
    boundaries_and_scales : mapping of int to float, optional
        For each boundary the factor that acts from that step on.

    Returns
    -------
    Schedule
        Function from a step number to the rate.

    Raises
    ------
    ValueError
        If `init_value` or a scale is negative.

    Examples
    --------
    >>> rate = piecewise_constant_schedule(1.0, {10: 0.5, 20: 0.5})
    >>> [float(rate(step)) for step in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """
    check_range("init_value", init_value)
    pieces = dict(boundaries_and_scales or {})
    for boundary, scale in pieces.items():
        check_range(f"scale at step {boundary}", scale)

    def schedule(step: jax.typing.ArrayLike) -> jax.typing.ArrayLike:
        rate = init_value
        for boundary, scale in pieces.items():
            rate = rate * jnp.where(step >= boundary, scale, 1.0)
        return rate

    return schedule


def cosine_decay_schedule(
    init_value: jax.typing.ArrayLike,
    decay_steps: int,
    alpha: jax.typing.ArrayLike = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    """Return a schedule that falls along half a cosine wave.

    `rate(step) = init_value * ((1 - alpha) * wave ** exponent + alpha)`, where
    `wave = (1 + cos(pi * step / decay_steps)) / 2`, and the rate stays where it
    is after `decay_steps`. Loshchilov and Hutter (2017, equation 5), without
    restarts. Built in chapter 04.

    Parameters
    ----------
    init_value : scalar
        The rate at step 0.
    decay_steps : int
        Steps until the lowest rate.
    alpha : scalar
        The lowest rate as a fraction of `init_value`.
    exponent : float
        Power that bends the wave.

    Returns
    -------
    Schedule
        Function from a step number to the rate.

    Raises
    ------
    ValueError
        If `init_value`, `alpha` or `exponent` is negative or `decay_steps < 1`.

    Examples
    --------
    >>> rate = cosine_decay_schedule(1.0, decay_steps=100)
    >>> [round(float(rate(step)), 3) for step in (0, 25, 50, 100, 200)]
    [1.0, 0.854, 0.5, 0.0, 0.0]
    """
    check_range("init_value", init_value)
    check_range("decay_steps", decay_steps, low=1)
    check_range("alpha", alpha)
    check_range("exponent", exponent)

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        done = jnp.minimum(step, decay_steps) / decay_steps
        wave = 0.5 * (1 + jnp.cos(jnp.pi * done))
        return init_value * ((1 - alpha) * wave**exponent + alpha)

    return schedule


def join_schedules(
    schedules: Sequence[Schedule], boundaries: Sequence[int]
) -> Schedule:
    """Return a schedule that runs several schedules one after the other.

    `rate(step) = schedules[i](step - boundaries[i - 1])` for the last `i` whose
    boundary is `<= step`: each schedule counts its steps from its own start.
    Built in chapter 04.

    Parameters
    ----------
    schedules : sequence of Schedule
        The schedules in order.
    boundaries : sequence of int
        Rising step numbers at which the second and later schedules begin.

    Returns
    -------
    Schedule
        Function from a step number to the rate.

    Raises
    ------
    ValueError
        If there is not one boundary between each two schedules, or the
        boundaries do not rise.

    Examples
    --------
    >>> rate = join_schedules([constant_schedule(1.0), constant_schedule(0.5)], [10])
    >>> [float(rate(step)) for step in (0, 9, 10)]
    [1.0, 1.0, 0.5]
    """
    if len(schedules) != len(boundaries) + 1:
        raise ValueError(
            f"expected {len(boundaries) + 1} schedules for {len(boundaries)} "
            f"boundaries, got {len(schedules)}"
        )
    if sorted(set(boundaries)) != list(boundaries):
        raise ValueError(f"expected rising boundaries, got {list(boundaries)}")

    def schedule(step: jax.typing.ArrayLike) -> jax.typing.ArrayLike:
        rate = schedules[0](step)
        for boundary, later in zip(boundaries, schedules[1:], strict=True):
            rate = jnp.where(step < boundary, rate, later(step - boundary))
        return rate

    return schedule


def warmup_cosine_decay_schedule(
    init_value: jax.typing.ArrayLike,
    peak_value: jax.typing.ArrayLike,
    warmup_steps: int,
    decay_steps: int,
    end_value: jax.typing.ArrayLike = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    """Return a linear rise to a peak followed by a cosine decay.

    `linear_schedule(init_value, peak_value, warmup_steps)`, then
    `cosine_decay_schedule` from `peak_value` to `end_value`. Warm-up: Goyal et
    al. (2017, section 2.2). Decay: Loshchilov and Hutter (2017, equation 5).
    Built in chapter 04.

    Parameters
    ----------
    init_value, peak_value, end_value : scalar
        The rates at step 0, at `warmup_steps` and from `decay_steps` on.
    warmup_steps : int
        Length of the rise. 0 means no rise.
    decay_steps : int
        Length of the whole, the rise included.
    exponent : float
        Power that bends the cosine.

    Returns
    -------
    Schedule
        Function from a step number to the rate.

    Raises
    ------
    ValueError
        If a rate or `warmup_steps` is negative, `peak_value` is 0 or
        `decay_steps <= warmup_steps`.

    Examples
    --------
    >>> rate = warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=10, decay_steps=110)
    >>> [round(float(rate(step)), 3) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    check_positive("peak_value", peak_value)
    check_range("end_value", end_value)
    check_range("warmup_steps", warmup_steps)
    check_range("decay_steps", decay_steps, low=warmup_steps + 1)
    decay = cosine_decay_schedule(
        peak_value, decay_steps - warmup_steps, end_value / peak_value, exponent
    )
    if warmup_steps == 0:
        return decay
    rise = linear_schedule(init_value, peak_value, warmup_steps)
    return join_schedules([rise, decay], [warmup_steps])
