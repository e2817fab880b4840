"""Backpropagation by hand, and the check that exposes a wrong gradient.

``mlp_forward`` and ``mlp_backward`` compute, for the perceptron of ``lessons.dnn``,
what ``jax.grad`` computes, in the same tree. ``gradient_check`` compares any gradient
with central differences in double precision.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lessons._checks import check_shape
from lessons.activations import sigmoid, softmax
from lessons.dnn import Params, dense

Cache = list[tuple[Array, Array]]


def mlp_forward(
    params: list[Params], x: Array, activation: Callable[[Array], Array]
) -> tuple[Array, Cache]:
    """Apply a perceptron and keep what the backward pass will need.

    ``z = a @ w + b`` and ``a = activation(z)`` layer by layer, the last without
    activation.

    Parameters
    ----------
    params : list of dict
        As made by ``lessons.dnn.mlp_init``.
    x : array of shape (n, n_in)
    activation : function

    Returns
    -------
    output : array of shape (n, n_out)
    cache : list of pairs
        For each layer its input ``a`` and its pre-activation ``z``.

    Raises
    ------
    ValueError
        If there is no layer or ``x`` is not of shape (n, n_in).

    Notes
    -----
    Rumelhart, Hinton and Williams (1986). Built in chapter 02.

    Examples
    --------
    >>> layer = {"w": jnp.array([[2.0]]), "b": jnp.array([1.0])}
    >>> output, cache = mlp_forward([layer], jnp.array([[3.0]]), jnp.tanh)
    >>> output.tolist(), len(cache)
    ([[7.0]], 1)
    """
    if x.ndim != 2:
        raise ValueError(f"expected x of shape (n, n_in), got {x.shape}")
    if not params:
        raise ValueError("expected at least one layer, got none")
    a, cache = x, []
    for layer in params:
        z = dense(layer, a)
        cache.append((a, z))
        a = activation(z)
    return z, cache


def mlp_backward(
    params: list[Params],
    cache: Cache,
    delta: Array,
    activation_grad: Callable[[Array], Array],
) -> list[Params]:
    """Carry an error back through a perceptron and collect every gradient.

    For each layer from the last to the first, with ``delta`` the derivative of the loss
    with respect to its ``z``: ``grad_w = a.T @ delta``, ``grad_b = delta.sum(axis=0)``,
    and for the layer below
    ``delta = (delta @ w.T) * activation_grad(z_below)``.

    Parameters
    ----------
    params : list of dict
        As made by ``lessons.dnn.mlp_init``.
    cache : list of pairs
        From ``mlp_forward``.
    delta : array of shape (n, n_out)
        Derivative of the loss with respect to the output.
    activation_grad : function
        Derivative of the activation, taken at ``z``.

    Returns
    -------
    list of dict
        The gradients, in the same tree as ``params``.

    Raises
    ------
    ValueError
        If ``delta`` has not the shape of the output.

    Notes
    -----
    Rumelhart, Hinton and Williams (1986). Built in chapter 02; what goes wrong when
    ``activation_grad`` belongs to another activation is bug clinic B1.

    Examples
    --------
    >>> layer = {"w": jnp.array([[2.0]]), "b": jnp.array([1.0])}
    >>> output, cache = mlp_forward([layer], jnp.array([[3.0]]), jnp.tanh)
    >>> grads = mlp_backward([layer], cache, jnp.array([[1.0]]), jnp.cosh)
    >>> grads[0]["w"].tolist(), grads[0]["b"].tolist()
    ([[3.0]], [1.0])
    """
    output_shape = cache[-1][1].shape
    if delta.shape != output_shape:
        raise ValueError(f"expected delta of shape {output_shape}, got {delta.shape}")
    grads = []
    for i in reversed(range(len(params))):
        a, _ = cache[i]
        grads.append({"w": a.T @ delta, "b": delta.sum(axis=0)})
        if i > 0:
            delta = (delta @ params[i]["w"].T) * activation_grad(cache[i - 1][1])
    return grads[::-1]


def mse_delta(predictions: Array, targets: Array) -> Array:
    """Derivative of the mean squared error with respect to the predictions.

    ``mse_delta = 2 * (predictions - targets) / predictions.size``.

    Parameters
    ----------
    predictions, targets : arrays of shape (n, n_out)

    Returns
    -------
    array of shape (n, n_out)
        Derivative of ``lessons.losses.mse(...).mean()``.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Built in chapter 02.

    Examples
    --------
    >>> mse_delta(jnp.array([[1.0], [5.0]]), jnp.array([[0.0], [2.0]])).tolist()
    [[1.0], [3.0]]
    """
    check_shape("targets", targets, predictions.shape)
    return 2 * (predictions - targets) / predictions.size


def binary_cross_entropy_delta(logits: Array, labels: Array) -> Array:
    """Derivative of the binary cross-entropy with respect to the logits.

    ``binary_cross_entropy_delta = (sigmoid(logits) - labels) / logits.size``:
    prediction minus label.

    Parameters
    ----------
    logits, labels : arrays of shape (n, ...)

    Returns
    -------
    array of the shape of logits
        Derivative of ``lessons.losses.binary_cross_entropy(...).mean()``.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Built in chapter 02.

    Examples
    --------
    >>> logits, labels = jnp.array([[0.0], [0.0]]), jnp.array([[0.0], [1.0]])
    >>> binary_cross_entropy_delta(logits, labels).tolist()
    [[0.25], [-0.25]]
    """
    check_shape("labels", labels, logits.shape)
    return (sigmoid(logits) - labels) / logits.size


def cross_entropy_delta(logits: Array, labels: Array) -> Array:
    """Derivative of the cross-entropy with respect to the logits.

    ``cross_entropy_delta[i, k] = (softmax(logits)[i, k] - (labels[i] == k)) / n``:
    prediction minus label.

    Parameters
    ----------
    logits : array of shape (n, K)
    labels : integer array of shape (n,)

    Returns
    -------
    array of shape (n, K)
        Derivative of ``lessons.losses.cross_entropy(...).mean()``; rows sum to 0.

    Raises
    ------
    ValueError
        If the labels are not of shape (n,).

    Notes
    -----
    Built in chapter 02.

    Examples
    --------
    >>> cross_entropy_delta(jnp.zeros((1, 2)), jnp.array([1])).tolist()
    [[0.5, -0.5]]
    """
    check_shape("labels", labels, logits.shape[:-1])
    one_hot = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return (softmax(logits) - one_hot) / labels.size


def numerical_grad(f: Callable[[Any], Any], params: Any, step: float = 1e-5) -> Any:
    """Differentiate by trying: move one number at a time, both ways.

    ``grad[i] = (f(params + step * e[i]) - f(params - step * e[i])) / (2 * step)`` in
    double precision, where ``e[i]`` is 1 at entry ``i`` and 0 elsewhere.

    Parameters
    ----------
    f : function of a tree of arrays
        Returns one number. JAX code inside it runs in float64.
    params : tree of arrays
    step : float
        In the unit of the parameters. The error of the formula falls as ``step ** 2``,
        that of rounding rises as ``1e-16 / step``; 1e-5 balances them.

    Returns
    -------
    tree of float64 NumPy arrays
        In the structure of ``params``.

    Notes
    -----
    Costs two evaluations for each number in ``params``. A kink closer than ``step``
    spoils the result. Built in chapter 02.

    Examples
    --------
    >>> grad = numerical_grad(lambda p: p["a"] ** 2, {"a": 3.0})
    >>> round(float(grad["a"]), 6)
    6.0
    """
    leaves, tree = jax.tree.flatten(params)
    leaves = [np.array(leaf, np.float64) for leaf in leaves]
    grads = [np.zeros_like(leaf) for leaf in leaves]

    def at(leaf: np.ndarray, index: tuple[int, ...], value: float) -> float:
        old, leaf[index] = leaf[index], value
        # f gets copies: JAX may share memory with the arrays that are edited here.
        result = f(tree.unflatten([jnp.array(x) for x in leaves]))
        leaf[index] = old
        return float(result)

    with jax.enable_x64(True):
        for leaf, grad in zip(leaves, grads, strict=True):
            for index in np.ndindex(leaf.shape):
                up = at(leaf, index, leaf[index] + step)
                down = at(leaf, index, leaf[index] - step)
                grad[index] = (up - down) / (2 * step)
    return tree.unflatten(grads)


def max_relative_error(tree: Any, reference: Any) -> float:
    """Largest difference between two trees, each array measured by its own scale.

    ``max over arrays of max(abs(a - b)) / max(abs(b))``; where ``b`` is all zeros the
    difference itself counts.

    Parameters
    ----------
    tree, reference : trees of arrays
        The same structure and shapes.

    Returns
    -------
    float
        Dimensionless; NaN if an entry is NaN.

    Raises
    ------
    ValueError
        If the structures or shapes differ.

    Notes
    -----
    The scale is that of the whole array and not of each entry, so that rounding of an
    entry near 0 is no false alarm. Built in chapter 02.

    Examples
    --------
    >>> max_relative_error([jnp.array([1.0, 5.0])], [jnp.array([1.0, 4.0])])
    0.25
    """
    leaves, structure = jax.tree.flatten(tree)
    others, other_structure = jax.tree.flatten(reference)
    if structure != other_structure:
        raise ValueError(f"expected a tree like {other_structure}, got {structure}")
    worst = 0.0
    for leaf, other in zip(leaves, others, strict=True):
        a, b = np.asarray(leaf, np.float64), np.asarray(other, np.float64)
        check_shape("an array", a, b.shape)
        scale = np.abs(b).max(initial=0) or 1.0
        worst = np.maximum(worst, np.abs(a - b).max(initial=0) / scale)
    return float(worst)


def gradient_check(f: Callable[[Any], Any], params: Any, grads: Any) -> float:
    """Compare gradients with central differences.

    ``max_relative_error(grads, numerical_grad(f, params))``.

    Parameters
    ----------
    f : function of a tree of arrays
        Returns one number.
    params : tree of arrays
        Draw them at random: at zero many wrong gradients look right.
    grads : tree of arrays
        The claimed gradient of ``f`` at ``params``.

    Returns
    -------
    float
        Around 1e-6 or less for right gradients in float32, 1e-9 in float64; above
        1e-3 a formula is wrong or a kink is near.

    Raises
    ------
    ValueError
        If ``grads`` is not a tree like ``params``.

    Notes
    -----
    Built in chapter 02.

    Examples
    --------
    >>> wrong = gradient_check(lambda p: p**2, 3.0, 3.0)
    >>> round(wrong, 3)
    0.5
    """
    return max_relative_error(grads, numerical_grad(f, params))
