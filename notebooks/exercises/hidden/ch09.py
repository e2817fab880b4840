"""What sets the marks of chapter 09, beside its practice checks: NumPy alone."""

import numpy as np

from lessons.exercises.plain import shape_of
from lessons.grading.marks import hidden


@hidden("09.attend")
def attend(t):
    q, k, v = t.normal(2, 3, 4, 6), t.normal(2, 3, 7, 6), t.normal(2, 3, 7, 6)
    masks = {
        "padding, for all heads": np.arange(7) < np.array([7, 2])[:, None, None, None],
        "one row for all": np.arange(7) % 3 == 0,
        "nothing may be seen": np.zeros((4, 7), bool),
        "all may be seen": np.ones((1, 1, 4, 7), bool),
    }
    for what, mask in masks.items():
        scores = np.einsum("bhtd,bhsd->bhts", q.astype(float), k) / np.sqrt(6)
        weights = np.exp(scores) * mask
        total = weights.sum(-1, keepdims=True)
        right = np.divide(weights, total, where=total > 0, out=0 * weights) @ v
        got = t.call("attend", q, k, v, mask)
        t.equal(what, got, right, otherwise="value", on=f"mask {mask.shape}")


@hidden("09.window")
def window(t):
    for steps, size in ((4, 2), (6, 9), (1, 1)):
        lengths = t.rng.integers(1, steps + 1, 5)
        right = [
            [
                [s <= i and s > i - size and s < n for s in range(steps)]
                for i in range(steps)
            ]
            for n in lengths
        ]
        on = f"lengths = {lengths}, {steps} steps, window {size}"
        got = t.call("window_mask", lengths, steps, size)
        t.equal("other sizes", got, np.array(right), otherwise="value", on=on)


@hidden("09.rotary")
def rotary(t):
    x, positions = t.normal(3, 2, 4, 10), np.array([0, 7, 7, 100])
    right = np.zeros(x.shape)
    for place, position in enumerate(positions):
        for i in range(5):
            angle = position * 10_000 ** (-2 * i / 10)
            turn = np.array(
                [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            )
            right[..., place, [i, i + 5]] = x[..., place, [i, i + 5]] @ turn.T
    got = t.call("turn", x, positions)
    t.equal("five pairs", got, right, otherwise="value", atol=1e-4)
    x = t.normal(1, 2)
    got = t.call("turn", x, np.array([1]))
    angle = np.arctan2(x[0, 1], x[0, 0]) + 1
    right = np.hypot(*x[0]) * np.array([[np.cos(angle), np.sin(angle)]])
    t.equal("one pair", got, right, otherwise="value", atol=1e-4)


@hidden("09.backward")
def backward(t):
    scale, x, d_y = t.normal(5), 3 * t.normal(7, 5), t.normal(7, 5)
    x[2] = 0
    x64 = x.astype(float)
    root = np.sqrt((x64**2).mean(-1, keepdims=True) + 1e-5)
    g = d_y * scale
    by_x = g / root - x64 * (g * x64).mean(-1, keepdims=True) / root**3
    right = [by_x, (d_y * x64 / root).sum(0)]
    got = t.call("rms_norm_backward", scale, x, d_y)
    t.equal("one token is all 0", got, right, otherwise="value", atol=1e-4)


def weights(t, d, heads, classes):
    """Return a classifier's parameters whose block hands its input through."""
    zeros = {f"w_{n}": np.zeros((d, heads, d // heads)) for n in "qkv"}
    zeros |= {f"b_{n}": np.zeros((heads, d // heads)) for n in "qkv"}
    block = {
        "norm1": {"scale": t.normal(d), "shift": t.normal(d)},
        "norm2": {"scale": t.normal(d), "shift": t.normal(d)},
        "attention": zeros
        | {"w_o": np.zeros((heads, d // heads, d)), "b_o": np.zeros(d)},
        "feed_forward": {
            "up": {"w": t.normal(d, 4 * d), "b": t.normal(4 * d)},
            "down": {"w": np.zeros((4 * d, d)), "b": np.zeros(d)},
        },
    }
    out = {"w": t.normal(d, classes), "b": t.normal(classes)}
    return {"table": t.normal(30, d), "block": block, "out": out}


@hidden("09.clinic")
def clinic(t):
    params = weights(t, 6, 3, 4)
    lengths = np.array([2, 7, 1])
    real = np.arange(7) < lengths[:, None]
    ids = np.where(real, t.rng.integers(1, 30, (3, 7)), 0)
    ids[1, :2] = 3, 8
    angle = np.arange(7)[:, None] / 10_000 ** (np.arange(0, 6, 2) / 6)
    clocks = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(7, 6)
    h = (params["table"][ids] + clocks) * real[..., None]
    mean = h.sum(1) / lengths[:, None]
    right = mean @ params["out"]["w"] + params["out"]["b"]
    got = t.call("classify", params, ids, lengths)
    t.equal("a block that does nothing", got, right, otherwise="value", atol=1e-4)
    inside = params["block"]["attention"]
    for name, value in list(inside.items()):
        inside[name] = t.normal(*value.shape)
    got = t.call("classify", params, ids, lengths)
    if not t.true("one answer a text", shape_of(got) == (3, 4), hint="per_word"):
        return
    other = t.call("classify", params, np.where(real, ids, 9), lengths)
    t.equal("another filler, the same answer", other, got, otherwise="seen")
    ids[:, :2] = ids[:, 1::-1]
    other = t.call("classify", params, ids, lengths)
    moved = shape_of(other) == (3, 4) and not np.allclose(other[1], got[1])
    t.true("order matters", moved, hint="positions")


@hidden("09.count")
def count(t):
    for v, d, layers, m, n in ((1000, 64, 2, 100, 512), (7, 10, 1, 20, 3)):
        block = d + d * d + d * d + d * d + d * d + d + d * m + m * d
        right = v * d + n * d + sum(block for _ in range(layers)) + d + d * v
        got = t.call("parameters", v, d, layers, m, n)
        t.equal("other sizes", got, right, otherwise="value", rtol=0, atol=0.5)
        got = t.call("crossing", d, m)
        right = (8 * d * d + 4 * d * m) / (4 * d)
        t.equal("other sizes", got, right, otherwise="crossing", rtol=0, atol=0.1)
