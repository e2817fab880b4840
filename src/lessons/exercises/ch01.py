"""Practice checks of chapter 01: activation functions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from lessons import activations
from lessons.exercises.bans import DIFFERENTIATION
from lessons.exercises.base import Trial, exercise
from lessons.exercises.local import numbers

FAR = np.array([-1000.0, -30.0, 30.0, 1000.0], np.float32)


@exercise(
    "01.steepest",
    "steepest",
    "largest_slope",
    "largest_factor",
    hints={
        "place": "Draw the sigmoid: where does it rise fastest?",
        "slope": "The slope is σ(z)(1 - σ(z)). Put in the place that you named.",
        "one_layer": "That is one layer's factor. All layers make a product.",
        "not_squared": "A mean square is multiplied by the slope's square.",
        "sum": "Factors of layers are multiplied, not added.",
        "factor": "Each layer multiplies by at most the largest slope, squared.",
    },
)
def steepest(t: Trial) -> None:
    """Recall the sigmoid's steepest place and what layers make of it."""
    layers = int(numbers("01.steepest", t.variant, low=10, high=30))
    slope = jax.vmap(jax.grad(jax.nn.sigmoid))
    z = np.linspace(-6, 6, 1201, dtype=np.float32)
    top = float(jnp.max(slope(z)))
    t.equal("the place", t.value("steepest"), z[np.argmax(slope(z))], otherwise="place")
    t.equal("the slope", t.value("largest_slope"), top, otherwise="slope")
    wrong = {"one_layer": top**2, "not_squared": top**layers, "sum": layers * top**2}
    t.equal(
        "the factor of all layers",
        t.value("largest_factor"),
        top ** (2 * layers),
        mistakes=wrong,
        otherwise="factor",
        rtol=0.01,
        atol=0,
    )


@exercise(
    "01.relu",
    "relu",
    "relu_slope",
    hints={
        "abs": "That is |x|: a negative entry becomes 0, it does not change its sign.",
        "keeps_negative": "You keep the negative part; ReLU keeps the positive one.",
        "one_number": "ReLU acts on each entry: the result has the shape of x.",
        "branch": "An `if` needs one truth value, and x is an array. Use `jnp.where`.",
        "slope_is_relu": "That is ReLU itself. Its slope is 0 or 1.",
        "slope_at_0": "By the course's convention the slope at 0 is 0.",
        "slope_left": "To the left of 0 ReLU is flat: its slope there is 0.",
        "value": "Compare with the larger of x and 0, entry by entry.",
        "slope": "Compare with jax.grad of ReLU at one point.",
    },
    forbidden=(*DIFFERENTIATION, "jax.nn.*", "lessons.activations.*"),
)
def relu(t: Trial) -> None:
    """Write ReLU and its slope, entry by entry."""
    x = t.normal(3, 4)
    on = f"x = {np.round(x[0], 2)}, ..."
    wrong = {
        "abs": np.abs(x),
        "keeps_negative": np.minimum(x, 0),
        "one_number": np.maximum(x, 0).sum(),
    }
    y = t.call("relu", x, otherwise="branch")
    t.equal("ReLU", y, jax.nn.relu(x), mistakes=wrong, otherwise="value", on=on)
    # Both signs whatever the seed draws.
    z = np.append(t.normal(4), np.float32([-1.5, 0, 2]))
    slope = jax.vmap(jax.grad(jax.nn.relu))(z)
    wrong = {
        "slope_is_relu": np.maximum(z, 0),
        "slope_at_0": (z >= 0) * 1.0,
        "slope_left": np.sign(z),
    }
    d = t.call("relu_slope", z, otherwise="branch")
    t.equal(
        "the slope, 0 included",
        d,
        slope,
        mistakes=wrong,
        otherwise="slope",
        on=f"x = {np.round(z, 2)}",
    )


@exercise(
    "01.softmax",
    "softmax",
    hints={
        "overflow": "exp(1000) is infinite. Subtract the maximum of each row first.",
        "all_entries": "Each row must sum to 1. You divide by the sum over all rows.",
        "columns": "You sum down the columns. The rows are along the last axis.",
        "not_divided": "The numbers must sum to 1: divide by their sum.",
        "linear": "Take exponentials first, then divide by their sum.",
        "scores": "Softmax turns scores into probabilities that sum to 1 in each row.",
    },
    forbidden=(
        *("jax.nn.*", "jax.scipy.special.*", "lessons.activations.*"),
        "scipy.special.softmax",
    ),
)
def softmax(t: Trial) -> None:
    """Write a softmax over the last axis that no large score breaks."""
    x = t.normal(3, 5)
    e = np.exp(x)
    wrong = {
        "all_entries": e / e.sum(),
        "columns": e / e.sum(0),
        "not_divided": e,
        "linear": x / x.sum(-1, keepdims=True),
    }
    y = t.call("softmax", x)
    right = jax.nn.softmax(x)
    on = f"x of shape {x.shape}, first row {np.round(x[0], 2)}"
    t.equal("small scores", y, right, mistakes=wrong, otherwise="scores", on=on)
    large = x + np.float32(1000)
    y = t.call("softmax", large)
    on = f"first row {np.round(large[0], 1)}"
    # Scores near 1000 are rounded to 6e-5 in float32.
    t.equal("scores near 1000", y, jax.nn.softmax(large), otherwise="overflow", on=on)
    one = t.normal(4)
    t.equal(
        "one row alone",
        t.call("softmax", one),
        jax.nn.softmax(one),
        otherwise="columns",
        on=f"x = {np.round(one, 2)}",
    )


@exercise(
    "01.softplus",
    "softplus",
    "softplus_slope",
    hints={
        "overflow": "exp(1000) is infinite. Take max(z, 0) out of the logarithm first.",
        "digits": "1 + exp(-20) rounds to 1. `jnp.log1p(x)` keeps the digits of x.",
        "no_one": "There is a 1 inside the logarithm: log(1 + exp(z)).",
        "slope_is_softplus": "That is softplus itself. Differentiate it.",
        "slope_of_sigmoid": "That is the sigmoid's slope. That of softplus is simpler.",
        "sign": "For a large z softplus is z, for a very negative one it is 0.",
        "slope_overflow": "Infinity over infinity is no number. Rewrite the slope.",
        "slope": "By the chain rule the slope is exp(z) / (1 + exp(z)).",
        "value": "Compare with log(1 + exp(z)) for small z.",
    },
    forbidden=(
        *DIFFERENTIATION,
        "jax.nn.*",
        "jax.scipy.special.*",
        "lessons.activations.*",
        "jax.numpy.logaddexp",
        "numpy.logaddexp",
        "scipy.special.expit",
    ),
)
def softplus(t: Trial) -> None:
    """Write softplus and its slope, right at ±1000 too."""
    z = t.normal(7)
    s = activations.sigmoid(z)
    wrong = {"no_one": z, "sign": np.log1p(np.exp(-z))}
    on = f"z = {np.round(z, 2)}"
    y = t.call("softplus", z)
    right = jax.nn.softplus(z)
    t.equal("small z", y, right, mistakes=wrong, otherwise="value", on=on)
    y = t.call("softplus", FAR)
    right = jax.nn.softplus(FAR)
    t.equal("z up to ±1000", y, right, otherwise="overflow", on=f"z = {FAR}")
    low = np.float32([-20, -10])
    y, right, on_low = t.call("softplus", low), np.exp(low.astype(float)), f"z = {low}"
    t.equal("small values", y, right, otherwise="digits", on=on_low, rtol=1e-2, atol=0)
    wrong = {
        "slope_is_softplus": jax.nn.softplus(z),
        "slope_of_sigmoid": s * (1 - s),
    }
    d = t.call("softplus_slope", z)
    t.equal("the slope", d, s, mistakes=wrong, otherwise="slope", on=on)
    d = t.call("softplus_slope", FAR)
    right = activations.sigmoid(FAR)
    on = f"z = {FAR}"
    t.equal("the slope far out", d, right, otherwise="slope_overflow", on=on)


@exercise(
    "01.surprise",
    "surprise_slope",
    hints={
        "sign": "The sign is turned round: nudge the true class's score up. Does the "
        "loss rise or fall?",
        "scores": "Turn the scores into probabilities before you subtract.",
        "only_p": "The true probabilities q are not used.",
        "divided": "The loss is a sum over classes, not a mean: do not divide by K.",
        "minus_one": "p - 1 is right where q is 1, and only there.",
        "value": "Write L as -Σ q z + log Σ exp(z), with Σ q = 1, and differentiate.",
    },
    forbidden=DIFFERENTIATION,
)
def surprise(t: Trial) -> None:
    """Derive the slope of the cross-entropy by the scores."""
    z, q = t.normal(4), np.exp(t.normal(4))
    q = (q / q.sum()).astype(np.float32)
    p = np.asarray(jax.nn.softmax(z))

    def loss(z):
        return -jnp.sum(q * jax.nn.log_softmax(z))

    wrong = {
        "sign": q - p,
        "scores": z - q,
        "only_p": p,
        "divided": (p - q) / 4,
        "minus_one": p - 1,
    }
    t.equal(
        "against jax.grad",
        t.call("surprise_slope", z, q),
        jax.grad(loss)(z),
        mistakes=wrong,
        otherwise="value",
        on=f"z = {np.round(z, 2)}, q = {np.round(q, 2)}",
    )


@exercise(
    "01.clinic",
    "sigmoid_backward",
    hints={
        "both": "Two mistakes: a power stands for a product, and `upstream` is unused.",
        "power": "σ ** (1 - σ) is a power. The slope is the product σ (1 - σ).",
        "no_upstream": "The chain rule multiplies by the slope that comes from above.",
        "of_z": "The slope is σ(z) (1 - σ(z)): put σ(z) in, not z.",
        "added": "The slope from above is a factor, not a term.",
        "only_sigmoid": "That is σ times the slope from above. Where is 1 - σ?",
        "value": "Nudge z and compare: (f(z + h) - f(z - h)) / 2h, times `upstream`.",
    },
    forbidden=(*DIFFERENTIATION, "lessons.activations.sigmoid_grad"),
)
def clinic(t: Trial) -> None:
    """Repair the sigmoid's backward step of bug clinic B2."""
    z, upstream = t.normal(5), t.normal(5)
    s = np.asarray(activations.sigmoid(z))
    _, pull = jax.vjp(jax.nn.sigmoid, z)
    wrong = {
        "both": s ** (1 - s),
        "power": s ** (1 - s) * upstream,
        "no_upstream": s * (1 - s),
        "of_z": z * (1 - z) * upstream,
        "added": s * (1 - s) + upstream,
        "only_sigmoid": s * upstream,
    }
    t.equal(
        "the slope times what comes from above",
        t.call("sigmoid_backward", z, upstream),
        pull(upstream)[0],
        mistakes=wrong,
        otherwise="value",
        on=f"z = {np.round(z, 2)}, upstream = {np.round(upstream, 2)}",
    )


@exercise(
    "01.gain",
    "leaky_gain",
    hints={
        "not_squared": "The mean square asks for the slope squared.",
        "half": "Only the left half has the slope a: average a² and 1, and invert.",
        "inverse": "That is the factor that a layer loses. The gain repairs it.",
        "root": "The gain multiplies the variance of the weights, so no root is taken.",
        "relu": "The slope on the left is not used: at a = 1 the layer is linear.",
        "value": "The gain times the mean of f(z)² must be the mean of z².",
    },
)
def gain(t: Trial) -> None:
    """Derive the gain that keeps the mean square through leaky ReLU."""
    for slope in (0.2, 1.0, float(np.round(t.rng.uniform(0.3, 0.8), 2))):
        z = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
        z = np.append(z, -z)
        kept = np.mean(z**2) / np.mean(activations.leaky_relu(z, slope) ** 2)
        wrong = {
            "not_squared": 2 / (1 + slope),
            "half": 1 / (1 + slope**2),
            "inverse": (1 + slope**2) / 2,
            "root": np.sqrt(2 / (1 + slope**2)),
            "relu": 2.0,
        }
        got = t.call("leaky_gain", np.float32(slope))
        what = f"the mean square at a = {slope}"
        t.equal(what, got, kept, mistakes=wrong, otherwise="value", on=f"a = {slope}")
