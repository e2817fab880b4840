"""What sets the marks of chapter 02, beside its practice checks: NumPy alone."""

from itertools import pairwise

import numpy as np

from lessons.grading.marks import hidden


def layers(t, *sizes):
    """Draw a network with weights of a size that keeps its units alive."""
    return [
        {"w": t.normal(n, m) / np.float32(n**0.5), "b": t.normal(m)}
        for n, m in pairwise(sizes)
    ]


@hidden("02.steps")
def steps(t):
    p, q = float(t.rng.uniform(-3, -1)), float(t.rng.uniform(2, 5))
    e = np.exp(p)
    t.equal("a negative p", t.call("exp", p), [e, [e]], otherwise="value")
    t.equal("another p", t.call("log", q), [np.log(q), [1 / q]], otherwise="value")
    for a, b in ((p, q), (q, p)):
        right = [a / b, [1 / b, -a / b / b]]
        t.equal("either sign", t.call("divide", a, b), right, otherwise="value")


@hidden("02.squared")
def squared(t):
    z = np.concatenate([t.normal(9, 1) * 3, [[-60.0], [60.0]]]).astype("f4")
    y = (np.arange(11)[:, None] % 2).astype("f4")
    p = 1 / (1 + np.exp(-z.astype(float)))
    right = 2 * (p - y) * p * (1 - p) / 11
    got = t.call("squared_delta", z, y)
    t.equal("eleven examples", got, right, otherwise="value")


@hidden("02.residual")
def residual(t):
    a, w, b, up = t.normal(2, 5), t.normal(5, 5) * 2, t.normal(5), t.normal(2, 5)
    delta = up * (a @ w + b > 0)
    right = [up + delta @ w.T, a.T @ delta, delta.sum(0)]
    got = t.call("residual_backward", a, w, b, up)
    t.equal("other shapes", got, right, otherwise="by_a")


@hidden("02.speed")
def speed(t):
    for sizes in ((5, 3, 2), (2, 6, 3, 5, 1)):
        params, x, v = layers(t, *sizes), t.normal(3, sizes[0]), t.normal(3, sizes[0])
        got = t.call("mlp_speed", params, x, v)
        for i, layer in enumerate(params):
            x, v = x @ layer["w"] + layer["b"], v @ layer["w"]
            if i < len(params) - 1:
                x = np.tanh(x)
                v = v * (1 - x**2)
        t.equal(f"sizes {sizes}", got, [x, v], otherwise="value")


@hidden("02.clinic")
def clinic(t):
    for sizes in ((3, 4, 1), (2, 7, 6, 5, 1)):
        params, x = layers(t, *sizes), t.normal(9, sizes[0])
        y = (t.rng.random((9, 1)) < 0.5).astype("f4")
        a = [x]
        for layer in params:
            z = a[-1] @ layer["w"] + layer["b"]
            a.append(np.maximum(z, 0))
        delta, right = (1 / (1 + np.exp(-z.astype(float))) - y) / 9, []
        for i in reversed(range(len(params))):
            right.insert(0, {"w": a[i].T @ delta, "b": delta.sum(0)})
            delta = (delta @ params[i]["w"].T) * (a[i] > 0)
        got = t.call("repaired_grads", params, x, y)
        t.equal(f"sizes {sizes}", got, right, otherwise="value")


@hidden("02.tied")
def tied(t):
    x = t.normal(3, 5)
    params = {"w": t.normal(5, 2), "b": t.normal(2), "c": t.normal(5)}
    w, b, c = params.values()
    a = np.tanh(x @ w + b)
    out = 2 * (a @ w.T + c - x) / x.size
    back = (out @ w) * (1 - a**2)
    right = {"w": x.T @ back + out.T @ a, "b": back.sum(0), "c": out.sum(0)}
    got = t.call("tied_grads", params, x)
    t.equal("other shapes", got, right, otherwise="by_w")
