"""Recurrent networks: a plain RNN, LSTM and GRU, each one ``lax.scan`` over time.

Sequences are (B, T, D): batch, time, features. The product of the inputs with their
weights does not depend on the state, so it is done once for all times before the scan.
Padded sequences carry ``lengths``: from a sequence's end on, its state stands still
and its outputs are 0, so padding cannot leak into an answer. Types are promoted as in
any product: float32 inputs read by float64 parameters give float64. Gradients go
backwards through time as chapter 08 derives them; ``jax.jvp`` is refused.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lessons._checks import check_positive_int, check_shape
from lessons._recurrence import Cell, Recurrent, State, masked, walk
from lessons.activations import sigmoid, tanh
from lessons.dnn import Initialiser, Params, glorot_uniform
from lessons.masks import length_mask


class LstmState(NamedTuple):
    """What an LSTM carries from step to step.

    ``h`` is what it shows, ``c`` what it remembers; each of shape (B, H).
    """

    h: Array
    c: Array


def orthogonal(key: Array, n_in: int, n_out: int) -> Array:
    """Draw weights with orthonormal columns, or rows if these are fewer.

    ``w.T @ w = I`` if ``n_in >= n_out``, else ``w @ w.T = I``, drawn evenly from all
    such matrices by the QR decomposition of normal numbers. ``x @ w`` is as long as
    ``x`` if ``n_in <= n_out``, and never longer.

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

    _check_input(x, params["w_x"], lengths)
    start = _start(x, params["w_h"].shape[0], state)
    inputs = _project(x, params["w_x"])
    recurrent = params["w_h"], params["b"]
    # What the activation holds may be trained too: each step gets its copy.
    example = jnp.zeros(start.shape, _common_type(recurrent, inputs, start))
    activation, held = jax.closure_convert(activation, example)
    held = [jnp.broadcast_to(a, (len(inputs), *jnp.shape(a))) for a in held]
    cell = partial(_rnn_cell, activation)
    outputs, (state,) = _read(cell, recurrent, (inputs, held), lengths, (start,))
    return outputs, state


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
    _check_input(x, params["w_x"], lengths)
    width = params["w_h"].shape[0]
    start = tuple(_start(x, width, part) for part in state or (None, None))
    inputs = _project(x, params["w_x"])
    recurrent = _side_by_side(params["w_h"]), params["b"].reshape(-1)
    outputs, state = _read(_lstm_cell, recurrent, inputs, lengths, start)
    return outputs, LstmState(*state)


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
    _check_input(x, params["w_x"], lengths)
    width = params["w_h"].shape[0]
    start = _start(x, width, state)
    b = params["b"].reshape(-1)
    inputs = _project(x, params["w_x"]) + b
    # Of the biases b_h alone stands inside the reset gate's product.
    b_h = jnp.pad(params["b_h"], (2 * width, 0))
    recurrent = _side_by_side(params["w_h"]), b_h
    outputs, (state,) = _read(_gru_cell, recurrent, inputs, lengths, (start,))
    return outputs, state


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


def _rnn_cell(
    activation: Callable[..., Array],
    old: State,
    inputs: tuple[Array, list[Array]],
    from_h: Array,
) -> State:
    """Take one step of a plain recurrent layer."""
    z, held = inputs
    return (activation(z + from_h, *held),)


def _lstm_cell(old: State, z: Array, from_h: Array) -> State:
    """Take one step of an LSTM, of state (h, c)."""
    z_i, z_f, z_g, z_o = jnp.split(z + from_h, 4, axis=-1)
    c = sigmoid(z_f) * old[1] + sigmoid(z_i) * tanh(z_g)
    return sigmoid(z_o) * tanh(c), c


def _gru_cell(old: State, z: Array, from_h: Array) -> State:
    """Take one step of a GRU; ``b_h`` is in ``from_h``."""
    z_r, z_u, z_n = jnp.split(z, 3, axis=-1)
    h_r, h_u, h_n = jnp.split(from_h, 3, axis=-1)
    u = sigmoid(z_u + h_u)
    n = tanh(z_n + sigmoid(z_r + h_r) * h_n)
    return (u * old[0] + (1 - u) * n,)


def _side_by_side(w: Array) -> Array:
    """Turn (D, gates, H) into (D, gates * H), for one matrix product."""
    return w.reshape(w.shape[0], -1)


def _project(x: Array, w: Array) -> Array:
    """Multiply (B, T, D) by the weights in one matrix product: (T, B, gates * H).

    Time comes first, since scan walks the leading axis: before the product, because
    its result is as wide as all gates.
    """
    batch, steps, n_in = x.shape
    flat = jnp.moveaxis(x, 1, 0).reshape(steps * batch, n_in) @ _side_by_side(w)
    return flat.reshape(steps, batch, flat.shape[1])


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


def _common_type(*trees: Any) -> Any:
    """Return the type that a scan hands on: that of all together, a float at least."""
    return jnp.result_type(*jax.tree.leaves(trees), 0.0)


def _read(
    cell: Cell,
    recurrent: Recurrent,
    inputs: Any,
    lengths: Array | None,
    state: State,
) -> tuple[Array, State]:
    """Walk over inputs (T, B, ...); past a sequence's end keep the state, show 0."""
    dtype = _common_type(recurrent, inputs, state)
    inputs, state = jax.tree.map(lambda a: jnp.asarray(a, dtype), (inputs, state))
    if lengths is None:
        outputs, state = walk(cell, recurrent, inputs, state)
    else:
        steps = len(jax.tree.leaves(inputs)[0])
        real = length_mask(lengths, steps).T
        both = inputs, real.astype(dtype)
        outputs, state = walk(masked(cell), recurrent, both, state)
        outputs = jnp.where(real[..., None], outputs, 0)
    return jnp.moveaxis(outputs, 0, 1), state
