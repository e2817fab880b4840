"""Walk a cell over time, with back-propagation through time written out.

The gradient of the weights is a sum over all steps. Differentiated by JAX, a scan adds
one small product to it at every step. Here the backward scan only hands the gradient of
the state on and keeps those of the products; when it has ended, one large product gives
the sum (chapter 08). The price is that forward-mode differentiation is not to be had.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

State = tuple[Array, ...]
Recurrent = tuple[Array, Array]
Cell = Callable[[State, Any, Array], State]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def walk(
    cell: Cell, recurrent: Recurrent, inputs: Any, state: State
) -> tuple[Array, State]:
    """Scan ``state = cell(state, inputs[t], state[0] @ w + b)`` over time.

    Parameters
    ----------
    cell : function of the old state, one step's inputs and the product above
        It must not close over what is differentiated.
    recurrent : (w, b)
        Of shapes (H, G) and (G,).
    inputs : tree of float arrays of shape (T, B, ...)
    state : tuple of arrays of shape (B, H)
        The first of them is what the cell shows.

    Returns
    -------
    outputs : array of shape (T, B, H)
        The first part of the state after each step.
    state : tuple of arrays of shape (B, H)
        The state after the last step.
    """
    w, b = recurrent

    def step(old: State, x: Any) -> tuple[State, Array]:
        new = cell(old, x, old[0] @ w + b)
        return new, new[0]

    state, outputs = lax.scan(step, state, inputs)
    return outputs, state


def _forward(cell: Cell, recurrent: Recurrent, inputs: Any, state: State) -> tuple:
    """Walk, and keep what each step reads of the state, and how to go back through."""
    w, b = recurrent

    def step(old: State, x: Any) -> tuple[State, tuple]:
        new, back = jax.vjp(cell, old, x, old[0] @ w + b)
        return new, (new[0], back)

    last, (outputs, backs) = lax.scan(step, state, inputs)
    before = jnp.concatenate([state[0][None], outputs])[: len(outputs)]
    return (outputs, last), (recurrent, before, backs)


def _backward(cell: Cell, saved: tuple, wanted: tuple[Array, State]) -> tuple:
    """Go back from the last step to the first, then sum over the steps at once."""
    (w, b), before, backs = saved
    d_outputs, d_state = wanted

    def step(d_new: State, kept: tuple) -> tuple[State, tuple]:
        back, d_output = kept
        d_old, d_x, d_product = back((d_new[0] + d_output, *d_new[1:]))
        return (d_old[0] + d_product @ w.T, *d_old[1:]), (d_x, d_product)

    d_state, (d_inputs, d_products) = lax.scan(
        step, d_state, (backs, d_outputs), reverse=True
    )
    d_products = d_products.reshape(-1, w.shape[1])
    d_w = before.reshape(-1, w.shape[0]).T @ d_products
    d_b = d_products.sum(axis=0)
    return (d_w.astype(w.dtype), d_b.astype(b.dtype)), d_inputs, d_state


walk.defvjp(_forward, _backward)


def masked(cell: Cell) -> Cell:
    """Return a cell of inputs (x, real) whose state stands still where real is 0."""

    def step(old: State, inputs: tuple[Array, Array], product: Array) -> State:
        x, real = inputs
        new = cell(old, x, product)
        pairs = zip(new, old, strict=True)
        return tuple(jnp.where(real[:, None] != 0, a, b) for a, b in pairs)

    return step
