"""Practice checks of chapter 02 on whole networks: forward, back, and B1."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from lessons import backprop, dnn, losses
from lessons.exercises.bans import DIFFERENTIATION
from lessons.exercises.base import Trial, exercise

BY_HAND = (*DIFFERENTIATION, "lessons.backprop.*")


def draw_mlp(t: Trial, *sizes: int) -> list[dict]:
    """Draw weights of variance 1/n_in and biases off zero."""
    return [
        {"w": t.normal(n_in, n_out) / np.sqrt(np.float32(n_in)), "b": t.normal(n_out)}
        for n_in, n_out in pairwise(sizes)
    ]


@exercise(
    "02.speed",
    "mlp_speed",
    hints={
        "two": "Return two arrays: the output, and how fast it moves.",
        "output": "The output is that of the network: the last layer has no tanh.",
        "bias": "A bias does not move with x: it adds nothing to the speed.",
        "no_slope": "tanh changes the speed: multiply by its slope at z.",
        "slope_at_z": "The slope of tanh is 1 - tanh(z)², with the square of a.",
        "last_slope": "The last layer has no tanh, so its speed meets no slope.",
        "differences": "The speed is linear in v, however long v is; a step is not.",
        "depth": "params may hold any number of layers. Walk through it in a loop.",
        "value": "Carry two things through each layer: the value and its speed.",
    },
    forbidden=BY_HAND,
)
def speed(t: Trial) -> None:
    """Write forward mode for a network: a value and its speed, layer by layer."""
    params, x, v = draw_mlp(t, 3, 5, 4, 2), t.normal(6, 3), t.normal(6, 3)

    def network(x):
        return dnn.mlp(params, x, jnp.tanh)

    output, right = jax.jvp(network, (x,), (v,))
    got = t.call("mlp_speed", params, x, v)
    if not t.true("two", isinstance(got, list) and len(got) == 2, hint="two"):
        return
    on = "sizes [3, 5, 4, 2], x and v of shape (6, 3)"
    t.equal("the output", got[0], output, otherwise="output", on=on)
    # Factor and term of each layer, as a student may have them.
    kept = backprop.mlp_forward(params, x, jnp.tanh)[1]
    slopes = [1 - np.tanh(z) ** 2 for _, z in kept]
    ones = [np.ones_like(z) for z in slopes]
    wrong = {
        "bias": carried(params, v, [*slopes[:2], 1], 1),
        "no_slope": carried(params, v, ones),
        "slope_at_z": carried(params, v, [*(1 - z**2 for _, z in kept[:2]), 1]),
        "last_slope": carried(params, v, slopes),
    }
    t.equal("its speed", got[1], right, mistakes=wrong, otherwise="value", on=on)
    fast = np.float32(3000) * v
    got = t.call("mlp_speed", params, x, fast)
    right = [output, jax.jvp(network, (x,), (fast,))[1]]
    t.equal("the speed along 3000 v", got, right, otherwise="differences", atol=0.01)
    one, x, v = draw_mlp(t, 4, 2), t.normal(5, 4), t.normal(5, 4)
    got = t.call("mlp_speed", one, x, v, otherwise="depth")
    right = [dnn.mlp(one, x), v @ one[0]["w"]]
    t.equal("one layer alone", got, right, otherwise="depth", on="sizes [4, 2]")


def carried(params: list[dict], v, factors: list, biases: int = 0):
    """Carry a speed through the layers, with a factor for each."""
    for layer, factor in zip(params, factors, strict=True):
        v = (v @ layer["w"] + biases * layer["b"]) * factor
    return v


@exercise(
    "02.clinic",
    "repaired_grads",
    hints={
        "three": "Three lines are wrong. Begin with the last layer: is y used at all?",
        "start": "The first error is not yet prediction minus label, divided by n.",
        "slope": "a (1 - a) is the slope of a sigmoid. The hidden layers have ReLU.",
        "carrier": "The error goes back through the weights it came through.",
        "not_mean": "The loss is a mean over the n examples.",
        "tree": "Return a list of dicts with w and b, as params is.",
        "depth": "params may hold any number of layers. Walk through it in a loop.",
        "value": "Compare with jax.grad, layer by layer, from the last one down.",
    },
    forbidden=BY_HAND,
)
def clinic(t: Trial) -> None:
    """Repair the backward pass of bug clinic B1."""
    params, x = draw_mlp(t, 2, 6, 5, 1), t.normal(8, 2)
    y = t.rng.permutation(np.float32([0, 0, 0, 1, 1, 1, 1, 1]))[:, None]

    def loss(params):
        return losses.binary_cross_entropy(dnn.mlp(params, x), y).mean()

    got, right = t.call("repaired_grads", params, x, y), jax.grad(loss)(params)
    alike = isinstance(got, list) and len(got) == 3 and all(map(is_layer, got))
    if not t.true("one dict a layer", alike, hint="tree"):
        return
    wrong = {
        "three": assembled(params, x, y),
        "start": assembled(params, x, y, slope=True, carrier=True),
        "slope": assembled(params, x, y, start=True, carrier=True),
        "carrier": assembled(params, x, y, start=True, slope=True),
        "not_mean": jax.tree.map(lambda g: 8 * g, right),
    }
    on = "sizes [2, 6, 5, 1], 8 examples"
    t.equal("the gradients", got, right, mistakes=wrong, otherwise="value", on=on)
    one = draw_mlp(t, 2, 1)
    got, right = (
        t.call("repaired_grads", one, x, y, otherwise="depth"),
        jax.grad(loss)(one),
    )
    t.equal("one layer alone", got, right, otherwise="depth", on="sizes [2, 1]")


def is_layer(value) -> bool:
    """Return whether a plain value is a dict of w and b."""
    return isinstance(value, dict) and set(value) == {"w", "b"}


def assembled(params, x, y, *, start=False, slope=False, carrier=False):
    """Return B1's gradients, with some of its three mistakes repaired."""
    _, cache = backprop.mlp_forward(params, x, jax.nn.relu)
    a = [*(each for each, _ in cache), jax.nn.sigmoid(cache[-1][1])]
    delta = (a[-1] - y if start else a[-1] * (1 - a[-1])) / len(x)
    grads = []
    for i in reversed(range(len(params))):
        grads.insert(0, {"w": a[i].T @ delta, "b": delta.sum(axis=0)})
        back = (params[i] if carrier else grads[0])["w"]
        delta = (delta @ back.T) * ((a[i] > 0) if slope else a[i] * (1 - a[i]))
    return grads


@exercise(
    "02.tied",
    "tied_grads",
    hints={
        "tree": "Return a dict with the gradients of w, b and c, as params is.",
        "not_mean": "The mean runs over all n d entries of the table.",
        "rows": "The mean runs over all n d entries, not over the n rows.",
        "half": "The derivative of a square brings down a factor of 2.",
        "no_slope": "The way back through tanh meets its slope.",
        "decoder": "That comes back from the way out. w is used on the way in too.",
        "encoder": "That comes back from the way in. w is used on the way out too.",
        "by_c": "c is the bias of the last layer: the sum of its δ over the examples.",
        "by_b": "Carry δ back through the transpose of wᵀ, then through tanh.",
        "by_w": "w has two users. Give each weights of its own, then add the parts.",
    },
    forbidden=BY_HAND,
)
def tied(t: Trial) -> None:
    """Write the gradients of an autoencoder whose two layers share their weights."""
    n, d, x = 6, 4, t.normal(6, 4)
    params = {"w": t.normal(4, 3) / 2, "b": t.normal(3), "c": t.normal(4)}

    def loss(params):
        a = jnp.tanh(x @ params["w"] + params["b"])
        return jnp.mean((a @ params["w"].T + params["c"] - x) ** 2)

    got, right = t.call("tied_grads", params, x), jax.grad(loss)(params)
    if not t.true(
        "a dict", isinstance(got, dict) and set(got) == set("wbc"), hint="tree"
    ):
        return
    a = np.tanh(x @ params["w"] + params["b"])
    delta = 2 * (a @ params["w"].T + params["c"] - x) / (n * d)
    inner = delta @ params["w"]
    way_in, way_out = x.T @ (inner * (1 - a**2)), delta.T @ a
    on = "x of shape (6, 4), w of shape (4, 3)"
    scale = {"not_mean": n * d, "rows": d, "half": 0.5}
    wrong = {name: by * right["c"] for name, by in scale.items()}
    t.equal("∂L/∂c", got["c"], right["c"], mistakes=wrong, otherwise="by_c", on=on)
    wrong = {"no_slope": inner.sum(0)}
    t.equal("∂L/∂b", got["b"], right["b"], mistakes=wrong, otherwise="by_b", on=on)
    wrong = {
        "decoder": way_out,
        "encoder": way_in,
        "no_slope": x.T @ inner + way_out,
    }
    t.equal("∂L/∂W", got["w"], right["w"], mistakes=wrong, otherwise="by_w", on=on)
