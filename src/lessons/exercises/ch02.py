"""Practice checks of chapter 02: backpropagation. Networks stand apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from lessons import losses
from lessons.exercises.bans import DIFFERENTIATION
from lessons.exercises.base import Trial, exercise
from lessons.exercises.ch02_networks import BY_HAND, clinic, speed, tied
from lessons.exercises.local import numbers

__all__ = ["clinic", "residual", "speed", "squared", "steps", "table", "tied"]


@exercise(
    "02.table",
    *("loss", "by_u", "by_p", "by_q", "by_r"),
    hints={
        "forward": "Go down the list first: u, then v, then s, then L.",
        "through_s": "v uses u too. Add what comes back through v.",
        "through_v": "s uses u too. Add what comes back through s.",
        "users": "u is used by v and by s. Each sends something back; add the two.",
        "penalty": "p has a second user, the square at the end.",
        "overwritten": "The square is one of two users of p. Add, do not replace.",
        "own_factor": "The local derivative of a product is the other factor.",
        "chain": "Multiply what arrives at u by the local derivative of u = p q.",
        "sign": "v = u - r: what is the local derivative for r?",
        "r_chain": "r enters v alone, and v enters s. Multiply along that path.",
    },
)
def table(t: Trial) -> None:
    """Carry derivatives through a small graph in which values are used twice."""
    p, q, r = numbers("02.table", t.variant, 3, low=2, high=5) + np.array([0, 4, 0])

    def graph(p, q, r, more=0.0):
        u = p * q + more
        return u * (u - r) + p**2

    by_p, by_q, by_r, by_u = jax.grad(graph, (0, 1, 2, 3))(p, q, r, 0.0)
    u, v = p * q, p * q - r
    t.equal("L", t.value("loss"), graph(p, q, r), otherwise="forward")
    wrong = {"through_s": v, "through_v": u}
    got = t.value("by_u")
    t.equal("∂L/∂u", got, by_u, mistakes=wrong, otherwise="users")
    wrong = {
        "penalty": by_u * q,
        "overwritten": 2 * p,
        "own_factor": by_u * p + 2 * p,
    }
    got = t.value("by_p")
    t.equal("∂L/∂p", got, by_p, mistakes=wrong, otherwise="chain")
    got, wrong = t.value("by_q"), {"own_factor": by_u * q}
    t.equal("∂L/∂q", got, by_q, mistakes=wrong, otherwise="chain")
    got, wrong = t.value("by_r"), {"sign": -by_r}
    t.equal("∂L/∂r", got, by_r, mistakes=wrong, otherwise="r_chain")


@exercise(
    "02.steps",
    *("exp", "log", "divide"),
    hints={
        "no_tuple": "The local derivatives stand in a tuple, one number too: (d,).",
        "value_alone": "Return two things: the value, and the tuple of derivatives.",
        "power_rule": "That is the rule for a power of p. Here p is the exponent.",
        "log_slope": "How fast does log p rise? At p = 1 it rises as fast as p.",
        "sign": "A larger q makes p / q smaller: the second derivative is negative.",
        "square": "The derivative of 1/q has q squared below.",
        "swapped": "The derivatives stand in the order of the inputs: p, then q.",
        "value": "Nudge one input by 0.001 and see by how much the value moves.",
    },
    forbidden=DIFFERENTIATION,
)
def steps(t: Trial) -> None:
    """Write three steps for the graph, with their local derivatives."""
    p, q = float(t.rng.uniform(2, 3)), float(t.rng.uniform(0.3, 0.8))
    e = np.exp(q)
    wrong = {"no_tuple": [e, e], "value_alone": e, "power_rule": [e, [q * e / np.e]]}
    step(t, "exp", jnp.exp, (q,), wrong)
    value, slope = np.log(p), 1 / p
    wrong = {
        "no_tuple": [value, slope],
        "value_alone": value,
        "log_slope": [value, [p]],
    }
    step(t, "log", jnp.log, (p,), wrong)
    value, slopes = p / q, (1 / q, -p / q**2)
    wrong = {
        "value_alone": value,
        "sign": [value, [1 / q, p / q**2]],
        "square": [value, [1 / q, -p / q]],
        "swapped": [value, slopes[::-1]],
    }
    step(t, "divide", jnp.divide, (p, q), wrong)


def step(t: Trial, name: str, function, inputs: tuple, wrong: dict) -> None:
    """Compare a step of the graph with jax.grad."""
    slopes = jax.grad(function, tuple(range(len(inputs))))(*inputs)
    got, right = t.call(name, *inputs), [function(*inputs), list(slopes)]
    on = f"{name}({', '.join(f'{each:.3f}' for each in inputs)})"
    t.equal(name, got, right, mistakes=wrong, otherwise="value", on=on)


@exercise(
    "02.squared",
    "squared_delta",
    hints={
        "cross_entropy": "That belongs to the cross-entropy. Here nothing cancels.",
        "no_slope": "z moves the loss through the sigmoid: its slope is a factor.",
        "half": "The derivative of a square brings down a factor of 2.",
        "not_mean": "The loss is a mean over the n examples.",
        "of_z": "The sigmoid's slope is ŷ (1 - ŷ), not z (1 - z).",
        "sign": "Where ŷ is too large, a larger z makes the loss larger.",
        "value": "Chain rule: the square's slope at ŷ, times the sigmoid's at z.",
    },
    forbidden=BY_HAND,
)
def squared(t: Trial) -> None:
    """Derive where the backward pass starts for a squared error behind a sigmoid."""
    z = t.normal(5, 1)
    y = t.rng.permutation(np.float32([[0], [0], [1], [1], [1]]))

    def loss(z):
        return losses.mse(jax.nn.sigmoid(z), y).mean()

    p = np.asarray(jax.nn.sigmoid(z))
    slope = p * (1 - p)
    wrong = {
        "cross_entropy": (p - y) / 5,
        "no_slope": 2 * (p - y) / 5,
        "half": (p - y) * slope / 5,
        "not_mean": 2 * (p - y) * slope,
        "of_z": 2 * (p - y) * z * (1 - z) / 5,
        "sign": 2 * (y - p) * slope / 5,
    }
    t.equal(
        "against jax.grad",
        t.call("squared_delta", z, y),
        jax.grad(loss)(z),
        mistakes=wrong,
        otherwise="value",
        on=f"z = {np.round(z[:, 0], 2)}, y = {y[:, 0]}, both of shape (5, 1)",
    )


@exercise(
    "02.residual",
    "residual_backward",
    hints={
        "three": "Return three arrays: those for a, for w and for b.",
        "no_skip": "a reaches the output on two ways. One goes past the weights.",
        "masked_skip": "The way past the weights meets no ReLU.",
        "no_slope": "What goes back to z is stopped where ReLU is off.",
        "not_transposed": "Back through the weights goes through their transpose.",
        "w_turned": "w[k, j] leads from input k to output j. Yours is transposed.",
        "mean": "The effects of the examples add. A mean would divide by n.",
        "by_a": "Add up what comes back on each way, as for any value used twice.",
        "by_w": "Let δ be what reaches z. Which product of a and δ has the shape of w?",
        "by_b": "b enters every example with the factor 1.",
    },
    forbidden=BY_HAND,
)
def residual(t: Trial) -> None:
    """Derive the backward pass of a residual layer."""
    a, w, b, up = t.normal(7, 4), t.normal(4, 4), t.normal(4), t.normal(7, 4)
    _, pull = jax.vjp(lambda a, w, b: a + jax.nn.relu(a @ w + b), a, w, b)
    got = t.call("residual_backward", a, w, b, up)
    if not t.true("three", isinstance(got, list) and len(got) == 3, hint="three"):
        return
    delta = up * (a @ w + b > 0)
    right = pull(up)
    wrong = {
        "no_skip": delta @ w.T,
        "masked_skip": delta + delta @ w.T,
        "no_slope": up + up @ w.T,
        "not_transposed": up + delta @ w,
    }
    on = f"shapes {a.shape}, {w.shape}, {b.shape}, {up.shape}"
    t.equal("∂L/∂a", got[0], right[0], mistakes=wrong, otherwise="by_a", on=on)
    wrong = {"w_turned": delta.T @ a, "no_slope": a.T @ up, "mean": right[1] / 7}
    t.equal("∂L/∂W", got[1], right[1], mistakes=wrong, otherwise="by_w", on=on)
    wrong = {"mean": delta.mean(0), "no_slope": up.sum(0)}
    t.equal("∂L/∂b", got[2], right[2], mistakes=wrong, otherwise="by_b", on=on)
