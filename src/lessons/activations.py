"""Activation functions, each beside its derivative worked out by hand.

Every function maps arrays of any shape element by element, in the type it is given.
``f_grad(x)`` is the derivative of ``f`` at ``x``, written as a formula.
``jax.grad(f)`` gives the same number, also where naive code gives NaN:
a branch that is not taken never sees a value it cannot handle.

Two conventions hold at the ends of the line and at the kinks.
At ``+inf`` and ``-inf`` a function and its derivative take their limits.
At a kink the derivative is the one stated in the docstring.
NaN goes in and NaN comes out, so that no mistake is hidden.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import erfc
from jax.typing import ArrayLike


def sigmoid(x: ArrayLike) -> Array:
    """Squash a number into (0, 1).

    ``sigmoid(x) = 1 / (1 + exp(-x)) = exp(x) / (1 + exp(x))``; the form is chosen by
    the sign of ``x``, so that ``exp`` is never taken of a positive number.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        0 at -inf, 1 at +inf.

    Notes
    -----
    Named the logistic function by Verhulst (1845). Built in chapter 01.

    Examples
    --------
    >>> float(sigmoid(0.0))
    0.5
    """
    return _sigmoid(_as_float(x))


def sigmoid_grad(x: ArrayLike) -> Array:
    """Derivative of the sigmoid: a product, not a power.

    ``sigmoid_grad(x) = sigmoid(x) * (1 - sigmoid(x)) = sigmoid(x) * sigmoid(-x)``;
    the last form keeps its relative precision where ``sigmoid(x)`` rounds to 1.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        At most 1/4, reached at 0; 0 at -inf and +inf.

    Notes
    -----
    Built in chapter 01, which also shows the published slip
    ``sigmoid(x) ** (1 - sigmoid(x))`` (bug clinic B2).

    Examples
    --------
    >>> float(sigmoid_grad(0.0))
    0.25
    """
    x = _as_float(x)
    return sigmoid(x) * sigmoid(-x)


def tanh(x: ArrayLike) -> Array:
    """Squash a number into (-1, 1), with 0 staying 0.

    ``tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)) = 2 * sigmoid(2 * x) - 1``,
    computed by ``jnp.tanh`` because either formula loses digits near 0.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        -1 at -inf, 1 at +inf.

    Notes
    -----
    Recommended over the sigmoid for hidden layers by LeCun, Bottou, Orr and Müller
    (1998). Built in chapter 01.

    Examples
    --------
    >>> float(tanh(0.0))
    0.0
    """
    return jnp.tanh(_as_float(x))


def tanh_grad(x: ArrayLike) -> Array:
    """Derivative of tanh.

    ``tanh_grad(x) = 1 - tanh(x) ** 2 = 4 * sigmoid_grad(2 * x)``; the last form keeps
    its relative precision where ``tanh(x)`` rounds to 1.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        At most 1, reached at 0; 0 at -inf and +inf.

    Notes
    -----
    Built in chapter 01.

    Examples
    --------
    >>> float(tanh_grad(0.0))
    1.0
    """
    return 4 * sigmoid_grad(2 * _as_float(x))


def relu(x: ArrayLike) -> Array:
    """Keep the positive part.

    ``relu(x) = x if x > 0 else 0``.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        0 at -inf, +inf at +inf.

    Notes
    -----
    ``jax.grad(relu)(0.0)`` is 0, as in ``jax.nn.relu``; ``jnp.maximum(x, 0)`` would
    give 1/2. Nair and Hinton (2010). Built in chapter 01.

    Examples
    --------
    >>> relu(jnp.array([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 3.0]
    """
    x = _as_float(x)
    return jnp.where(x <= 0, 0, x)


def relu_grad(x: ArrayLike) -> Array:
    """Derivative of ReLU, a step.

    ``relu_grad(x) = 1 if x > 0 else 0``; at the kink it is 0.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x

    Notes
    -----
    Built in chapter 01.

    Examples
    --------
    >>> relu_grad(jnp.array([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    x = _as_float(x)
    return _step(x, x <= 0, 0)


def leaky_relu(x: ArrayLike, slope: float = 0.01) -> Array:
    """Keep the positive part and a small share of the negative one.

    ``leaky_relu(x) = x if x >= 0 else slope * x``.

    Parameters
    ----------
    x : array of any shape
    slope : float
        The share kept on the left, dimensionless.

    Returns
    -------
    array of the shape of x
        -inf at -inf (for a positive slope), +inf at +inf.

    Notes
    -----
    Maas, Hannun and Ng (2013), who used 0.01. Built in chapter 01.

    Examples
    --------
    >>> leaky_relu(jnp.array([-2.0, 0.0, 3.0]), slope=0.5).tolist()
    [-1.0, 0.0, 3.0]
    """
    x = _as_float(x)
    return jnp.where(x < 0, slope * x, x)


def leaky_relu_grad(x: ArrayLike, slope: float = 0.01) -> Array:
    """Derivative of the leaky ReLU.

    ``leaky_relu_grad(x) = 1 if x >= 0 else slope``; at the kink it is 1.

    Parameters
    ----------
    x : array of any shape
    slope : float
        The slope on the left, as given to ``leaky_relu``.

    Returns
    -------
    array of the shape of x

    Notes
    -----
    Built in chapter 01.

    Examples
    --------
    >>> leaky_relu_grad(jnp.array([-2.0, 0.0, 3.0]), slope=0.5).tolist()
    [0.5, 1.0, 1.0]
    """
    x = _as_float(x)
    return _step(x, x < 0, slope)


def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Keep the positive part; let the negative part saturate smoothly at -alpha.

    ``elu(x) = x if x >= 0 else alpha * (exp(x) - 1)``; ``expm1`` computes
    ``exp(x) - 1`` without losing digits near 0.

    Parameters
    ----------
    x : array of any shape
    alpha : float
        The level reached at -inf is ``-alpha``.

    Returns
    -------
    array of the shape of x
        -alpha at -inf, +inf at +inf.

    Notes
    -----
    ``exp`` of a large positive ``x`` overflows, and autodiff would multiply that
    infinity by 0 into NaN; the branch not taken is therefore given 0 instead of ``x``.
    Clevert, Unterthiner and Hochreiter (2016), equation 15. Built in chapter 01.

    Examples
    --------
    >>> elu(jnp.array([-jnp.inf, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 3.0]
    """
    x = _as_float(x)
    return jnp.where(x < 0, alpha * jnp.expm1(jnp.where(x < 0, x, 0)), x)


def elu_grad(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Derivative of the ELU.

    ``elu_grad(x) = 1 if x >= 0 else alpha * exp(x)``; at 0 it is 1, whatever ``alpha``.

    Parameters
    ----------
    x : array of any shape
    alpha : float
        As given to ``elu``.

    Returns
    -------
    array of the shape of x
        0 at -inf, 1 at +inf.

    Notes
    -----
    Built in chapter 01.

    Examples
    --------
    >>> elu_grad(jnp.array([-jnp.inf, 0.0, 3.0])).tolist()
    [0.0, 1.0, 1.0]
    """
    x = _as_float(x)
    return _step(x, x < 0, alpha * jnp.exp(jnp.where(x < 0, x, 0)))


def gelu(x: ArrayLike) -> Array:
    """Weight a number by the share of the normal distribution below it.

    ``gelu(x) = x * cdf(x)``, where ``cdf(x) = erfc(-x / sqrt(2)) / 2`` is the
    cumulative distribution of the standard normal.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        0 at -inf, +inf at +inf.

    Notes
    -----
    This is the exact form; ``jax.nn.gelu`` uses a tanh approximation by default, which
    differs by up to 5e-4, and both of its forms give NaN at -inf.
    Hendrycks and Gimpel (2016). Built in chapter 01.

    Examples
    --------
    >>> gelu(jnp.array([-jnp.inf, 0.0, jnp.inf])).tolist()
    [0.0, 0.0, inf]
    """
    x = _as_float(x)
    finite = _finite_or_zero(x)
    return jnp.where(jnp.isinf(x), relu(x), finite * _normal_cdf(finite))


def gelu_grad(x: ArrayLike) -> Array:
    """Derivative of the GELU.

    ``gelu_grad(x) = cdf(x) + x * pdf(x)``, where
    ``pdf(x) = exp(-x ** 2 / 2) / sqrt(2 * pi)`` is the standard normal density.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        0 at -inf, 1 at +inf, 1/2 at 0.

    Notes
    -----
    Built in chapter 01.

    Examples
    --------
    >>> gelu_grad(jnp.array([-jnp.inf, 0.0, jnp.inf])).tolist()
    [0.0, 0.5, 1.0]
    """
    x = _as_float(x)
    finite = _finite_or_zero(x)
    pdf = jnp.exp(-jnp.square(finite) / 2) / jnp.sqrt(2 * jnp.pi).astype(x.dtype)
    return jnp.where(jnp.isinf(x), relu_grad(x), _normal_cdf(finite) + finite * pdf)


def silu(x: ArrayLike) -> Array:
    """Weight a number by its own sigmoid; also called swish.

    ``silu(x) = x * sigmoid(x)``.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        0 at -inf, +inf at +inf.

    Notes
    -----
    ``jax.nn.silu`` gives NaN at -inf. Elfwing, Uchibe and Doya (2018), equation 1.
    Built in chapter 01.

    Examples
    --------
    >>> silu(jnp.array([-jnp.inf, 0.0, jnp.inf])).tolist()
    [0.0, 0.0, inf]
    """
    x = _as_float(x)
    finite = _finite_or_zero(x)
    return jnp.where(jnp.isinf(x), relu(x), finite * sigmoid(finite))


def silu_grad(x: ArrayLike) -> Array:
    """Derivative of the SiLU.

    ``silu_grad(x) = sigmoid(x) + x * sigmoid_grad(x)``.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the shape of x
        0 at -inf, 1 at +inf, 1/2 at 0.

    Notes
    -----
    Elfwing, Uchibe and Doya (2018), equation 2. Built in chapter 01.

    Examples
    --------
    >>> silu_grad(jnp.array([-jnp.inf, 0.0, jnp.inf])).tolist()
    [0.0, 0.5, 1.0]
    """
    x = _as_float(x)
    finite = _finite_or_zero(x)
    slope = sigmoid(finite) + finite * sigmoid_grad(finite)
    return jnp.where(jnp.isinf(x), relu_grad(x), slope)


def softmax(x: ArrayLike, axis: int = -1) -> Array:
    """Turn scores into probabilities.

    ``softmax(x)[i] = exp(x[i] - max(x)) / sum(exp(x - max(x)))``; subtracting the
    maximum changes nothing in exact arithmetic and keeps ``exp`` from overflowing.

    Parameters
    ----------
    x : array of any shape
        Scores (logits), at least one finite along ``axis`` and none +inf.
    axis : int
        The axis that sums to 1.

    Returns
    -------
    array of the shape of x
        A score of -inf gets probability 0.

    Notes
    -----
    Bridle (1990). Built in chapter 01.

    Examples
    --------
    >>> softmax(jnp.array([1e4, 1e4, -jnp.inf])).tolist()
    [0.5, 0.5, 0.0]
    """
    x = _as_float(x)
    top = jax.lax.stop_gradient(x.max(axis=axis, keepdims=True))
    weights = jnp.exp(x - top)
    return weights / weights.sum(axis=axis, keepdims=True)


def log_softmax(x: ArrayLike, axis: int = -1) -> Array:
    """Logarithm of the softmax, finite where the softmax itself rounds to 0.

    ``log_softmax(x)[i] = x[i] - max(x) - log(sum(exp(x - max(x))))``.

    Parameters
    ----------
    x : array of any shape
        Scores (logits), at least one finite along ``axis`` and none +inf.
    axis : int
        The axis along which the probabilities sum to 1.

    Returns
    -------
    array of the shape of x
        In nats, at most 0.

    Notes
    -----
    Built in chapter 01.

    Examples
    --------
    >>> log_softmax(jnp.array([0.0, -1e4])).tolist()
    [0.0, -10000.0]
    """
    x = _as_float(x)
    shifted = x - jax.lax.stop_gradient(x.max(axis=axis, keepdims=True))
    return shifted - jnp.log(jnp.exp(shifted).sum(axis=axis, keepdims=True))


def softmax_jacobian(x: ArrayLike) -> Array:
    """All derivatives of the softmax of one vector.

    ``softmax_jacobian(x)[i, j] = p[i] * ((i == j) - p[j])`` with ``p = softmax(x)``.

    Parameters
    ----------
    x : array of shape (K,)
        Scores of one example.

    Returns
    -------
    array of shape (K, K)
        Row ``i`` holds the derivatives of probability ``i``. Symmetric; rows sum to 0.

    Raises
    ------
    ValueError
        If ``x`` is not a vector.

    Notes
    -----
    Built in chapter 01.

    Examples
    --------
    >>> softmax_jacobian(jnp.array([0.0, 0.0])).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]
    """
    x = _as_float(x)
    if x.ndim != 1:
        raise ValueError(f"expected scores of shape (K,), got {x.shape}")
    p = softmax(x)
    return p[:, None] * (jnp.eye(len(p), dtype=p.dtype) - p)


@jax.custom_jvp
def _sigmoid(x: Array) -> Array:
    """Compute both forms of the sigmoid from one power, of a number never over 0."""
    power = _falling_power(x)
    return jnp.where(x < 0, power, 1) / (1 + power)


@_sigmoid.defjvp
def _sigmoid_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Give autodiff the derivative by hand: it needs no power of its own.

    ``sigmoid(x) * sigmoid(-x)``, written with the power that the value takes. Without
    it, training an LSTM takes a third longer.
    """
    [x], [tangent] = primals, tangents
    power = _falling_power(x)
    return _sigmoid(x), power / jnp.square(1 + power) * tangent


def _falling_power(x: Array) -> Array:
    """Return ``exp(-|x|)``, with a derivative of -1 at 0."""
    return jnp.exp(jnp.where(x < 0, x, -x))


def _as_float(x: ArrayLike) -> Array:
    """Make an array; integers become floats, floats keep their type."""
    return jnp.asarray(x, dtype=jnp.result_type(x, float))


def _step(x: Array, left: Array, low: ArrayLike) -> Array:
    """Give low on the left, 1 on the right, and NaN where x is NaN."""
    return jnp.where(left, low, jnp.where(jnp.isnan(x), x, 1))


def _finite_or_zero(x: Array) -> Array:
    """Replace infinities by 0, so that the branch not taken cannot make NaN."""
    return jnp.where(jnp.isinf(x), 0, x)


def _normal_cdf(x: Array) -> Array:
    """Share of the standard normal distribution below x."""
    return erfc(-x / jnp.sqrt(2).astype(x.dtype)) / 2
