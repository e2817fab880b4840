"""What sets the marks of chapter 07, beside its practice checks: NumPy alone."""

import math

import numpy as np

from lessons.exercises.ch07 import ends
from lessons.grading.marks import hidden


def framed(x, padding):
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))


def places(x, kernel, stride):
    """Yield each place of a kernel and the pixels under it."""
    rows, columns = ((x.shape[a + 1] - kernel[a]) // stride + 1 for a in (0, 1))
    for i, j in np.ndindex(rows, columns):
        top, left = i * stride, j * stride
        yield (i, j), x[:, top : top + kernel[0], left : left + kernel[1]]


def collected(found):
    """Put the answers of all places into one array."""
    found = dict(found)
    rows, columns = (max(place[a] for place in found) + 1 for a in (0, 1))
    lines = [[found[i, j] for j in range(columns)] for i in range(rows)]
    return np.moveaxis(np.array(lines), 2, 0)


@hidden("07.depthwise")
def depthwise(t):
    w, b, x = t.normal(1, 4, 5), t.normal(5), t.normal(3, 7, 9, 5)
    pixels = places(framed(x, 1), (1, 4), 3)
    right = collected((p, (a * w).sum((1, 2)) + b) for p, a in pixels)
    got = t.call("depthwise", w, b, x, 3, 1)
    t.equal("a flat kernel", got, right, otherwise="value", rtol=1e-3, atol=1e-4)


@hidden("07.pool")
def pool(t):
    x = 10 * t.normal(2, 8, 11, 4) - 5
    right = collected((p, a.max((1, 2))) for p, a in places(x, (2, 2), 1))
    got = t.call("max_pool", x, 2, 1)
    t.equal("window 2, stride 1", got, right, otherwise="value")


@hidden("07.backward")
def backward(t):
    x, delta = t.normal(3, 4, 7, 2), t.normal(3, 4, 3, 5)
    right = np.zeros((1, 5, 2, 5))
    for m, i, j, d in np.ndindex(3, 4, 3, 5):
        right[0, d] += np.outer(x[m, i, j + d], delta[m, i, j])
    got = t.call("weight_gradient", x, delta)
    close = {"otherwise": "value", "rtol": 1e-3, "atol": 1e-4}
    t.equal("a kernel of one row", got, right, **close)
    t.equal("its biases", t.call("bias_gradient", delta), delta.sum((0, 1, 2)), **close)


@hidden("07.sees")
def sees(t):
    for _ in range(3):
        sizes = t.rng.integers([1, 1, 0, 1], [6, 4, 3, 4], (4, 4))
        layers = [tuple(map(int, size)) for size in sizes]
        place = int(t.rng.integers(0, 6))
        pixels = {place}
        for kernel, stride, padding, dilation in layers[::-1]:
            taps = range(0, kernel * dilation, dilation)
            pixels = {p * stride - padding + tap for p in pixels for tap in taps}
        got = ends(t.call("sees", layers, place))
        t.equal("four layers", got, [min(pixels), max(pixels)], otherwise="value")


@hidden("07.paths")
def paths(t):
    n, k, f = 40, int(t.rng.integers(0, 12)), np.float32(0.3)
    terms = [math.comb(n, i) * 0.3**i for i in range(n + 1)]
    right = sum(terms[: k + 1]) / sum(terms)
    got = t.call("short_paths", n, f, k)
    t.equal("forty blocks", got, right, otherwise="value", rtol=1e-3, atol=1e-9)


@hidden("07.clinic")
def clinic(t):
    x, shapes = t.normal(8, 3), {"w1": (3, 9), "b1": (9,), "w2": (9, 3), "b2": (3,)}
    p = {name: t.normal(*shape) for name, shape in shapes.items()}
    h = np.maximum(x @ p["w1"] + p["b1"], 0)
    right = x + h @ p["w2"] + p["b2"]
    got = t.call("block", p, x)
    t.equal("nine hidden", got, right, otherwise="value", rtol=1e-3, atol=1e-4)
