"""Practice checks of chapter 03: deep networks. Its bug clinics stand apart."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from lessons import dnn, losses
from lessons.exercises.bans import DIFFERENTIATION
from lessons.exercises.base import Trial, exercise
from lessons.exercises.ch03_clinics import columns, one_logit, start
from lessons.exercises.local import numbers
from lessons.exercises.plain import stacked

__all__ = ["columns", "count", "maximum", "one_logit", "rate", "smooth", "start"]

FINISHED_CE = (
    *("jax.nn.softmax", "jax.nn.log_softmax", "lessons.losses.*", "optax.*"),
    *("lessons.activations.softmax", "lessons.activations.log_softmax"),
    *("scipy.special.softmax", "scipy.special.log_softmax"),
    *("optax.losses.softmax_cross_entropy", "optax.losses.smooth_labels"),
)


@exercise(
    "03.count",
    *("parameters", "chance", "he_std", "factor"),
    hints={
        "no_biases": "Every layer has biases too, one for each of its outputs.",
        "input_biases": "The input is no layer: it has no biases.",
        "layers": "Four sizes make three layers, each with w and b.",
        "ln_2": "ln 2 is the value for two classes.",
        "unit": "The loss is in nats: the natural logarithm.",
        "surprise": "That is the probability. The loss is the surprise at it.",
        "chance": "Every class gets the same probability. What is its surprise?",
        "variance": "That is He's variance. The question is about the deviation.",
        "fan_out": "He looks forward: count the inputs of the layer.",
        "glorot": "That is Glorot's compromise, for nearly linear activations.",
        "he": "He's variance keeps the mean square through a ReLU layer.",
        "no_relu": "That is the sum alone. ReLU then takes its part away.",
        "deviation": "That is the factor of the size. The mean square is asked for.",
        "factor": "Variances of the n_in terms add, then ReLU keeps a part.",
    },
)
def count(t: Trial) -> None:
    """Recall what a network's sizes decide."""
    sizes = [*numbers("03.count", t.variant, 3, low=3, high=9).astype(int)]
    n_in, hidden, k = (n * by for n, by in zip(sizes, (10, 5, 1), strict=True))
    sizes = [n_in, hidden, hidden, k]
    params = dnn.mlp_init(jax.random.key(0), [int(n) for n in sizes])
    right = sum(leaf.size for leaf in jax.tree.leaves(params))
    weights = sum(a * b for a, b in pairwise(sizes))
    wrong = {"no_biases": weights, "input_biases": right + n_in}
    got = t.value("parameters")
    t.equal("the parameters", got, right, mistakes=wrong, otherwise="layers", rtol=0)
    right = losses.cross_entropy(jnp.zeros((1, k)), jnp.zeros(1, int))[0]
    wrong = {"ln_2": np.log(2), "unit": np.log2(k), "surprise": 1 / k}
    near = {"rtol": 0.005, "atol": 0}
    got = t.value("chance")
    t.equal("the loss", got, right, mistakes=wrong, otherwise="chance", **near)
    wrong = {
        "variance": 2 / hidden,
        "fan_out": np.sqrt(2 / k),
        "glorot": np.sqrt(2 / (hidden + k)),
    }
    got, right = t.value("he_std"), np.sqrt(2 / hidden)
    t.equal("the deviation", got, right, mistakes=wrong, otherwise="he", **near)
    wrong = {"no_relu": hidden, "deviation": np.sqrt(hidden / 2)}
    got = t.value("factor")
    t.equal("the factor", got, hidden / 2, mistakes=wrong, otherwise="factor", **near)


@exercise(
    "03.maximum",
    "net",
    hints={
        "shapes": "Two dicts: w (2, h) and b (h,), then w (h, 1) and b (1,).",
        "positive": "Right where x1 is positive. ReLU let only that part of x1 pass.",
        "distance": "That is how far apart the two are. The larger one is asked for.",
        "minimum": "That is the smaller of the two.",
        "sum": "That is the sum. Somewhere the two must be compared.",
        "above": "That is how far x0 lies above x1. Where does x1 itself come in?",
        "value": "Try (1, 2), (2, 1), (-1, -2) and (-2, -1) with a pencil.",
    },
)
def maximum(t: Trial) -> None:
    """Set the weights of a network that gives the larger of its two inputs."""
    layers = two_layers(t.value("net"))
    if not t.true("the shapes", layers is not None, hint="shapes"):
        return
    far = np.float32([[3, 1], [-1, 2], [-4, -2], [-2, -5], [50, 90], [-70, -60]])
    x = np.concatenate([far, 3 * t.normal(20, 2)])
    got = dnn.mlp(layers, jnp.asarray(x))[:, 0]
    x0, x1 = x.T
    wrong = {
        "positive": np.maximum(x0, x1) + np.maximum(-x1, 0),
        "distance": np.abs(x0 - x1),
        "minimum": np.minimum(x0, x1),
        "sum": x0 + x1,
        "above": np.maximum(x0 - x1, 0),
    }
    right = np.maximum(x0, x1)
    on = "x = (3, 1), (-1, 2), (-4, -2), ..."
    t.equal("at 26 points", got, right, mistakes=wrong, otherwise="value", on=on)


# Three units are enough; the grader has no memory for a million.
WIDEST = 1000


def two_layers(net) -> list[dict] | None:
    """Return a plain value as two layers from 2 inputs to 1 output, or None."""
    if not isinstance(net, list) or len(net) != 2:
        return None
    arrays = []
    for layer in net:
        if not isinstance(layer, dict) or set(layer) != {"w", "b"}:
            return None
        both = (layer["w"], layer["b"])
        arrays += [stacked(each) if isinstance(each, list) else each for each in both]
    if not all(isinstance(each, np.ndarray) for each in arrays):
        return None
    w1, b1, w2, b2 = (each.astype(np.float32) for each in arrays)
    h = b1.size
    if h > WIDEST:
        return None
    if [w1.shape, b1.shape, w2.shape, b2.shape] != [(2, h), (h,), (h, 1), (1,)]:
        return None
    return [{"w": jnp.array(w1), "b": b1}, {"w": jnp.array(w2), "b": b2}] if h else None


@exercise(
    "03.rate",
    *("rate_loss", "rate_delta"),
    hints={
        "constant": "log y! does not depend on the network. Leave it out.",
        "z_is_rate": "z is not the rate: the rate is exp(z), so that it is positive.",
        "sign": "Surprise is minus the logarithm: a likely count costs less.",
        "one_number": "Give one number for each example; the caller takes the mean.",
        "value": "Write -log p(y) with the rate exp(z), and drop what has no z in it.",
        "delta_sign": "Where the rate is above the count, a larger z costs more.",
        "delta_z": "Prediction minus label, and the prediction is the rate.",
        "delta_sigmoid": "The rate is no probability: there is no sigmoid here.",
        "by_rate": "That is the derivative by the rate. By the chain rule, go on to z.",
        "delta_mean": "The derivative of each example's own loss: no division by n.",
        "slope": "Differentiate your loss term by term.",
    },
    forbidden=(
        *DIFFERENTIATION,
        "jax.scipy.stats.poisson.logpmf",
        "jax.scipy.stats.poisson.pmf",
        "optax.losses.poisson_nll_loss",
    ),
)
def rate(t: Trial) -> None:
    """Derive the loss of a network that predicts counts, and its derivative."""
    z = np.abs(t.normal(6)) + np.float32(0.2)
    y = t.rng.permutation(np.float32([0, 0, 1, 2, 4, 7]))
    constant = jax.scipy.special.gammaln(y + 1)
    surprise = -jax.scipy.stats.poisson.logpmf(y, jnp.exp(z))
    right = surprise - constant
    wrong = {
        "constant": surprise,
        "z_is_rate": z - y * np.log(z),
        "sign": -right,
        "one_number": right.mean(),
    }
    on = f"z = {np.round(z, 2)}, y = {y}"
    got = t.call("rate_loss", z, y)
    t.equal("the loss", got, right, mistakes=wrong, otherwise="value", on=on)

    def loss(z):
        return -jnp.sum(jax.scipy.stats.poisson.logpmf(y, jnp.exp(z)))

    z = z * np.float32([1, -1, 1, -1, 1, -1])
    right = jax.grad(loss)(z)
    wrong = {
        "delta_sign": -right,
        "delta_z": z - y,
        "delta_sigmoid": jax.nn.sigmoid(z) - y,
        "by_rate": 1 - y * np.exp(-z),
        "delta_mean": right / 6,
    }
    on = f"z = {np.round(z, 2)}, y = {y}"
    got = t.call("rate_delta", z, y)
    t.equal("its derivative", got, right, mistakes=wrong, otherwise="slope", on=on)


@exercise(
    "03.smooth",
    "smoothed_loss",
    hints={
        "plain": "That is the loss without smoothing: the label is still one class.",
        "others": "The share is spread over all K classes, the true one included.",
        "too_much": "The targets must sum to 1: the true class gives its share away.",
        "turned": "The true class keeps the large share, 1 - smoothing.",
        "of_mixture": "Take the surprise at each class, then weigh; not the reverse.",
        "one_number": "Give one number for each example; the caller takes the mean.",
        "overflow": "exp(1000) is infinite, and a p that is rounded to 0 has no "
        "logarithm. Write log p from the shifted logits, without p in between.",
        "value": "Weigh each class's surprise by its target, and add over the classes.",
    },
    forbidden=FINISHED_CE,
)
def smooth(t: Trial) -> None:
    """Write the cross-entropy with smoothed labels, from logits."""
    z, labels = t.normal(5, 4), t.rng.integers(0, 4, 5).astype(np.int32)
    share = float(np.round(t.rng.uniform(0.1, 0.3), 2))
    surprise = -np.asarray(jax.nn.log_softmax(z))
    hot = np.eye(4)[labels]

    def weighed(targets):
        return (targets * surprise).sum(1)

    targets = (1 - share) * hot + share / 4
    right = weighed(targets)
    wrong = {
        "plain": weighed(hot),
        "others": weighed((1 - share) * hot + share / 3 * (1 - hot)),
        "too_much": weighed(hot + share / 4),
        "turned": weighed(share * hot + (1 - share) / 4),
        "of_mixture": -np.log((targets * np.exp(-surprise)).sum(1)),
        "one_number": right.mean(),
    }
    on = f"labels = {labels}, smoothing = {share}"
    got = t.call("smoothed_loss", z, labels, share)
    t.equal("small logits", got, right, mistakes=wrong, otherwise="value", on=on)
    z = np.float32([[1000, 0, 0, 0], [-1000, 0, 1, 0]])
    labels = np.int32([0, 1])
    targets = (1 - share) * np.eye(4)[labels] + share / 4
    right = -(targets * np.asarray(jax.nn.log_softmax(z))).sum(1)
    got = t.call("smoothed_loss", z, labels, share)
    t.equal("logits of ±1000", got, right, otherwise="overflow", on=f"logits = {z}")
