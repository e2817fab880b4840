"""Toy tasks: small two-class problems that can be drawn.

Reach them as `lessons.data.moons` and so on. Each takes a key first, and gives
inputs `(n, features)` in float32 and labels `(n,)` in int32, in random order.
"""

import operator

import jax
import jax.numpy as jnp


def line(key, n: int = 200, noise: float = 0.0):
    """Draw points of an interval; the label says whether x is positive.

    `x ~ uniform(-1, 1)`, `y = x > 0`, then `x + noise * normal`.

    Parameters
    ----------
    key : PRNG key
    n : number of points, at least 1
    noise : standard deviation of the noise added to x after labelling, in the
        units of x; not negative

    Returns
    -------
    x : (n, 1) float32
    y : (n,) int32, 0 or 1

    Raises
    ------
    ValueError
        If n is less than 1 or noise is negative.

    Notes
    -----
    Used in chapter 03.

    Examples
    --------
    >>> import jax
    >>> x, y = line(jax.random.key(0), 5)
    >>> x.shape, bool(((x[:, 0] > 0) == y).all())
    ((5, 1), True)
    """
    return _label_uniform(key, n, noise, 1, lambda x: x[:, 0] > 0)


def diagonal(key, n: int = 200, noise: float = 0.0):
    """Draw points of a square; the label says whether x0 exceeds x1.

    `x ~ uniform(-1, 1)`, `y = x0 > x1`, then `x + noise * normal`.

    Parameters
    ----------
    key : PRNG key
    n : number of points, at least 1
    noise : standard deviation of the noise added to x after labelling, in the
        units of x; not negative

    Returns
    -------
    x : (n, 2) float32
    y : (n,) int32, 0 or 1

    Raises
    ------
    ValueError
        If n is less than 1 or noise is negative.

    Notes
    -----
    Used in chapter 03.

    Examples
    --------
    >>> import jax
    >>> x, y = diagonal(jax.random.key(0), 5)
    >>> x.shape, bool(((x[:, 0] > x[:, 1]) == y).all())
    ((5, 2), True)
    """
    return _label_uniform(key, n, noise, 2, lambda x: x[:, 0] > x[:, 1])


def xor(key, n: int = 200, noise: float = 0.0):
    """Draw points of a square; the label says whether the two signs differ.

    `x ~ uniform(-1, 1)`, `y = (x0 > 0) != (x1 > 0)`, then `x + noise * normal`.
    No straight line separates the classes.

    Parameters
    ----------
    key : PRNG key
    n : number of points, at least 1
    noise : standard deviation of the noise added to x after labelling, in the
        units of x; not negative

    Returns
    -------
    x : (n, 2) float32
    y : (n,) int32, 0 or 1

    Raises
    ------
    ValueError
        If n is less than 1 or noise is negative.

    Notes
    -----
    Used in chapter 03.

    Examples
    --------
    >>> import jax
    >>> x, y = xor(jax.random.key(0), 5)
    >>> x.shape, bool(((x[:, 0] * x[:, 1] < 0) == y).all())
    ((5, 2), True)
    """
    return _label_uniform(key, n, noise, 2, lambda x: (x[:, 0] > 0) != (x[:, 1] > 0))


def moons(key, n: int = 200, noise: float = 0.1):
    """Draw two half circles that reach into each other.

    With `a ~ uniform(0, pi)`: class 0 is `(cos(a), sin(a))`, class 1 is
    `(1 - cos(a), 0.5 - sin(a))`; then `+ noise * normal`.

    Parameters
    ----------
    key : PRNG key
    n : number of points, at least 1; class 0 gets the odd one
    noise : standard deviation of the noise, in the units of x; not negative

    Returns
    -------
    x : (n, 2) float32
    y : (n,) int32, 0 or 1

    Raises
    ------
    ValueError
        If n is less than 1 or noise is negative.

    Notes
    -----
    The curves are those of scikit-learn's `make_moons`, which places the points
    at equal steps; here the angle is random. Used in chapter 03.

    Examples
    --------
    >>> import jax
    >>> x, y = moons(jax.random.key(0), 5, noise=0.0)
    >>> x.shape, y.tolist().count(0)
    ((5, 2), 3)
    """

    def curve(u, y):
        a = jnp.pi * u
        upper = jnp.stack([jnp.cos(a), jnp.sin(a)], axis=-1)
        lower = jnp.stack([1 - jnp.cos(a), 0.5 - jnp.sin(a)], axis=-1)
        return jnp.where(y[:, None] == 0, upper, lower)

    return _along_curve(key, n, noise, curve)


def circles(key, n: int = 200, noise: float = 0.05, factor: float = 0.5):
    """Draw a circle inside another.

    With `a ~ uniform(0, 2 pi)`: `r * (cos(a), sin(a)) + noise * normal`, where
    `r` is 1 for class 0 and `factor` for class 1.

    Parameters
    ----------
    key : PRNG key
    n : number of points, at least 1; class 0 gets the odd one
    noise : standard deviation of the noise, in the units of x; not negative
    factor : radius of the inner circle, between 0 and 1

    Returns
    -------
    x : (n, 2) float32
    y : (n,) int32, 0 or 1

    Raises
    ------
    ValueError
        If n is less than 1, noise is negative or factor is not within (0, 1).

    Notes
    -----
    Used in chapter 03.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> x, y = circles(jax.random.key(0), 4, noise=0.0)
    >>> sorted(jnp.linalg.norm(x, axis=1).round(3).tolist())
    [0.5, 0.5, 1.0, 1.0]
    """
    if not 0 < factor < 1:
        raise ValueError(f"expected a factor between 0 and 1, got {factor}")

    def curve(u, y):
        a = 2 * jnp.pi * u
        radius = jnp.where(y == 0, 1.0, factor)
        return radius[:, None] * jnp.stack([jnp.cos(a), jnp.sin(a)], axis=-1)

    return _along_curve(key, n, noise, curve)


def spirals(key, n: int = 200, noise: float = 0.02, turns: float = 1.0):
    """Draw two spiral arms around each other.

    With `r = sqrt(u)`, `u ~ uniform(0, 1)` and `a = 2 pi turns r + pi y`:
    `r * (cos(a), sin(a)) + noise * normal`.

    Parameters
    ----------
    key : PRNG key
    n : number of points, at least 1; class 0 gets the odd one
    noise : standard deviation of the noise, in the units of x; not negative
    turns : how often each arm winds around the centre

    Returns
    -------
    x : (n, 2) float32
    y : (n,) int32, 0 or 1

    Raises
    ------
    ValueError
        If n is less than 1 or noise is negative.

    Notes
    -----
    The square root spreads the points over the arm. Used in chapter 03.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> x, y = spirals(jax.random.key(0), 100, noise=0.0)
    >>> bool(jnp.linalg.norm(x, axis=1).max() <= 1)
    True
    """

    def curve(u, y):
        r = jnp.sqrt(u)
        a = 2 * jnp.pi * turns * r + jnp.pi * y
        return r[:, None] * jnp.stack([jnp.cos(a), jnp.sin(a)], axis=-1)

    return _along_curve(key, n, noise, curve)


def _label_uniform(key, n, noise, features, rule):
    """Points of the cube (-1, 1), labelled by a rule before the noise comes."""
    _check(n, noise)
    point_key, noise_key = jax.random.split(key)
    x = jax.random.uniform(point_key, (n, features), minval=-1.0)
    y = rule(x).astype(jnp.int32)
    return x + noise * jax.random.normal(noise_key, x.shape), y


def _along_curve(key, n, noise, curve):
    """Points along one curve per class, the classes equally often."""
    _check(n, noise)
    order_key, place_key, noise_key = jax.random.split(key, 3)
    y = jax.random.permutation(order_key, jnp.arange(n, dtype=jnp.int32) % 2)
    x = curve(jax.random.uniform(place_key, (n,)), y)
    return x + noise * jax.random.normal(noise_key, x.shape), y


def _check(n, noise):
    """Refuse an empty sample and a negative spread."""
    if operator.index(n) < 1:
        raise ValueError(f"expected at least 1 point, got n={n}")
    if noise < 0:
        raise ValueError(f"expected noise of at least 0, got {noise}")
