"""Memory explorer: a pulse forwards, and the gradient backwards, through time."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import traitlets
from jax import Array

from lessons import plots, rnn
from lessons.dnn import Params
from lessons.widgets._base import LiveFigure, Number, bundle

WIDTH, STEPS, PULSE = 16, 100, 1.0
NETWORKS = ("plain", "gru", "lstm")
_INITS = (rnn.rnn_init, rnn.gru_init, rnn.lstm_init)
_LAYERS = dict(zip(NETWORKS, (rnn.rnn, rnn.gru, rnn.lstm), strict=True))
# In the order in which their numbers travel.
_ARRAYS = ("w_x", "w_h", "b", "b_h")


def fresh(seed: int = 0) -> dict[str, Params]:
    """Make the three networks, each with one input and a state of width 16.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict
        The parameters of ``plain``, ``gru`` and ``lstm``.

    Notes
    -----
    Used in chapter 08.

    Examples
    --------
    >>> fresh()["lstm"]["w_h"].shape
    (16, 4, 16)
    """
    keys = jax.random.split(jax.random.key(seed), len(NETWORKS))
    return {
        name: init(key, 1, WIDTH)
        for name, init, key in zip(NETWORKS, _INITS, keys, strict=True)
    }


def remembered(
    network: str, params: Params, inputs: Array, pulse: int, size: float = PULSE
) -> tuple[Array, Array]:
    """Measure what a pulse leaves in the state, and how far back a gradient reaches.

    Parameters
    ----------
    network : str
        One of ``NETWORKS``.
    params : dict
        As made by ``lessons.rnn``.
    inputs : array of shape (T, n_in)
    pulse : int
        The step, 1 to T, at whose input ``size`` is added.
    size : float

    Returns
    -------
    left : array of shape (T,)
        Length of the difference between the states with and without the pulse.
    reach : array of shape (T,)
        Length of the gradient of the sum of the last ``h`` with respect to the state
        after each step; for the LSTM with respect to ``h`` and ``c`` together.

    Notes
    -----
    Used in chapter 08.

    Examples
    --------
    >>> one = {"w_x": jnp.ones((1, 1)), "w_h": jnp.zeros((1, 1)), "b": jnp.zeros(1)}
    >>> left, reach = remembered("plain", one, jnp.zeros((3, 1)), pulse=2)
    >>> left.round(2).tolist(), reach.tolist()
    ([0.0, 0.7599999904632568, 0.0], [0.0, 0.0, 1.0])
    """
    kind = jnp.result_type(inputs, *params.values())
    inputs = jnp.asarray(inputs, kind)
    steps, width = len(inputs), params["w_h"].shape[0]
    # What is added to the state after each step: the gradient with respect to it is
    # the gradient with respect to the state.
    nudges = jnp.zeros((steps, width * (1 + (network == "lstm"))), kind)
    pulsed = inputs.at[pulse - 1].add(size)
    states = _states(network, params, inputs, nudges)
    left = jnp.linalg.norm(_states(network, params, pulsed, nudges) - states, axis=-1)
    return left, jnp.linalg.norm(_slopes(network, params, inputs, nudges), axis=-1)


@functools.partial(jax.jit, static_argnums=0)
def _states(network: str, params: Params, inputs: Array, nudges: Array) -> Array:
    """Return the state after each step: ``h``, or ``h`` and ``c`` side by side."""
    layer = _LAYERS[network]

    def step(flat: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
        x, nudge = given
        parts = jnp.split(flat[None], flat.size // params["w_h"].shape[0], axis=-1)
        state = rnn.LstmState(*parts) if network == "lstm" else parts[0]
        _, state = layer(params, x[None, None], state=state)
        flat = jnp.concatenate(jax.tree.leaves(state), axis=-1)[0] + nudge
        return flat, flat

    return jax.lax.scan(step, jnp.zeros_like(nudges[0]), (inputs, nudges))[1]


@functools.partial(jax.jit, static_argnums=0)
def _slopes(network: str, params: Params, inputs: Array, nudges: Array) -> Array:
    """Return the gradient of the sum of the last ``h`` at each step's state."""
    width = params["w_h"].shape[0]

    def answer(nudges: Array) -> Array:
        return _states(network, params, inputs, nudges)[-1, :width].sum()

    return jax.grad(answer)(nudges)


class MemoryExplorer(LiveFigure):
    """Follow a pulse through a recurrent network, and the gradient back.

    The input is noise. At one step 1 is added to it. The figure shows how much the
    states differ from those without this pulse, and how long the gradient of the last
    state's sum is at each step.

    Parameters
    ----------
    network : str
        ``"plain"``, ``"gru"`` or ``"lstm"``, fresh from `lessons.rnn`, of width 16.
    steps : int
        Length of the sequence, 5 to 100.
    pulse : int
        The step of the pulse, 1 to 100; beyond the end it is the last step.
    gain : float
        What the recurrent weights are multiplied by, 0.2 to 2.
    forget_bias : float
        Of the LSTM's forget gate, -2 to 5.
    update_bias : float
        Of the GRU's update gate, -2 to 5.
    seed : int
        Which weights and noise are drawn.

    Raises
    ------
    traitlets.TraitError
        If a setting is out of range.

    Notes
    -----
    Used in chapter 08.

    Examples
    --------
    >>> MemoryExplorer(network="lstm", forget_bias=4.0)
    MemoryExplorer()
    """

    _esm = bundle("memory.js")
    network = traitlets.Enum(NETWORKS, "plain").tag(sync=True)
    steps = traitlets.Int(60, min=5, max=STEPS).tag(sync=True)
    pulse = traitlets.Int(10, min=1, max=STEPS).tag(sync=True)
    gain = Number(1.0, min=0.2, max=2).tag(sync=True)
    forget_bias = Number(1.0, min=-2, max=5).tag(sync=True)
    update_bias = Number(0.0, min=-2, max=5).tag(sync=True)
    weights = traitlets.Bytes(read_only=True).tag(sync=True)
    inputs = traitlets.Bytes(read_only=True).tag(sync=True)

    def __init__(self, seed: int = 0, **settings: Any) -> None:
        """Draw the weights and the noise."""
        self._networks = fresh(seed)
        self._noise = jax.random.normal(jax.random.key(seed + 1), (STEPS,))
        super().__init__(**settings)

    @traitlets.default("weights")
    def _weights(self):
        networks = self._networks.values()
        return b"".join(_bytes(net[a]) for net in networks for a in _ARRAYS if a in net)

    @traitlets.default("inputs")
    def _inputs(self):
        return _bytes(self._noise)

    def params(self, network: str | None = None) -> Params:
        """Return a network's parameters with the gain and the bias that are set."""
        network = network or self.network
        params = dict(self._networks[network])
        params["w_h"] = self.gain * params["w_h"]
        if network != "plain":
            bias = self.forget_bias if network == "lstm" else self.update_bias
            params["b"] = params["b"].at[1].set(bias)
        return params

    def still(self):
        """Draw both lengths for the three networks."""
        figure, (left, right) = plots.panels(1, 2, height=3.6)
        inputs = self._noise[: self.steps, None]
        pulse = min(self.pulse, self.steps)
        step = np.arange(1, self.steps + 1)
        forwards, backwards = {}, {}
        for name, called in zip(NETWORKS, _CALLED, strict=True):
            kept, reach = remembered(name, self.params(name), inputs, pulse)
            forwards[called] = step[pulse - 1 :], kept[pulse - 1 :]
            backwards[called] = step, reach
        text = {"xlabel": "step", "logy": True}
        plots.lines(forwards, ylabel="what the pulse changed", ax=left, **text)
        plots.lines(backwards, ylabel="gradient length", ax=right, **text)
        for axes in (left, right):
            axes.set_ylim(1e-12, 1e4)
        return figure


_CALLED = ("plain network", "GRU", "LSTM")


def _bytes(array: Array) -> bytes:
    """Write numbers as float32, little-endian."""
    return np.asarray(array, "<f4").tobytes()
