"""Decoding: from a model of the next symbol to a whole sequence.

The model is a function ``next_logits(params, context, ids, t) -> (B, K)`` that scores
the K symbols that may follow ``ids[:, : t + 1]``. It must not look further to the
right, where nothing is written yet. ``context`` is what the sequence depends on: an
array with one row a sequence, or a tree of such arrays.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lessons._checks import check_positive_int

Tree = Any
NextLogits = Callable[[Tree, Tree, Array, Array], Array]
_STATIC = ("next_logits", "width", "steps", "start", "end", "pad")


class _Beam(NamedTuple):
    """Hypotheses, best first; ``ids`` begin with the start symbol."""

    t: Array
    ids: Array  # (B, width, steps + 1)
    log_p: Array  # (B, width)
    length: Array  # (B, width), symbols after the start, the end counted
    done: Array  # (B, width)


def greedy(
    next_logits: NextLogits,
    params: Tree,
    context: Tree,
    *,
    steps: int,
    start: int = 2,
    end: int = 3,
    pad: int = 0,
) -> tuple[Array, Array]:
    """Write each sequence symbol by symbol, always the likeliest next one.

    ``ids[:, t + 1] = argmax(next_logits(params, context, ids, t))`` until ``end``.

    Parameters
    ----------
    next_logits : function (params, context, ids, t) -> array of shape (B, K)
        ``ids`` has shape (B, steps + 1): the start symbol, what is written so far up
        to position ``t``, then ``pad``.
    params : tree of arrays
    context : tree of arrays with one leading axis of length B
    steps : int
        Symbols to write at most, the end symbol counted.
    start, end, pad : int
        Their ids; the defaults are those of ``lessons.text``. Neither ``start`` nor
        ``pad`` is ever chosen.

    Returns
    -------
    ids : integer array of shape (B, steps)
        Without the start symbol; after the end symbol ``pad``.
    log_p : array of shape (B,)
        Log-probability of what was written, in nats, the end symbol included.

    Raises
    ------
    ValueError
        If ``steps`` is below 1, or the context has no rows.

    Notes
    -----
    The likeliest symbol at each step need not lead to the likeliest sequence. Each
    step runs the model over all positions; chapter 12 keeps what was computed. Built
    in chapter 09b.

    Examples
    --------
    The symbol after the start is 4, after 4 comes 5, and after 5 the end.

    >>> table = 9.0 * jax.nn.one_hot(jnp.array([0, 0, 4, 0, 5, 3]), 6)
    >>> def after(table, context, ids, t):
    ...     return table[ids[:, t]]
    >>> ids, log_p = greedy(after, table, jnp.zeros(1), steps=5)
    >>> ids.tolist()
    [[4, 5, 3, 0, 0]]
    """
    special = {"start": start, "end": end, "pad": pad}
    ids, log_p = beam(
        next_logits, params, context, width=1, steps=steps, **special
    )  # fmt: skip
    return ids[:, 0], log_p[:, 0]


def beam(
    next_logits: NextLogits,
    params: Tree,
    context: Tree,
    *,
    width: int,
    steps: int,
    start: int = 2,
    end: int = 3,
    pad: int = 0,
    length_penalty: float = 0.0,
) -> tuple[Array, Array]:
    """Write sequences, keeping the best few beginnings at each step.

    A sequence is ranked by ``log_p / ((5 + length) / 6) ** length_penalty``, where
    ``length`` counts its symbols with the end. At each step every unfinished beginning
    is continued by every symbol, and the ``width`` best of these and the finished ones
    stay. It stops when all that stay are finished.

    Parameters
    ----------
    next_logits, params, context, steps, start, end, pad
        As for ``greedy``; ``next_logits`` gets B * width rows of ids and context.
    width : int
        Beginnings that are kept for each sequence; 1 is greedy decoding.
    length_penalty : float
        0 ranks by probability, which favours short sequences, since each symbol costs
        some; Wu et al. took 0.6 to 0.7. Larger favours long ones.

    Returns
    -------
    ids : integer array of shape (B, width, steps)
        Best first; after the end symbol ``pad``.
    log_p : array of shape (B, width)
        Their log-probabilities in nats, without the penalty. Where fewer than
        ``width`` sequences exist, the rest have -inf.

    Raises
    ------
    ValueError
        If ``width`` or ``steps`` is below 1, or the context has no rows.

    Notes
    -----
    Wu et al. (2016), equation 14, without the coverage term; here the penalty counts
    at every step, so that finished and unfinished sequences are compared alike. Built
    in chapter 09b.

    Examples
    --------
    After the start, 4 is likelier than 5. But 5 surely ends, and 4 may go on in
    several ways: the likeliest sequence begins with 5.

    >>> after_start = jnp.array([0, 0, 0, 0, 0.6, 0.4])
    >>> after_4 = jnp.array([0, 0, 0, 0.3, 0.35, 0.35])
    >>> after_5 = jnp.array([0, 0, 0, 1.0, 0, 0])
    >>> rows = [after_start] * 4 + [after_4, after_5]
    >>> def after(table, context, ids, t):
    ...     return table[ids[:, t]]
    >>> table = jnp.log(jnp.stack(rows))
    >>> ids, log_p = beam(after, table, jnp.zeros(1), width=2, steps=3)
    >>> ids[0, 0].tolist(), round(float(jnp.exp(log_p[0, 0])), 3)
    ([5, 3, 0], 0.4)
    """
    check_positive_int("width", width)
    check_positive_int("steps", steps)
    if not jax.tree.leaves(context):
        raise ValueError("expected a context with one row a sequence, got no array")
    return _search(
        next_logits, params, context, length_penalty,
        width=width, steps=steps, start=start, end=end, pad=pad,
    )  # fmt: skip


@partial(jax.jit, static_argnames=_STATIC)
def _search(
    next_logits, params, context, length_penalty, *, width, steps, start, end, pad
):
    """Run the steps of a beam search, compiled."""
    batch = len(jax.tree.leaves(context)[0])
    context = jax.tree.map(lambda a: jnp.repeat(a, width, axis=0), context)

    def next_log_p(state):
        flat = state.ids.reshape(batch * width, steps + 1)
        logits = next_logits(params, context, flat, state.t)
        logits = logits.at[:, jnp.array([start, pad])].set(-jnp.inf)
        log_p = jax.nn.log_softmax(logits).reshape(batch, width, -1)
        stay = jnp.where(jnp.arange(log_p.shape[-1]) == pad, 0, -jnp.inf)
        return jnp.where(state.done[..., None], stay, log_p)

    def unfinished(state):
        return (state.t < steps) & ~state.done.all()

    def step(state):
        log_p = state.log_p[..., None] + next_log_p(state)  # (B, width, K)
        length = state.length + ~state.done
        rank = log_p / (((5 + length) / 6) ** length_penalty)[..., None]
        place = jax.lax.top_k(rank.reshape(batch, -1), width)[1]  # (B, width)
        parent, symbol = jnp.divmod(place, log_p.shape[-1])

        def chosen(a):
            return jnp.take_along_axis(a, parent, axis=1)

        ids = jnp.take_along_axis(state.ids, parent[..., None], axis=1)
        return _Beam(
            t=state.t + 1,
            ids=ids.at[:, :, state.t + 1].set(symbol),
            log_p=jnp.take_along_axis(log_p.reshape(batch, -1), place, axis=1),
            length=chosen(length),
            done=chosen(state.done) | (symbol == end),
        )

    state = jax.lax.while_loop(
        unfinished, step, _begin(batch, width, steps, start, pad)
    )
    return state.ids[:, :, 1:], state.log_p


def _begin(batch, width, steps, start, pad):
    """Return one beginning a sequence; the others are impossible."""
    ids = jnp.full((batch, width, steps + 1), pad).at[:, :, 0].set(start)
    first = jnp.where(jnp.arange(width) == 0, 0.0, -jnp.inf)
    return _Beam(
        t=jnp.array(0),
        ids=ids,
        log_p=jnp.broadcast_to(first, (batch, width)),
        length=jnp.zeros((batch, width), int),
        done=jnp.zeros((batch, width), bool),
    )
