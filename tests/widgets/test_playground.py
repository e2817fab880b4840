"""Playground: points, forward pass and training steps are those of the package."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import traitlets

from lessons import activations, dnn, losses, optimizers
from lessons.widgets import Playground
from lessons.widgets.activation import FUNCTIONS
from lessons.widgets.playground import (
    HELD_OUT,
    OPTIMIZERS,
    STARTS,
    TASKS,
    TRAINING,
    optimizer,
    task_points,
)

SIZES = [2, 5, 3, 1]
STEPS = 3


def tree(theta, sizes):
    """Cut one array into layers: w row by row, then b, as the page keeps them."""
    layers, place = [], 0
    for n_in, n_out in pairwise(sizes):
        w = theta[place : place + n_in * n_out].reshape(n_in, n_out)
        b = theta[place + n_in * n_out : place + (n_in + 1) * n_out]
        layers.append({"w": w, "b": b})
        place += (n_in + 1) * n_out
    return layers


def flat(params):
    """Join layers into one array."""
    return np.concatenate([np.append(p["w"].ravel(), p["b"]) for p in params])


def mean_loss(params, x, y, f):
    """Mean binary cross-entropy of a perceptron."""
    return losses.binary_cross_entropy(dnn.mlp(params, x, f)[:, 0], y).mean()


def package_steps(rule, params, x, y, f, steps):
    """Train with the package."""
    state = rule.init(params)
    for _ in range(steps):
        grads = jax.grad(mean_loss)(params, x, y, f)
        updates, state = rule.update(grads, state, params)
        params = optimizers.apply_updates(params, updates)
    return params


def case(sizes, seed=0):
    """Draw parameters off zero, and examples of both classes."""
    rng = np.random.default_rng(seed)
    count = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    theta = rng.normal(size=count).astype(np.float32)
    x = rng.normal(size=(7, sizes[0])).astype(np.float32)
    return theta, x, np.array([0, 1, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        *((rule, "tanh") for rule in OPTIMIZERS),
        *(("adam", name) for name in [*FUNCTIONS, "identity"] if name != "tanh"),
    ],
)
def test_training_steps(js, rule, name):
    f = getattr(activations, name, lambda z: z)
    theta, x, y = case(SIZES)
    params = tree(jnp.asarray(theta), SIZES)
    settings = {"sizes": SIZES, "activation": name, "rule": rule, "rate": 0.1}
    settings |= {"decay": 0.3, "steps": STEPS}
    got = js("nn.js", "trainSteps", settings, theta, x, y)
    near = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(got["logits"], dnn.mlp(params, x, f)[:, 0], **near)
    loss, grads = jax.value_and_grad(mean_loss)(params, x, y, f)
    assert got["loss"] == pytest.approx(float(loss), rel=1e-5)
    np.testing.assert_allclose(got["grads"], flat(grads), **near)
    end = package_steps(optimizer(rule, 0.1, decay=0.3), params, x, y, f, STEPS)
    np.testing.assert_allclose(got["theta"], flat(end), **near)


@pytest.mark.parametrize("sizes", [[1, 1], [2, 1], [1, 16, 16, 16, 16, 1]])
def test_other_depths(js, sizes):
    theta, x, y = case(sizes, seed=1)
    settings = {"sizes": sizes, "activation": "tanh", "rule": "sgd", "rate": 0.5}
    got = js("nn.js", "trainSteps", settings, theta, x, y)
    params = tree(jnp.asarray(theta), sizes)
    end = package_steps(optimizer("sgd", 0.5), params, x, y, activations.tanh, 1)
    np.testing.assert_allclose(got["theta"], flat(end), rtol=1e-5, atol=1e-5)


def test_a_sure_and_wrong_logit_costs_its_size(js):
    assert js("nn.js", "meanLoss", [1e4, -1e4, 0.0], [0, 1, 1], 3) == pytest.approx(
        (2e4 + np.log(2)) / 3
    )


@pytest.mark.parametrize("name", STARTS)
def test_weights_at_the_start_have_the_spread_of_the_package(js, name):
    net = js("nn.js", "network", [40, 60, 1])
    first = js("nn.js", "start", net, name, 3)["layers"][0]
    w = np.array(first["w"])
    expected = STARTS[name](jax.random.key(0), 40, 60).std()
    # 2,400 draws: the spread is known to about 1.5 %.
    assert w.std() == pytest.approx(float(expected), rel=0.06)
    assert abs(w.mean()) < 0.06 * w.std() + 3 * w.std() / np.sqrt(w.size)
    assert set(first["b"]) == {0}
    again = js("nn.js", "start", net, name, 4)["layers"][0]["w"]
    assert not np.allclose(w, again)


def test_an_epoch_takes_every_example_once_and_a_smaller_last_batch(js):
    rows = [[k / 10, -k / 7, k % 2] for k in range(10)]
    data = js("trainer.js", "columns", rows, 2)
    assert data["x"] == pytest.approx([v for row in rows for v in row[:2]])
    net = {"sizes": [2, 3, 1], "activation": "relu", "kind": "he", "seed": 5}
    chosen = {"optimizer": "sgd", "rate": 0.1, "batch": 4, "decay": 0}
    seen = js("trainer.js", "epochs", net, data, chosen, 1)
    assert seen["sizes"] == [4, 4, 2]
    assert sorted(seen["order"]) == list(range(10))
    assert seen["order"] != list(range(10))


@pytest.mark.parametrize("rate", [50.0, 100.0])
def test_divergence_is_caught(js, rate):
    data = js("trainer.js", "columns", [[1, 2, 0], [2, 1, 1], [-1, 3, 1]], 2)
    net = {"sizes": [2, 8, 8, 1], "activation": "relu", "kind": "he", "seed": 1}
    chosen = {"optimizer": "momentum", "rate": rate, "batch": 3, "decay": 0}
    assert js("trainer.js", "epochs", net, data, chosen, 200)["diverged"] is True
    chosen["rate"] = 0.01
    assert js("trainer.js", "epochs", net, data, chosen, 200)["diverged"] is False


def test_the_points_are_the_first_of_the_package():
    packed = np.frombuffer(Playground().points, "<f4").reshape(
        len(TASKS), TRAINING + HELD_OUT, 3
    )
    for name, rows in zip(TASKS, packed, strict=True):
        training, held_out = task_points(name)
        for part, (x, y) in [(rows[:TRAINING], training), (rows[TRAINING:], held_out)]:
            np.testing.assert_array_equal(part[:, : x.shape[1]], x)
            np.testing.assert_array_equal(part[:, 2], y)
    assert (packed[0, :, 1] == 0).all()


@pytest.mark.parametrize("settings", [{"task": "line", "depth": 0}, {"task": "moons"}])
def test_the_still_is_drawn(settings):
    figure = Playground(**settings).still()
    assert len(figure.axes[0].collections) > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"task": "rings"},
        {"depth": 5},
        {"width": 0},
        {"activation": "swish"},
        {"start": "zeros"},
        {"optimizer": "lion"},
        {"rate": 1e6},
        {"rate": float("nan")},
        {"batch": 0},
        {"seed": 1000},
        {"points": b""},
    ],
)
def test_impossible_settings_are_refused(settings):
    playground = Playground()
    [(name, value)] = settings.items()
    before = getattr(playground, name)
    with pytest.raises(traitlets.TraitError):
        setattr(playground, name, value)
    assert getattr(playground, name) == before


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="expected one of"):
        optimizer("lion", 0.1)
