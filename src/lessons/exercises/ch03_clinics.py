"""Practice checks of the bug clinics of chapter 03: B3, B4 and B5."""

from __future__ import annotations

from itertools import pairwise

import jax
import numpy as np

from lessons.exercises.base import Trial, exercise
from lessons.exercises.plain import AnswerError, Key


@exercise(
    "03.one_logit",
    *("signed_loss", "signed_accuracy"),
    hints={
        "as_given": "A softmax over one logit is 1, whatever the logit.",
        "labels": "That formula is for labels 0 and 1. Here they are +1 and -1.",
        "sign": "A large z should cost little where the label is +1.",
        "hinge": "At z = 0 the loss must be ln 2. Yours is not a surprise in nats.",
        "half": "At z = 0 the loss must be ln 2. Which factor is too much?",
        "one_number": "Give one number for each example; the caller takes the mean.",
        "overflow": "exp(1000) is infinite, and a probability that is rounded to 0 has "
        "no logarithm. The chapter has a form of log(1 + exp(z)) that meets neither.",
        "value": "σ(z) is the probability of +1. Which sigmoid is that of -1?",
        "always": "The argmax of a single column is always 0. What does z say?",
        "compare": "z > 0 is true or false, and the label is +1 or -1.",
        "accuracy": "The guess is +1 where z is positive. Which share is right?",
    },
    forbidden=(
        *("lessons.losses.*", "optax.*"),
        "optax.losses.sigmoid_binary_cross_entropy",
    ),
)
def one_logit(t: Trial) -> None:
    """Repair the loss and the accuracy of bug clinic B3."""
    y = np.float32([1, 1, 1, 1, -1, -1, -1, 1])
    right_side = np.float32([1, 1, 1, 1, 1, -1, -1, -1])
    order = t.rng.permutation(8)
    z = ((0.3 + np.abs(t.normal(8))) * y * right_side)[order]
    y = y[order]
    right = -np.asarray(jax.nn.log_sigmoid(y * z))
    if_one, if_zero = np.logaddexp(0, -z), np.logaddexp(0, z)
    wrong = {
        "as_given": np.zeros(8),
        "labels": y * if_one + (1 - y) * if_zero,
        "sign": np.logaddexp(0, y * z),
        "hinge": np.maximum(0, 1 - y * z),
        "half": (1 + y) * if_one + (1 - y) * if_zero,
        "one_number": right.mean(),
    }
    on = f"z = {np.round(z, 2)}, y = {y.astype(int)}"
    got = t.call("signed_loss", z, y)
    t.equal("the loss", got, right, mistakes=wrong, otherwise="value", on=on)
    far, signs = np.float32([1000, -1000, 1000, -1000]), np.float32([1, 1, -1, -1])
    got = t.call("signed_loss", far, signs)
    right = [0, 1000, 1000, 0]
    t.equal("logits of ±1000", got, np.float32(right), otherwise="overflow")
    wrong = {"always": 1.0, "compare": ((z > 0) == y).mean()}
    got = t.call("signed_accuracy", z, y)
    t.equal("accuracy", got, 5 / 8, mistakes=wrong, otherwise="accuracy", on=on)


@exercise(
    "03.columns",
    "safe_mse",
    hints={
        "broadcast": "(n, 1) less (n,) gives n² differences. Bring both to (n,) first.",
        "sum": "The mean over the n examples is asked for.",
        "not_squared": "Square the differences before the mean.",
        "root": "That is the root of the mean. No root is taken.",
        "refused": "(n, 1) and (n,) are the right shapes. Do not refuse them.",
        "no_refusal": "The answer takes these wrong shapes. Compare them, and raise.",
        "stretched": "A single row is stretched over all n here. Compare the lengths.",
        "error": "Compare the shapes before anything else may fail on them, and "
        "raise a ValueError.",
        "unnamed": "Put both shapes, such as (6, 1), in the message's first line.",
        "value": "Difference, square, mean, over n numbers.",
    },
    forbidden=("lessons.losses.*", "optax.*", "optax.losses.squared_error"),
)
def columns(t: Trial) -> None:
    """Repair the loss of bug clinic B4, and let it refuse other shapes."""
    p, y = t.normal(6, 1), t.normal(6)
    d = p[:, 0] - y
    right = np.mean(d**2)
    wrong = {
        "broadcast": np.mean((p - y) ** 2),
        "sum": np.sum(d**2),
        "not_squared": np.mean(np.abs(d)),
        "root": np.sqrt(right),
    }
    on = "predictions (6, 1), targets (6,)"
    got = t.call("safe_mse", p, y, otherwise="refused")
    t.equal("the loss", got, right, mistakes=wrong, otherwise="value", on=on)
    refuses(t, p, y[:1], "stretched")
    refuses(t, p[:1], y, "stretched")
    refuses(t, t.normal(6, 2), y, "no_refusal")
    refuses(t, y, p, "no_refusal")
    refuses(t, t.normal(6, 1, 1), y, "no_refusal")
    refuses(t, p, np.float32(1.0), "no_refusal")


def refuses(t: Trial, predictions: np.ndarray, targets: np.ndarray, hint: str) -> None:
    """Look whether the answer stops with an error on these shapes, and with which."""
    shapes = f"predictions {predictions.shape}, targets {targets.shape}"
    said = ""
    try:
        t.call("safe_mse", predictions, targets)
    except AnswerError as error:
        if error.hint == "finished":
            raise
        said = str(error) if error.hint == "raises" else ""
    if t.true(f"it refuses {shapes}", said, hint=hint, on=shapes):
        on = f"{shapes}\n{said}"
        t.true("a ValueError", said.startswith("ValueError:"), hint="error", on=on)
        named = all(str(each.shape) in said for each in (predictions, targets))
        t.true("both shapes are named", named, hint="unnamed", on=on)


@exercise(
    "03.start",
    "start",
    hints={
        "tree": "Return a list of dicts with w (n_in, n_out) and b (n_out,).",
        "normal": "These weights have variance 1, however many inputs they sum over.",
        "squared": "He's formula is a variance. A factor scales the deviation.",
        "fan_out": "Forward, the sum runs over the inputs of the layer.",
        "glorot": "That is Glorot's variance. The layers here have ReLU.",
        "linear": "That keeps a linear layer's variance. ReLU takes half away.",
        "variance": "Print the variance of each layer's weights beside He's formula.",
        "biases": "Biases start at 0. The weights already make the units differ.",
        "centred": "The weights should have mean 0, so that neither sign is preferred.",
        "same_key": "Two layers got the same numbers: one key, used twice. Split it.",
        "fixed_key": "Another key must give other weights: use the key that is given.",
    },
    forbidden=("lessons.dnn.*", "jax.nn.initializers.*"),
)
def start(t: Trial) -> None:
    """Repair the initialiser of bug clinic B5."""
    sizes, seed = [300, 200, 200, 200, 20], int(t.rng.integers(1, 10**6))
    got = t.call("start", Key(seed), sizes)
    if not t.true("one dict a layer", fits(got, sizes), hint="tree"):
        return
    weights = [np.asarray(layer["w"], float) for layer in got]
    spread = np.array([w.var() for w in weights])
    n_in, n_out = np.array(list(pairwise(sizes)), float).T
    wrong = {
        "normal": np.ones(4),
        "squared": (2 / n_in) ** 2,
        "fan_out": 2 / n_out,
        "glorot": 2 / (n_in + n_out),
        "linear": 1 / n_in,
    }
    middle = max(abs(w.mean()) / (w.std() + 1e-9) for w in weights)
    t.true("mean 0", middle < 0.2, hint="centred", on=f"sizes {sizes}")
    t.equal(
        "the variance of each layer",
        spread,
        2 / n_in,
        mistakes=wrong,
        otherwise="variance",
        on=f"sizes {sizes}",
        rtol=0.12,
        atol=0,
    )
    t.true("biases", all((layer["b"] == 0).all() for layer in got), hint="biases")
    alike = np.corrcoef(weights[1].ravel(), weights[2].ravel())[0, 1]
    t.true("layers differ", abs(alike) < 0.1, hint="same_key")
    other = t.call("start", Key(seed + 1), sizes)
    same = fits(other, sizes) and np.allclose(other[0]["w"], weights[0])
    t.true("another key", not same, hint="fixed_key")


def fits(layers, sizes: list[int]) -> bool:
    """Return whether a plain value is a list of layers of these sizes."""
    if not isinstance(layers, list) or len(layers) != len(sizes) - 1:
        return False
    for layer, (n_in, n_out) in zip(layers, pairwise(sizes), strict=True):
        if not isinstance(layer, dict) or set(layer) != {"w", "b"}:
            return False
        both = [layer["w"], layer["b"]]
        if not all(isinstance(each, np.ndarray) for each in both):
            return False
        if [each.shape for each in both] != [(n_in, n_out), (n_out,)]:
            return False
    return True
