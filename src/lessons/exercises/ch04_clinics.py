"""Practice checks of the bug clinics of chapter 04: B6, B10 and B11."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lessons.exercises.base import Trial, exercise
from lessons.exercises.plain import AnswerError, Key, Source


def two(result: Any) -> list:
    """Return the two parts of an answer's result."""
    if not isinstance(result, list) or len(result) != 2:
        raise AnswerError("expected two results, as a tuple", "shape")
    return result


def numeric(value: Any) -> np.ndarray:
    """Return an array of finite numbers, and refuse anything else."""
    if not isinstance(value, np.ndarray) or not np.isfinite(value).all():
        raise AnswerError("expected an array of finite numbers", "shape")
    return value


# So many the function gets; the grader has no memory for any number.
ROWS = 30


def part(value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the labels of one part of a split."""
    x, labels = map(numeric, two(value))
    if x.ndim != 2 or x.shape[:1] != labels.shape or not len(labels):
        raise AnswerError(f"rows {x.shape} beside labels {labels.shape}", "shape")
    if len(labels) > ROWS:
        raise AnswerError(f"rows {x.shape} beside labels {labels.shape}", "shape")
    return x, labels.astype(int)


def loss(params: dict, x: np.ndarray, y: np.ndarray) -> jax.Array:
    """Return the mean squared error of a linear model."""
    return jnp.mean((x @ params["w"] + params["b"] - y) ** 2)


@exercise(
    "04.clinic_gradient",
    "train_step",
    hints={
        "still": "No array moves: what is differentiated does not depend on the "
        "parameters.",
        "biases": "The weights move and the biases stand still.",
        "weights": "The biases move and the weights stand still.",
        "in_turn": "Both gradients belong to the old parameters; you move one array "
        "before you ask for the other's.",
        "uphill": "The loss rises: the step is subtracted.",
        "sum": "The step grows with the batch: the loss is a mean over examples.",
        "late": "Return the loss before the step: it costs nothing.",
        "value": "Compare with the gradient of the mean squared error by w and by b.",
    },
)
def train_step(t: Trial) -> None:
    """Repair the training step of bug clinic B6."""
    x, y = t.normal(6, 3), 3 + abs(t.normal(6))
    params = {"w": t.normal(3), "b": t.normal()}
    rate = 0.05
    grads = jax.grad(loss)(params, x, y)
    right = {name: params[name] - rate * grads[name] for name in params}
    half = {**params, "w": right["w"]}
    turn = {**right, "b": params["b"] - rate * jax.grad(loss)(half, x, y)["b"]}
    half = {**params, "b": right["b"]}
    wrong = {
        "still": params,
        "biases": {**right, "b": params["b"]},
        "weights": half,
        "in_turn": turn,
        "uphill": {name: 2 * params[name] - right[name] for name in params},
        "sum": {name: params[name] - 6 * rate * grads[name] for name in params},
    }
    new, value = two(t.call("train_step", params, x, y, rate))
    what = "the parameters after a step"
    t.equal(what, new, right, mistakes=wrong, otherwise="value")
    before, later = loss(params, x, y), loss(right, x, y)
    t.equal("the loss", value, before, mistakes={"late": later}, otherwise="value")


@exercise(
    "04.clinic_split",
    "prepare",
    hints={
        "overlap": "An example stands in both parts. Count them: `set(a) & set(b)`.",
        "swapped": "First comes the training part, then the test part of `held` rows.",
        "lost": "Every example stands in exactly one part, and none is lost.",
        "key": "The same key must give the same split.",
        "not_shuffled": "Another key must give another split. A file may be sorted.",
        "unscaled": "The columns are not scaled.",
        "all_statistics": "The mean and the spread have seen the test part. Take them "
        "from the training part alone.",
        "one_mean": "Each column has its own mean and spread.",
        "own_statistics": "The test part is scaled by its own mean and spread. The "
        "network was trained on another scale.",
        "torn": "The rows do not stand beside their labels any more.",
        "value": "Each column of the training part has the mean 0 and the spread 1.",
    },
    forbidden=("lessons.data.*",),
)
def prepare(t: Trial) -> None:
    """Repair the split and the scaling of bug clinic B10."""
    held = 8
    x = 10 * t.normal(ROWS, 3) + np.float32([20, -50, 5])
    labels = np.arange(ROWS, dtype=np.int32)[t.rng.permutation(ROWS)]
    keys = [Key(int(seed)) for seed in t.rng.choice(1000, 2, replace=False)]
    first, second, other = (
        tuple(map(part, two(t.call("prepare", key, x, labels, held))))
        for key in (keys[0], *keys)
    )
    (x_train, train), (x_test, test) = first
    split_is_whole(t, train, test, labels, held)
    again, before = ([list(each) for each in parts] for parts in (second, first))
    t.equal("the same key", again, before, otherwise="key")
    t.true("another key", set(other[1][1]) != set(test), hint="not_shuffled")
    place = np.argsort(labels)
    if set(train) | set(test) <= set(labels):
        scaled_by_training_part(t, x, (place[train], x_train), (place[test], x_test))


def split_is_whole(
    t: Trial, train: np.ndarray, test: np.ndarray, labels: np.ndarray, held: int
) -> None:
    """Look at the labels of the two parts, each of which occurs once."""
    shared = set(train) & set(test)
    on = f"{len(shared)} examples stand in both parts"
    t.true("no example in both parts", not shared, hint="overlap", on=on)
    sizes, right = [len(train), len(test)], [len(labels) - held, held]
    wrong = {"swapped": right[::-1]}
    t.equal("the sizes", sizes, right, mistakes=wrong, otherwise="lost")
    every = np.sort(np.append(train, test))
    t.equal("every example once", every, np.sort(labels), otherwise="lost")


def scaled_by_training_part(t: Trial, x: np.ndarray, train: tuple, test: tuple) -> None:
    """Look at the scale of both parts, given as rows of x and what became of them."""
    (rows, x_train), (held, x_test) = train, test
    chosen = x[rows]
    mean, spread = chosen.mean(0), chosen.std(0)

    def statistics(a: np.ndarray) -> np.ndarray:
        return np.stack([a.mean(0), a.std(0)])

    wrong = {
        "unscaled": chosen,
        "all_statistics": (chosen - x.mean(0)) / x.std(0),
        "one_mean": (chosen - chosen.mean()) / chosen.std(),
    }
    wrong = {name: statistics(a) for name, a in wrong.items()}
    right, got = np.stack([np.zeros(3), np.ones(3)]), statistics(x_train)
    what = "mean and spread of the training columns"
    tight = {"rtol": 1e-3, "atol": 1e-3}
    t.equal(what, got, right, mistakes=wrong, otherwise="value", **tight)
    right = (chosen - mean) / spread
    t.equal("the training rows", x_train, right, otherwise="torn", **tight)
    right = (x[held] - mean) / spread
    own = (x[held] - x[held].mean(0)) / x[held].std(0)
    wrong = {"own_statistics": own, "unscaled": x[held]}
    t.equal("the test rows", x_test, right, mistakes=wrong, otherwise="torn", **tight)


def scores(t: Trial, labels: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Make logits of three classes whose largest is the label where `right` says so."""
    named = np.where(right, labels, (labels + 1) % 3)
    return np.eye(3, dtype=np.float32)[named] * 3 + t.rng.uniform(0, 1, (11, 3))


@exercise(
    "04.clinic_score",
    "accuracy",
    hints={
        "one_minus_loss": "A loss is no accuracy. Count the right answers.",
        "last_batch": "Only the last batch counts here. Add up over all of them.",
        "mean_of_means": "The last batch is smaller, and its examples weigh too much.",
        "dropped": "The examples that do not fill a batch are left out.",
        "errors": "That is the share of wrong answers.",
        "counted": "That is the number of right answers. Divide by all of them.",
        "too_many": "`predict` may get at most `size` rows at a time.",
        "value": "The answer is the class of the largest logit in each row.",
    },
)
def accuracy(t: Trial) -> None:
    """Repair the evaluation of bug clinic B11."""
    labels = t.rng.integers(0, 3, 11).astype(np.int32)
    # In batches of 4, 4 and 3: 3, 1 and 1 right answers.
    right = np.array([1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0], bool)
    x = scores(t, labels, right).astype(np.float32)
    log_p = np.asarray(jax.nn.log_softmax(x[8:]))
    wrong = {
        "one_minus_loss": 1 + log_p[np.arange(3), labels[8:]].mean(),
        "last_batch": 1 / 3,
        "mean_of_means": (3 / 4 + 1 / 4 + 1 / 3) / 3,
        "dropped": 4 / 8,
        "errors": 6 / 11,
        "counted": 5.0,
    }
    on = "11 examples, 5 of them named rightly, size = 4"
    got = t.call("accuracy", Source("lambda x: x"), x, labels, 4)
    t.equal("11 examples", got, 5 / 11, mistakes=wrong, otherwise="value", on=on)
    small = Source("lambda x: x if len(x) <= 4 else (x, 'more than 4 rows')[2]")
    got = t.call("accuracy", small, x, labels, 4, otherwise="too_many")
    t.equal("a small memory", got, 5 / 11, otherwise="value", on=on)
    constant = Source("lambda x: jnp.zeros((len(x), 3)).at[:, 1].set(5.0)")
    share = np.mean(labels == 1)
    got = t.call("accuracy", constant, x, labels, 4)
    on = f"labels = {labels}, and the answer is always 1"
    t.equal("a constant predictor", got, share, otherwise="value", on=on)
