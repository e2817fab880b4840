"""What sets the marks of chapter 08, beside its practice checks: NumPy alone."""

import numpy as np

from lessons.exercises.plain import Source
from lessons.grading.marks import hidden


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, float)))


@hidden("08.gru")
def gru(t):
    p = {"w_x": t.normal(3, 3, 5), "w_h": t.normal(5, 3, 5), "b": t.normal(3, 5)}
    h, x = 2 * t.normal(2, 5), t.normal(2, 3)
    w_x, w_h, b = (np.float64(p[name]) for name in ("w_x", "w_h", "b"))
    r, u = (sigmoid(x @ w_x[:, k] + h @ w_h[:, k] + b[k]) for k in (0, 1))
    n = np.tanh(x @ w_x[:, 2] + (r * h) @ w_h[:, 2] + b[2])
    right = (1 - u) * h + u * n
    t.equal("other sizes", t.call("gru_step", p, h, x), right, otherwise="value")
    # Very large inputs: every gate is 0 or 1.
    p["w_x"] = t.normal(1, 3, 5)
    p["w_x"] += np.copysign(np.float32(0.5), p["w_x"])
    far = np.float32([[1e4], [-1e4]])
    r, u, n = (np.sign(far @ p["w_x"][:, k]) for k in range(3))
    right = np.where(u > 0, n, h)
    t.equal("large inputs", t.call("gru_step", p, h, far), right, otherwise="value")


@hidden("08.masked")
def masked(t):
    code = "lambda h, x: h * 0.5 + jnp.sin(x @ jnp.array([[1.0, 2], [3, -1], [0, 1]]))"
    w = np.array([[1.0, 2], [3, -1], [0, 1]])
    lengths, start, x = np.array([2, 0, 5, 4, 5]), t.normal(5, 2), t.normal(5, 5, 3)
    right = start.astype(float)
    for i, length in enumerate(lengths):
        for j in range(length):
            right[i] = 0.5 * right[i] + np.sin(x[i, j] @ w)
    real = (np.arange(5) < lengths[:, None])[..., None]
    for what, filler in (("numbers", 7.0), ("no number", np.nan)):
        given = np.where(real, x, filler).astype(np.float32)
        got = t.call("last_states", Source(code), start, given, lengths)
        t.equal(f"{what} as padding", got, right, otherwise="padding")
    got = t.call("last_states", Source(code), start, x[:, :1], np.ones(5, int))
    t.equal("one step", got, 0.5 * start + np.sin(x[:, 0] @ w), otherwise="value")


@hidden("08.bits")
def bits(t):
    logits, lengths = 4 * t.normal(4, 7, 9), np.array([2, 7, 3, 5])
    ids = t.rng.integers(0, 9, (4, 7))
    z = logits.astype(float)
    z = z - z.max(-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    each = [
        -log_p[i, j - 1, ids[i, j]] / np.log(2)
        for i, n in enumerate(lengths)
        for j in range(1, n)
    ]
    got = t.call("bits_per_character", logits, ids, lengths)
    t.equal("character 0 is real too", got, np.mean(each), otherwise="value")
    got = t.call("bits_per_character", 0 * logits, ids, lengths)
    t.equal("knowing nothing", got, np.log2(9), otherwise="value")


@hidden("08.backward")
def backward(t):
    i, f, o = sigmoid(2 * t.normal(3, 4, 2))
    g, c_old, d_h, d_c = np.tanh(t.normal(4, 2)), *(3 * t.normal(3, 4, 2))
    shown = np.tanh(f * c_old + i * g)
    by_c = d_c + d_h * o * (1 - shown**2)
    right = {
        "z_i": by_c * g * i * (1 - i),
        "z_f": by_c * c_old * f * (1 - f),
        "z_g": by_c * i * (1 - g**2),
        "z_o": d_h * shown * o * (1 - o),
        "c_old": by_c * f,
    }
    gates = {"i": i, "f": f, "g": g, "o": o}
    args = [each.astype(np.float32) for each in (c_old, d_h, d_c)]
    got = t.call(
        "lstm_backward", {k: v.astype(np.float32) for k, v in gates.items()}, *args
    )
    t.equal("another cell", got, right, otherwise="value")


@hidden("08.clinic")
def clinic(t):
    lengths, outputs = np.array([1, 6, 4, 6, 2]), 3 * t.normal(5, 6, 4) - 2
    alone = [row[:length] for row, length in zip(outputs, lengths, strict=True)]
    right = np.stack([[row[-1], row.mean(0), row.max(0)] for row in alone])
    real = (np.arange(6) < lengths[:, None])[..., None]
    for what, filler in (("numbers", 50.0), ("no number", np.nan)):
        given = np.where(real, outputs, filler).astype(np.float32)
        got = t.call("summary", given, lengths)
        t.equal(f"{what} as padding", got, right.reshape(5, -1), otherwise="value")
    got = t.call("summary", outputs, np.full(5, 6))
    parts = [outputs[:, -1], outputs.mean(1), outputs.max(1)]
    t.equal("no padding", got, np.concatenate(parts, axis=-1), otherwise="value")


@hidden("08.truncated")
def truncated(t):
    p = {"w_x": t.normal(1, 4), "w_h": t.normal(4, 4) / 2, "b": t.normal(4)}
    for steps, piece in ((5, 3), (3, 9)):
        x, y = t.normal(3, steps, 1), t.normal(3, steps, 4)
        loss, slopes = by_hand(p, np.float64(x), np.float64(y), piece)
        on = f"{steps} steps in pieces of {piece}"
        got = t.call("truncated_loss", p, x, y, piece)
        t.equal("the loss", got, loss, otherwise="loss", on=on)
        got = t.call("truncated_loss", p, x, y, piece, transform="grad")
        t.equal("the gradient", got, slopes, otherwise="value", on=on)


def by_hand(p, x, y, piece):
    """Return the loss and its truncated gradient, carried back step by step."""
    states = [np.zeros_like(y[:, 0])]
    for i in range(x.shape[1]):
        z = x[:, i] @ p["w_x"] + states[-1] @ p["w_h"] + p["b"]
        states.append(np.tanh(z))
    slopes = {name: np.zeros(value.shape) for name, value in p.items()}
    later = 0.0
    for i in reversed(range(x.shape[1])):
        h = states[i + 1]
        delta = (later + 2 * (h - y[:, i]) / y.size) * (1 - h**2)
        slopes["w_x"] += x[:, i].T @ delta
        slopes["w_h"] += states[i].T @ delta
        slopes["b"] += delta.sum(0)
        later = delta @ p["w_h"].T if i % piece else 0.0
    return ((np.stack(states[1:], axis=1) - y) ** 2).mean(), slopes
