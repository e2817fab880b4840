"""What sets the marks of chapter 04, beside its practice checks: NumPy alone."""

import numpy as np

from lessons.exercises.ch04_clinics import part, two
from lessons.exercises.plain import Key, Source
from lessons.grading.marks import hidden


@hidden("04.travelled")
def travelled(t):
    steps = np.array([4, 25, 700], np.int32)
    mu, rate, g = (np.float32(v) for v in (0.95, 0.02, -t.rng.uniform(1, 3)))
    u = w = 0.0
    positions = [0.0]
    for _ in range(700):
        u = mu * u + g
        w += rate * u
        positions.append(w)
    got = t.call("travelled", steps, rate, mu, g)
    right = np.array(positions)[steps]
    t.equal("a long walk", got, right, otherwise="value", rtol=1e-3)


@hidden("04.adamw")
def adamw(t):
    shapes = {"in": (3, 2), "out": (3, 2), "shift": (2,), "scale": ()}
    params = {name: t.normal(*shape) for name, shape in shapes.items()}
    memory = {"t": 0}
    memory |= {k: {n: np.zeros_like(p) for n, p in params.items()} for k in "mv"}
    mine, m, v = dict(params), dict(memory["m"]), dict(memory["v"])
    for step in range(1, 4):
        grads = {name: t.normal(*shape) for name, shape in shapes.items()}
        new = t.call("adamw_step", params, grads, memory, 0.02, 0.5)
        params, memory = two(new)
        for n, g in grads.items():
            m[n] = 0.9 * m[n] + 0.1 * g.astype(float)
            v[n] = 0.999 * v[n] + 0.001 * g.astype(float) ** 2
            top, root = m[n] / (1 - 0.9**step), np.sqrt(v[n] / (1 - 0.999**step))
            decay = 0.5 * mine[n] if np.ndim(mine[n]) > 1 else 0
            mine[n] = mine[n] - 0.02 * (top / (root + 1e-8) + decay)
        t.equal(f"step {step}", params, mine, otherwise="value", rtol=1e-3, atol=1e-4)
        right = {"t": step, "m": m, "v": v}
        t.equal(f"the memory after step {step}", memory, right, otherwise="memory")


@hidden("04.clip")
def clip(t):
    shapes = {"a": (3, 2), "b": (2,), "c": ()}
    grads = {name: 1e6 * (1 + abs(t.normal(*shape))) for name, shape in shapes.items()}
    grads = {name: np.float32(g) for name, g in grads.items()}
    squares = sum((g.astype(float) ** 2).sum() for g in grads.values())
    right = {name: 0.3 * g / np.sqrt(squares) for name, g in grads.items()}
    t.equal("a very long one", t.call("clip", grads, 0.3), right, otherwise="value")
    small = {name: np.float32(1e-8) * g for name, g in grads.items()}
    t.equal("one that stays", t.call("clip", small, 1.0), small, otherwise="value")


@hidden("04.trapezoid")
def trapezoid(t):
    warmup, hold, fall = (int(n) for n in t.rng.integers(3, 8, 3))
    step = np.arange(20, dtype=np.int32) + 3
    ends = np.cumsum([0, warmup, hold, fall])
    right = np.interp(step, ends, [0, 0.01, 0.01, 0])
    got = t.call("trapezoid", step, 0.01, warmup, hold, fall)
    t.equal("from step 3 on", got, right, otherwise="value", atol=1e-6)
    got = t.call("trapezoid", np.int32(warmup), 0.01, warmup, 0, fall)
    t.equal("one step, no hold", got, 0.01, otherwise="value", atol=1e-6)


@hidden("04.clinic_gradient")
def train_step(t):
    x, y = t.normal(9, 3), t.normal(9)
    params = {"w": t.normal(3), "b": np.float32(t.normal())}
    mine = {name: p.astype(float) for name, p in params.items()}
    for step in range(3):
        off = x @ mine["w"] + mine["b"] - y
        params, loss = two(t.call("train_step", params, x, y, 0.1))
        t.equal(f"the loss at step {step}", loss, np.mean(off**2), otherwise="value")
        mine["w"] = mine["w"] - 0.1 * 2 * off @ x / 9
        mine["b"] = mine["b"] - 0.1 * 2 * off.mean()
        t.equal(f"step {step}", params, mine, otherwise="value", atol=1e-4)


@hidden("04.clinic_split")
def prepare(t):
    n, held = 30, 5
    x, labels = 3 * t.normal(n, 3) - 7, t.rng.permutation(n).astype(np.int32)
    key = Key(int(t.rng.integers(1000)))
    parts = two(t.call("prepare", key, x, labels, held))
    (x_train, train), (x_test, test) = map(part, parts)
    place = np.argsort(labels)
    every = np.sort(np.append(train, test))
    t.equal("the sizes", [len(train), len(test)], [n - held, held], otherwise="lost")
    if not t.equal("every example once", every, np.arange(n), otherwise="lost"):
        return
    rows, others = x[place[train]], x[place[test]]
    mean, spread = rows.mean(0), rows.std(0)
    close = {"otherwise": "torn", "rtol": 1e-3, "atol": 1e-3}
    t.equal("the training rows", x_train, (rows - mean) / spread, **close)
    t.equal("the test rows", x_test, (others - mean) / spread, **close)


@hidden("04.clinic_score")
def accuracy(t):
    x, labels = t.normal(11, 3), t.rng.integers(0, 3, 11).astype(np.int32)
    right = np.mean(x.argmax(1) == labels)
    for size in (5, 50):
        few = f"lambda x: -x if len(x) <= {size} else (x,)[1]"
        got = t.call("accuracy", Source(few), -x, labels, size, otherwise="too_many")
        t.equal(f"batches of {size}", got, right, otherwise="value")
