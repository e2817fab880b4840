"""Practice checks of chapter 08: recurrent networks.

Those with padded batches stand apart.
"""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from lessons import activations, rnn
from lessons.exercises.bans import DIFFERENTIATION
from lessons.exercises.base import Trial, exercise
from lessons.exercises.ch08_padding import bits, clinic, masked
from lessons.exercises.local import numbers

__all__ = ["backward", "bits", "clinic", "gru", "masked", "sizes", "truncated"]

CELLS = ("lessons.rnn.rnn", "lessons.rnn.lstm", "lessons.rnn.gru")


@exercise(
    "08.sizes",
    "rnn_size",
    "lstm_size",
    "gru_size",
    hints={
        "biases": "Every unit has a bias in every gate. Count the biases too.",
        "recurrent": "The state is multiplied by a matrix, width by width.",
        "three_gates": "The candidate has weights of its own, beside the three gates.",
        "hidden_bias": "The candidate of our GRU has a second bias, of its own.",
        "two_biases": "That has two biases a gate, as PyTorch. Our LSTM has one.",
        "value": "Write down the shapes of w_x, w_h and b, and multiply them out.",
    },
)
def sizes(t: Trial) -> None:
    """Recall how many parameters the three layers have."""
    d = int(numbers("08.features", t.variant, low=3, high=12))
    w = int(numbers("08.width", t.variant, low=20, high=90))
    gate = d * w + w**2 + w
    exact = {"otherwise": "value", "rtol": 0, "atol": 0.5}
    wrong = {"biases": gate - w, "recurrent": d * w + 2 * w}
    t.equal("the plain layer", t.value("rnn_size"), gate, mistakes=wrong, **exact)
    wrong = {
        "three_gates": 3 * gate,
        "two_biases": 4 * (gate + w),
        "biases": 4 * (gate - w),
        "recurrent": 4 * (d * w + 2 * w),
    }
    t.equal("the LSTM", t.value("lstm_size"), 4 * gate, mistakes=wrong, **exact)
    wrong = {
        "hidden_bias": 3 * gate,
        "biases": 3 * (gate - w),
        "recurrent": 3 * (d * w + 2 * w) + w,
    }
    t.equal("the GRU", t.value("gru_size"), 3 * gate + w, mistakes=wrong, **exact)


@exercise(
    "08.gru",
    "gru_step",
    hints={
        "after": "You reset the product. Here the state is reset before the product.",
        "swapped": "Here u near 1 takes the new and u near 0 keeps the old.",
        "no_reset": "The candidate sees the whole old state: where is r?",
        "order": "The gates stand in the order reset, update, candidate.",
        "candidate": "The candidate passes through tanh, not through the sigmoid.",
        "value": "Follow the four lines one by one; each has the shape (B, width).",
    },
    forbidden=CELLS,
)
def gru(t: Trial) -> None:
    """Write one step of the GRU that resets the state."""
    p = {"w_x": t.normal(2, 3, 4), "w_h": t.normal(4, 3, 4), "b": t.normal(3, 4)}
    h, x = t.normal(5, 4), t.normal(5, 2)
    from_x = np.einsum("bd,dkw->kbw", x, p["w_x"]) + p["b"][:, None]
    from_h = np.einsum("bd,dkw->kbw", h, p["w_h"])
    r, u, as_gate = np.asarray(activations.sigmoid(from_x + from_h))

    def candidate(state):
        """Return a plain layer's step, from a given state."""
        weights = {"w_x": p["w_x"][:, 2], "w_h": p["w_h"][:, 2], "b": p["b"][2]}
        return np.asarray(rnn.rnn(weights, x[:, None], state=state)[1])

    def mixed(n, share=u):
        return h + share * (n - h)

    n = candidate(r * h)
    wrong = {
        "after": mixed(np.tanh(from_x[2] + r * from_h[2])),
        "swapped": mixed(n, 1 - u),
        "no_reset": mixed(candidate(h)),
        "order": mixed(candidate(u * h), r),
        "candidate": mixed(as_gate),
    }
    got = t.call("gru_step", p, h, x)
    t.equal("the new state", got, mixed(n), mistakes=wrong, otherwise="value")


@exercise(
    "08.backward",
    "lstm_backward",
    hints={
        "names": "Return a dictionary with z_i, z_f, z_g, z_o and c_old.",
        "of_old": "The cell shows tanh of the new memory, not of the old one.",
        "no_d_c": "What comes from the next step by way of the memory is missing.",
        "no_tanh": "On its way from h to c the gradient passes tanh.",
        "road": "On the road to the old memory stands the forget gate.",
        "of_new": "What the forget gate multiplies is the old memory.",
        "gates": "That is ∂L/∂gate, say ∂L/∂i. Multiply by the gate's own slope.",
        "as_sigmoid": "The candidate is a tanh: its slope is 1 - g².",
        "value": "First find the whole ∂L/∂c, from both h and the next step.",
    },
    forbidden=DIFFERENTIATION,
)
def backward(t: Trial) -> None:
    """Derive the gradients of one LSTM step."""
    z = dict(zip("ifgo", t.normal(4, 3, 5), strict=True))
    gates = {k: np.asarray(activations.sigmoid(v)) for k, v in z.items()}
    gates["g"] = np.tanh(z["g"])
    c_old, d_h, d_c = t.normal(3, 3, 5)
    right = pulled(z, c_old, d_h, d_c)
    i, f, g, o = (gates[k] for k in "ifgo")
    c = f * c_old + i * g
    total = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    slopes = {"i": i * (1 - i), "f": f * (1 - f), "g": 1 - g**2, "o": o * (1 - o)}
    known = {
        "of_old": {"z_o": d_h * np.tanh(c_old) * slopes["o"]},
        "no_d_c": pulled(z, c_old, d_h, 0 * d_c),
        "no_tanh": {k: v / total * (d_c + d_h * o) for k, v in right.items()},
        "road": {"c_old": total},
        "of_new": {"z_f": total * c * slopes["f"]},
        "gates": {f"z_{k}": right[f"z_{k}"] / slopes[k] for k in "ifgo"},
        "as_sigmoid": {"z_g": right["z_g"] / slopes["g"] * g * (1 - g)},
    }
    got = t.call("lstm_backward", gates, c_old, d_h, d_c)
    whole = isinstance(got, dict) and got.keys() == right.keys()
    t.true("five names", whole, hint="names")
    for name in ("z_o", "c_old", "z_f", "z_i", "z_g") if whole else ():
        wrong = {hint: slope[name] for hint, slope in known.items() if name in slope}
        what = f"the derivative for {name}"
        t.equal(what, got[name], right[name], mistakes=wrong, otherwise="value")


def pulled(z: dict, c_old, d_h, d_c) -> dict:
    """Pull slopes back through one step of an LSTM with `jax.vjp`."""

    def step(z, c_old):
        s = {k: activations.sigmoid(v) for k, v in z.items()}
        c = s["f"] * c_old + s["i"] * jnp.tanh(z["g"])
        return s["o"] * jnp.tanh(c), c

    by_z, by_c = jax.vjp(step, z, jnp.asarray(c_old))[1]((d_h, d_c))
    return {f"z_{k}": np.asarray(v) for k, v in by_z.items()} | {"c_old": by_c}


@exercise(
    "08.truncated",
    "truncated_loss",
    hints={
        "reset": "The state is lost between two pieces. Cut the gradient alone.",
        "dropped": "The last piece may be shorter than the others: read it too.",
        "sum": "The loss is the mean over examples, steps and units.",
        "no_cut": "The gradient still reaches back beyond the start of a piece.",
        "every_step": "Inside a piece the gradient must pass: you cut at every step.",
        "loss": "The cut changes no value: the loss is that of one long read.",
        "value": "Each error reaches back to the first step of its piece, not beyond.",
    },
)
def truncated(t: Trial) -> None:
    """Cut the gradient at the start of every piece."""
    p = {"w_x": t.normal(2, 3), "w_h": t.normal(3, 3), "b": t.normal(3)}
    x, y, on = t.normal(2, 5, 2), t.normal(2, 5, 3), "5 steps in pieces of 2"
    states = np.pad(rnn.rnn(p, x)[0], ((0, 0), (1, 0), (0, 0)))
    read = functools.partial(in_pieces, x=x, y=y)
    errors = (states[:, 1:] - y) ** 2
    wrong = {
        "reset": read(p, 0 * states, starts=(0, 2, 4)),
        "dropped": errors[:, :4].mean(),
        "sum": errors.sum(),
    }
    got = t.call("truncated_loss", p, x, y, 2)
    t.equal("the loss", got, errors.mean(), mistakes=wrong, otherwise="loss", on=on)
    slopes = functools.partial(jax.grad(read), p, states)
    cuts = {"no_cut": [0], "every_step": range(5), "right": [0, 2, 4]}
    wrong = {name: slopes(starts=starts) for name, starts in cuts.items()}
    got, right = t.call("truncated_loss", p, x, y, 2, transform="grad"), wrong["right"]
    t.equal("the gradient", got, right, mistakes=wrong, otherwise="value", on=on)


def in_pieces(p, states, *, x, y, starts):
    """Return the mean error when the state before each piece is a given number."""
    error = 0.0
    for a, b in itertools.pairwise([*starts, x.shape[1]]):
        h = states[:, a]
        for i in range(a, b):
            h = jnp.tanh(x[:, i] @ p["w_x"] + h @ p["w_h"] + p["b"])
            error += jnp.sum((h - y[:, i]) ** 2)
    return error / y.size
