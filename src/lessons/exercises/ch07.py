"""Practice checks of chapter 07: convolution. Those on depth stand apart."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lessons import cnn
from lessons.exercises.bans import DIFFERENTIATION
from lessons.exercises.base import Trial, exercise
from lessons.exercises.ch07_depth import clinic, paths
from lessons.exercises.local import numbers
from lessons.exercises.plain import AnswerError

__all__ = ["backward", "clinic", "counts", "depthwise", "paths", "pool", "sees"]

CONVOLUTIONS = (
    *("jax.lax.conv", "jax.lax.conv_general_dilated", "jax.lax.conv_transpose"),
    *("jax.lax.conv_with_general_padding", "jax.lax.conv_general_dilated_local"),
    *("jax.lax.conv_general_dilated_patches", "jax.numpy.convolve"),
    *("jax.scipy.signal.*", "lessons.cnn.*"),
)


@exercise(
    "07.counts",
    "rows",
    "parameters",
    "field",
    hints={
        "rows_one": "You are one row short. The frame lies on both sides, and there is "
        "one place more than there are steps.",
        "first_layer": "That is after the first layer. The second has no padding.",
        "no_stride": "The first kernel moves by two pixels at a time.",
        "rows": "Use the formula for the size, once for each layer.",
        "no_bias": "Each channel that comes out has a bias too.",
        "no_depth": "A kernel looks at all channels that come in.",
        "one_layer": "Both layers have parameters.",
        "parameters": "Height times width times channels in times channels out, and "
        "the biases, for each layer.",
        "no_jump": "Where the second layer reads, neighbours are two pixels apart.",
        "jump_early": "The first layer reads the image, pixel by pixel: its own stride "
        "counts for the next layer only.",
        "product": "Receptive fields do not multiply: each layer adds to them.",
        "field": "Start with 1 and add (kernel - 1) times the jump for each layer.",
    },
)
def counts(t: Trial) -> None:
    """Recall size, parameters and receptive field, on one's own numbers."""
    a, b, d = numbers("07.counts", t.variant, 3, low=1, high=4)
    n, k, c = int(30 + a), int(3 + b), int(4 + d)
    on = f"n = {n}, k = {k}, c = {c}"
    first = cnn.conv_size(n, k, stride=2, padding=1)
    rows = cnn.conv_size(first, 3)
    wrong = {"rows_one": rows - 1, "first_layer": first, "no_stride": n + 1 - k}
    got = t.value("rows")
    t.equal("the rows", got, rows, mistakes=wrong, otherwise="rows", on=on)
    parts, flat = layer_sizes(k, 3, c), layer_sizes(k, 1, c, 1)
    right = sum(parts)
    wrong = {"no_bias": right - 3 * c, "no_depth": sum(flat), "one_layer": parts[0]}
    settings = {"otherwise": "parameters", "on": on, "rtol": 0, "atol": 0.1}
    got = t.value("parameters")
    t.equal("the parameters", got, right, mistakes=wrong, **settings)
    wrong = {"no_jump": k + 2, "jump_early": 2 * k + 3, "product": 3 * k}
    got, right = t.value("field"), cnn.receptive_field([(k, 2), (3, 1)])
    t.equal("the field", got, right, mistakes=wrong, otherwise="field", on=on)


def layer_sizes(k: int, depth: int, c: int, middle: int | None = None) -> list[int]:
    """Count the numbers of the two layers of 07.counts."""
    layers = [((k, k), depth, c), ((3, 3), middle or c, 2 * c)]
    key = jax.random.key(0)
    made = [
        jax.eval_shape(lambda each=each: cnn.conv_init(key, *each)) for each in layers
    ]
    return [sum(leaf.size for leaf in jax.tree.leaves(each)) for each in made]


def shape(y: Any) -> np.ndarray:
    """Return the shape of an array, and refuse anything else."""
    if not isinstance(y, np.ndarray):
        raise AnswerError("expected an array", "shape")
    return np.array(y.shape)


def grouped(w: np.ndarray, x: np.ndarray, stride: int, padding: int) -> jax.Array:
    """Return JAX's convolution with one kernel for each channel."""
    return jax.lax.conv_general_dilated(
        x,
        w[:, :, None],
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@exercise(
    "07.depthwise",
    "depthwise",
    hints={
        "no_padding": "The frame of zeros is missing.",
        "no_stride": "The kernel moves by one pixel, not by `stride`.",
        "one_short": "The last place is missing: there is one place more than there "
        "are steps.",
        "mixed": "The channels are added up. Here each keeps to itself.",
        "turned": "The kernel is turned by 180 degrees. Deep learning leaves it as it "
        "is.",
        "edge": "The frame holds zeros, not copies of the rim.",
        "no_bias": "The bias of each channel is missing.",
        "value": "Take one tap (d, e): which pixels does it meet, and which number of "
        "the kernel are they multiplied by?",
    },
    forbidden=CONVOLUTIONS,
)
def depthwise(t: Trial) -> None:
    """Write a convolution in which each channel has a kernel of its own."""
    w, b, x = t.normal(3, 2, 3), t.normal(3) + 3, t.normal(2, 9, 6, 3)
    right = grouped(w, x, 2, 2) + b
    y = t.call("depthwise", w, b, x, 2, 2)
    shapes = {
        "no_padding": np.array([2, 4, 3, 3]),
        "no_stride": np.array([2, 11, 9, 3]),
        "one_short": np.array([2, 5, 4, 3]),
        "mixed": np.array([2, 6, 5]),
    }
    on = "w of shape (3, 2, 3), x of shape (2, 9, 6, 3), stride 2, padding 2"
    settings = {"mistakes": shapes, "otherwise": "value", "on": on}
    t.equal("the shape", shape(y), np.array(right.shape), **settings)
    summed = grouped(w, x, 2, 2).sum(-1, keepdims=True) + b
    framed = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    wrong = {
        "mixed": summed,
        "turned": grouped(w[::-1, ::-1], x, 2, 2) + b,
        "edge": grouped(w, framed, 2, 0) + b,
        "no_bias": right - b,
    }
    t.equal("the values", y, right, mistakes=wrong, otherwise="value", on=on)
    x = t.normal(1, 3, 5, 3)
    y, right = t.call("depthwise", w, b, x, 1, 0), grouped(w, x, 1, 0) + b
    on = "w of shape (3, 2, 3), x of shape (1, 3, 5, 3), stride 1, padding 0"
    t.equal("one row of places", y, right, otherwise="value", on=on)


def windows(x: np.ndarray, window: int, stride: int) -> jax.Array:
    """Return JAX's maximum over windows."""
    size, step = (1, window, window, 1), (1, stride, stride, 1)
    return jax.lax.reduce_window(x, -np.inf, jax.lax.max, size, step, "valid")


@exercise(
    "07.pool",
    "max_pool",
    hints={
        "tiles": "The windows lie side by side. They should start every `stride` "
        "pixels, and may overlap.",
        "every": "The windows start at every pixel, not every `stride` pixels.",
        "partial": "A window that reaches over the edge does not count.",
        "zero": "All these numbers are negative, and so is their maximum. Do not start "
        "from 0.",
        "mean": "That is the mean of each window.",
        "channels": "Each channel has a maximum of its own.",
        "value": "An output is the largest number of a window of `window` by `window` "
        "pixels.",
    },
    forbidden=("jax.lax.reduce_window", "lessons.cnn.*"),
)
def pool(t: Trial) -> None:
    """Write maximum pooling with windows that overlap."""
    x = -0.5 - abs(t.normal(2, 10, 7, 3))
    right = windows(x, 3, 2)
    y = t.call("max_pool", x, 3, 2)
    on = "x of shape (2, 10, 7, 3), all negative, window 3, stride 2"
    shapes = {"tiles": [2, 3, 2, 3], "every": [2, 8, 5, 3], "partial": [2, 5, 3, 3]}
    shapes = {name: np.array(sizes) for name, sizes in shapes.items()}
    shapes["channels"] = np.array([2, 4, 3])
    settings = {"mistakes": shapes, "otherwise": "value", "on": on}
    t.equal("the shape", shape(y), np.array(right.shape), **settings)
    size, step = (1, 3, 3, 1), (1, 2, 2, 1)
    total = jax.lax.reduce_window(x, 0.0, jax.lax.add, size, step, "valid")
    wrong = {
        "zero": np.zeros(right.shape),
        "mean": total / 9,
        "channels": np.broadcast_to(right.max(-1, keepdims=True), right.shape),
    }
    t.equal("the values", y, right, mistakes=wrong, otherwise="value", on=on)
    y, right = t.call("max_pool", x, 2, 3), windows(x, 2, 3)
    on = "x of shape (2, 10, 7, 3), window 2, stride 3"
    t.equal("windows with gaps", y, right, otherwise="value", on=on)


@exercise(
    "07.backward",
    "weight_gradient",
    "bias_gradient",
    hints={
        "turned": "The gradient of W is not turned round. That belongs to the gradient "
        "of the image.",
        "swapped": "The shape is that of W: channels in before channels out.",
        "mean": "The images add up. A mean, if there is one, is already in delta.",
        "places": "All places share W, so what they ask of it adds up.",
        "one_image": "Every image of the batch counts.",
        "bias_places": "b is added at every place of every image: add up over all "
        "three axes.",
        "bias_mean": "A sum over places and images, not a mean.",
        "value": "Fix one tap (d, e): which pixels does it multiply, and what arrives "
        "there as delta?",
    },
    forbidden=(*DIFFERENTIATION, "jax.linear_transpose"),
)
def backward(t: Trial) -> None:
    """Derive the gradients of a convolution's weights and biases."""
    x, delta = t.normal(2, 6, 5, 3), 1 + t.normal(2, 4, 4, 2)

    start = {"w": jnp.zeros((3, 2, 3, 2)), "b": jnp.zeros(2)}
    _, pull = jax.vjp(lambda p: cnn.conv(p, x), start)
    first = delta * np.float32([1, 0])[:, None, None, None]
    right, ones = (
        np.asarray(pull(jnp.asarray(each))[0]["w"]) for each in (delta, first)
    )
    bias = np.asarray(pull(jnp.asarray(delta))[0]["b"])
    wrong = {
        "turned": right[::-1, ::-1],
        "swapped": right.swapaxes(2, 3),
        "mean": right / 2,
        "places": right / 16,
        "one_image": ones,
    }
    on = "x of shape (2, 6, 5, 3), delta of shape (2, 4, 4, 2)"
    got = t.call("weight_gradient", x, delta)
    what = "the gradient of W, against jax.grad"
    t.equal(what, got, right, mistakes=wrong, otherwise="value", on=on)
    wrong = {"bias_places": delta.sum(0), "bias_mean": bias / 32}
    got = t.call("bias_gradient", delta)
    what = "the gradient of b, against jax.grad"
    t.equal(what, got, bias, mistakes=wrong, otherwise="value", on=on)


def ends(got: Any) -> Any:
    """Return the two ends of a stretch as a list, if they came in one array."""
    return list(got) if isinstance(got, np.ndarray) and got.shape == (2,) else got


def seen(layers: list, place: int) -> list[int]:
    """Mark one pixel after the other, and see which marks arrive at the place."""
    marks = np.eye(90, dtype=bool)  # an image in each row, with one pixel marked
    for kernel, stride, padding, dilation in layers:
        size = cnn.conv_size(marks.shape[1], kernel, stride, padding, dilation)
        marks = np.pad(marks, ((0, 0), (padding, padding)))
        places = np.arange(size) * stride
        taps = places[:, None] + np.arange(kernel) * dilation
        marks = marks[:, taps].any(axis=2)
    pixels = np.flatnonzero(marks[:, place])
    return [int(pixels[0]), int(pixels[-1])]


@exercise(
    "07.sees",
    "sees",
    hints={
        "no_padding": "A frame moves everything: place 0 starts in it, before pixel 0.",
        "cut": "A pixel of the frame before the image has a negative number.",
        "no_dilation": "The taps of a dilated kernel lie further apart.",
        "from_image": "Go from the last layer back to the image.",
        "one_far": "A kernel of k taps reaches k - 1 gaps from its first tap.",
        "size": "Say which pixels: the number of the first one and of the last one.",
        "no_stride": "Place i of a layer starts at place i times the stride below it.",
        "value": "One layer first: which places of its input does place i read?",
    },
    forbidden=("lessons.cnn.*",),
)
def sees(t: Trial) -> None:
    """Extend the receptive field: which pixels, with padding and dilation."""
    place = int(t.rng.integers(3, 10))  # far enough from the frame
    one = [(5, 1, 2, 1)]
    on = f"one layer, (kernel, stride, padding, dilation) = {one[0]}, place 0"
    got = ends(t.call("sees", one, 0))
    wrong = {"no_padding": [0, 4], "one_far": [-2, 3], "size": 5, "cut": [0, 2]}
    t.equal("one layer", got, [-2, 2], mistakes=wrong, otherwise="value", on=on)
    layers = [(5, 1, 2, 1), (2, 2, 0, 1), (3, 2, 1, 2)]
    right = seen(layers, place)
    plain = [(k, s, p, 1) for k, s, p, _ in layers]
    still = [(k, 1, p, d) for k, _, p, d in layers]
    wrong = {
        "no_dilation": seen(plain, place),
        "from_image": seen(layers[::-1], place),
        "no_stride": seen(still, place),
    }
    got = ends(t.call("sees", layers, place))
    on = f"layers = {layers}, place {place}"
    t.equal("three layers", got, right, mistakes=wrong, otherwise="value", on=on)
