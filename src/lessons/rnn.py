"""Recurrent networks: a plain RNN, LSTM and GRU, each one ``lax.scan`` over time.

Sequences are (B, T, D): batch, time, features. The product of the inputs with their
weights does not depend on the state, so it is done once for all times before the scan.
Padded sequences carry ``lengths``: from a sequence's end on, its state stands still
and its outputs are 0, so padding cannot leak into an answer. Types are promoted as in
any product: float32 inputs read by float64 parameters give float64.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lessons._checks import check_positive_int, check_shape
from lessons.activations import sigmoid, tanh
from lessons.dnn import Initialiser, Params, glorot_uniform
from lessons.masks import length_mask

State = Any


class LstmState(NamedTuple):
    """What an LSTM carries from step to step.

    ``h`` is what it shows, ``c`` what it remembers; each of shape (B, H).
    """

    h: Array
    c: Array


def orthogonal(key: Array, n_in: int, n_out: int) -> Array:
    """Draw weights that neither stretch nor shrink a vector.

    ``w.T @ w = I`` if ``n_in >= n_out``, else ``w @ w.T = I``, drawn evenly from all
    such matrices by the QR decomposition of normal numbers.

    Parameters
    ----------
    key : JAX random key
    n_in, n_out : int
        Number of inputs and outputs, at least 1.

    Returns
    -------
    array of shape (n_in, n_out)

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    Saxe, McClelland and Ganguli (2014). Built in chapter 08.

    Examples
    --------
    >>> w = orthogonal(jax.random.key(0), 3, 3)
    >>> bool(jnp.allclose(w.T @ w, jnp.eye(3), atol=1e-6))
    True
    """
    check_positive_int("n_in", n_in)
    check_positive_int("n_out", n_out)
    tall = jax.random.normal(key, (max(n_in, n_out), min(n_in, n_out)))
    q, r = jnp.linalg.qr(tall)
    # QR fixes the signs of q's columns by r's diagonal; undo that, to draw evenly.
    q = q * jnp.sign(jnp.diagonal(r))
    return q if n_in >= n_out else q.T


def rnn_init(key: Array, n_in: int, width: int) -> Params:
    """Make the parameters of a plain recurrent layer.

    Parameters
    ----------
    key : JAX random key
    n_in : int
        Features of the input.
    width : int
        Size H of the state.

    Returns
    -------
    dict
        ``w_x`` of shape (n_in, width), Glorot; ``w_h`` of shape (width, width),
        orthogonal; ``b`` of shape (width,), 0.

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    Built in chapter 08.

    Examples
    --------
    >>> {name: p.shape for name, p in rnn_init(jax.random.key(0), 3, 4).items()}
    {'w_x': (3, 4), 'w_h': (4, 4), 'b': (4,)}
    """
    key_x, key_h = jax.random.split(key)
    return {
        "w_x": glorot_uniform(key_x, n_in, width),
        "w_h": orthogonal(key_h, width, width),
        "b": jnp.zeros(width),
    }


def rnn(
    params: Params,
    x: Array,
    lengths: Array | None = None,
    state: Array | None = None,
    activation: Callable[[Array], Array] = tanh,
) -> tuple[Array, Array]:
    """Read sequences with a plain recurrent layer.

    ``h[t] = activation(x[t] @ w_x + h[t - 1] @ w_h + b)``.

    Parameters
    ----------
    params : dict
        As made by ``rnn_init``.
    x : array of shape (B, T, n_in)
    lengths : integer array of shape (B,), optional
        Steps of each sequence that are real, 0 to T; all of them by default.
    state : array of shape (B, width), optional
        The state before the first step; zeros by default.
    activation : function

    Returns
    -------
    outputs : array of shape (B, T, width)
        ``h`` after each step, 0 from a sequence's end on. Of the type to which
        parameters, inputs and state promote, a float at least.
    state : array of shape (B, width)
        ``h`` after each sequence's own last step.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Elman (1990). Built in chapter 08.

    Examples
    --------
    >>> params = {"w_x": jnp.ones((1, 1)), "w_h": jnp.ones((1, 1)), "b": jnp.zeros(1)}
    >>> x = jnp.array([[[1.0], [2.0], [4.0]]])
    >>> outputs, state = rnn(params, x, jnp.array([2]), activation=lambda z: z)
    >>> outputs[0, :, 0].tolist(), state.tolist()
    ([1.0, 3.0, 0.0], [[3.0]])
    """

    def step(h: Array, z: Array) -> tuple[Array, Array]:
        h = activation(z + h @ params["w_h"])
        return h, h

    _check_input(x, params["w_x"], lengths)
    state = _start(x, params["w_h"].shape[0], state)
    inputs = _time_first(x) @ params["w_x"] + params["b"]
    return _read(step, params, inputs, lengths, state)


def lstm_init(key: Array, n_in: int, width: int) -> Params:
    """Make the parameters of a long short-term memory.

    The four gates stand in the order input, forget, candidate, output. The forget
    gate's bias starts at 1, so that a fresh LSTM remembers.

    Parameters
    ----------
    key : JAX random key
    n_in : int
        Features of the input.
    width : int
        Size H of the state.

    Returns
    -------
    dict
        ``w_x`` of shape (n_in, 4, width), ``w_h`` of shape (width, 4, width), ``b`` of
        shape (4, width).

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    The bias of 1: Gers, Schmidhuber and Cummins (2000) for the gate, Jozefowicz,
    Zaremba and Sutskever (2015) for the value. Built in chapter 08.

    Examples
    --------
    >>> {name: p.shape for name, p in lstm_init(jax.random.key(0), 3, 5).items()}
    {'w_x': (3, 4, 5), 'w_h': (5, 4, 5), 'b': (4, 5)}
    """
    params = _gates_init(key, n_in, width, 4)
    return {**params, "b": jnp.zeros((4, width)).at[1].set(1)}


def lstm(
    params: Params,
    x: Array,
    lengths: Array | None = None,
    state: LstmState | None = None,
) -> tuple[Array, LstmState]:
    """Read sequences with a long short-term memory.

    With ``z = x[t] @ w_x + h[t - 1] @ w_h + b`` split into ``z_i, z_f, z_g, z_o``:
    ``c[t] = sigmoid(z_f) * c[t - 1] + sigmoid(z_i) * tanh(z_g)`` and
    ``h[t] = sigmoid(z_o) * tanh(c[t])``.

    Parameters
    ----------
    params : dict
        As made by ``lstm_init``.
    x : array of shape (B, T, n_in)
    lengths : integer array of shape (B,), optional
        Steps of each sequence that are real, 0 to T; all of them by default.
    state : LstmState, optional
        The state before the first step; zeros by default.

    Returns
    -------
    outputs : array of shape (B, T, width)
        ``h`` after each step, 0 from a sequence's end on. Of the type to which
        parameters, inputs and state promote, a float at least.
    state : LstmState
        ``h`` and ``c`` after each sequence's own last step.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and
    Cummins (2000) and without peepholes. PyTorch has two biases, which only matter as
    their sum. Built in chapter 08.

    Examples
    --------
    >>> params = lstm_init(jax.random.key(0), 3, 5)
    >>> outputs, state = lstm(params, jnp.ones((2, 7, 3)))
    >>> outputs.shape, state.c.shape
    ((2, 7, 5), (2, 5))
    """

    def step(old: LstmState, z: Array) -> tuple[LstmState, Array]:
        z = z + _gates(old.h, params["w_h"])
        z_i, z_f, z_g, z_o = jnp.moveaxis(z, 1, 0)
        c = sigmoid(z_f) * old.c + sigmoid(z_i) * tanh(z_g)
        h = sigmoid(z_o) * tanh(c)
        return LstmState(h, c), h

    _check_input(x, params["w_x"], lengths)
    h, c = (None, None) if state is None else state
    width = params["w_h"].shape[0]
    state = LstmState(_start(x, width, h), _start(x, width, c))
    inputs = _gates(_time_first(x), params["w_x"]) + params["b"]
    return _read(step, params, inputs, lengths, state)


def gru_init(key: Array, n_in: int, width: int) -> Params:
    """Make the parameters of a gated recurrent unit.

    The three gates stand in the order reset, update, candidate.

    Parameters
    ----------
    key : JAX random key
    n_in : int
        Features of the input.
    width : int
        Size H of the state.

    Returns
    -------
    dict
        ``w_x`` of shape (n_in, 3, width), ``w_h`` of shape (width, 3, width), ``b`` of
        shape (3, width), and ``b_h`` of shape (width,), the candidate's second bias,
        which the reset gate multiplies.

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    Built in chapter 08.

    Examples
    --------
    >>> gru_init(jax.random.key(0), 3, 5)["w_h"].shape
    (5, 3, 5)
    """
    params = _gates_init(key, n_in, width, 3)
    return {**params, "b": jnp.zeros((3, width)), "b_h": jnp.zeros(width)}


def gru(
    params: Params,
    x: Array,
    lengths: Array | None = None,
    state: Array | None = None,
) -> tuple[Array, Array]:
    """Read sequences with a gated recurrent unit.

    ``r = sigmoid(x[t] @ w_x[r] + h[t - 1] @ w_h[r] + b[r])``, likewise ``u``;
    ``n = tanh(x[t] @ w_x[n] + b[n] + r * (h[t - 1] @ w_h[n] + b_h))``;
    ``h[t] = u * h[t - 1] + (1 - u) * n``.

    Parameters
    ----------
    params : dict
        As made by ``gru_init``.
    x : array of shape (B, T, n_in)
    lengths : integer array of shape (B,), optional
        Steps of each sequence that are real, 0 to T; all of them by default.
    state : array of shape (B, width), optional
        The state before the first step; zeros by default.

    Returns
    -------
    outputs : array of shape (B, T, width)
        ``h`` after each step, 0 from a sequence's end on. Of the type to which
        parameters, inputs and state promote, a float at least.
    state : array of shape (B, width)
        ``h`` after each sequence's own last step.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    The reset gate acts after the product, as in cuDNN and PyTorch, so that one product
    serves all gates; Cho et al. (2014), equations 5 to 8, reset the state before it.
    As there, an update gate ``u`` near 1 keeps the old state. Built in chapter 08.

    Examples
    --------
    >>> params = gru_init(jax.random.key(0), 3, 5)
    >>> outputs, state = gru(params, jnp.ones((2, 7, 3)))
    >>> outputs.shape, state.shape
    ((2, 7, 5), (2, 5))
    """

    def step(h: Array, z: Array) -> tuple[Array, Array]:
        from_h = _gates(h, params["w_h"])
        r = sigmoid(z[:, 0] + from_h[:, 0])
        u = sigmoid(z[:, 1] + from_h[:, 1])
        n = tanh(z[:, 2] + r * (from_h[:, 2] + params["b_h"]))
        h = u * h + (1 - u) * n
        return h, h

    _check_input(x, params["w_x"], lengths)
    state = _start(x, params["w_h"].shape[0], state)
    inputs = _gates(_time_first(x), params["w_x"]) + params["b"]
    return _read(step, params, inputs, lengths, state)


def _gates_init(key: Array, n_in: int, width: int, gates: int) -> Params:
    """Draw each gate's weights from its own key: Glorot for x, orthogonal for h."""

    def stack(key: Array, init: Initialiser, n: int) -> Array:
        keys = jax.random.split(key, gates)
        return jnp.stack([init(k, n, width) for k in keys], axis=1)

    key_x, key_h = jax.random.split(key)
    return {
        "w_x": stack(key_x, glorot_uniform, n_in),
        "w_h": stack(key_h, orthogonal, width),
    }


def _gates(x: Array, w: Array) -> Array:
    """Multiply (..., D) by (D, gates, H) in one matrix product: (..., gates, H)."""
    n_in, gates, width = w.shape
    flat = x.reshape(-1, n_in) @ w.reshape(n_in, gates * width)
    return flat.reshape(*x.shape[:-1], gates, width)


def _time_first(x: Array) -> Array:
    """Turn (B, T, D) into (T, B, D): scan walks the leading axis.

    Before the product with the weights, because its result is as wide as all gates.
    """
    return jnp.moveaxis(x, 1, 0)


def _check_input(x: Array, w_x: Array, lengths: Array | None) -> None:
    """Refuse sequences that do not fit the weights or the lengths."""
    n_in = w_x.shape[0]
    if x.ndim != 3 or x.shape[-1] != n_in:
        raise ValueError(f"expected x of shape (B, T, {n_in}), got {x.shape}")
    if lengths is not None:
        check_shape("lengths", jnp.asarray(lengths), x.shape[:1])


def _start(x: Array, width: int, state: Array | None) -> Array:
    """Return the given state, or zeros of a type that gives way to every other."""
    shape = (x.shape[0], width)
    if state is None:
        return jnp.zeros(shape, bool)
    check_shape("state", state, shape)
    return state


def _read(
    step: Callable[[State, Array], tuple[State, Array]],
    params: Params,
    inputs: Array,
    lengths: Array | None,
    state: State,
) -> tuple[Array, State]:
    """Scan a step over inputs (T, B, ...); past a sequence's end keep state, show 0."""
    # A scan hands on one type: the one that all take part in, a float at least.
    dtype = jnp.result_type(*jax.tree.leaves((params, inputs, state)), 0.0)
    inputs, state = jax.tree.map(lambda a: jnp.asarray(a, dtype), (inputs, state))

    def masked(old: State, inputs_t: tuple[Array, Array]) -> tuple[State, Array]:
        z, real = inputs_t
        new, output = step(old, z)
        new = jax.tree.map(lambda a, b: jnp.where(real[:, None], a, b), new, old)
        return new, jnp.where(real[:, None], output, 0)

    if lengths is None:
        state, outputs = lax.scan(step, state, inputs)
    else:
        real = length_mask(lengths, len(inputs)).T
        state, outputs = lax.scan(masked, state, (inputs, real))
    return jnp.moveaxis(outputs, 0, 1), state
