"""What sets the marks of chapter 03, beside its practice checks: NumPy alone."""

import numpy as np

from lessons.exercises.ch03 import two_layers
from lessons.exercises.ch03_clinics import fits, refuses
from lessons.exercises.plain import Key
from lessons.grading.marks import hidden


@hidden("03.maximum")
def maximum(t):
    layers = two_layers(t.value("net"))
    if not t.true("the shapes", layers is not None, hint="shapes"):
        return
    first, second = layers
    x = t.normal(200, 2) * np.float32(30)
    a = np.maximum(x @ np.asarray(first["w"]) + first["b"], 0)
    got = (a @ np.asarray(second["w"]) + second["b"])[:, 0]
    t.equal("200 points", got, x.max(1), otherwise="value", atol=1e-3)


@hidden("03.rate")
def rate(t):
    z, y = t.normal(9) * 2, t.rng.integers(0, 30, 9).astype("f4")
    e = np.exp(z.astype(float))
    t.equal("a negative z", t.call("rate_loss", z, y), e - y * z, otherwise="value")
    t.equal("a negative z", t.call("rate_delta", z, y), e - y, otherwise="slope")


@hidden("03.smooth")
def smooth(t):
    z, labels = t.normal(8, 7) * 5, t.rng.integers(0, 7, 8).astype(np.int32)
    z[0, 3], z[1, 3] = 1e4, -1e4
    z64 = z - z.max(1, keepdims=True).astype(float)
    log_p = z64 - np.log(np.exp(z64).sum(1, keepdims=True))
    for share in (0.0, 0.4, 1.0):
        targets = (1 - share) * np.eye(7)[labels] + share / 7
        right = -(targets * log_p).sum(1)
        got = t.call("smoothed_loss", z, labels, share)
        t.equal(f"smoothing {share}", got, right, otherwise="value")


@hidden("03.one_logit")
def one_logit(t):
    z, y = t.normal(11) * 20, np.float32([1, -1] * 5 + [1])
    right = np.logaddexp(0, -y * z.astype(float))
    t.equal("eleven logits", t.call("signed_loss", z, y), right, otherwise="value")
    got, right = t.call("signed_accuracy", z, y), np.mean(np.sign(z) == y)
    t.equal("eleven logits", got, right, otherwise="accuracy")
    got = t.call("signed_accuracy", np.abs(z), np.ones_like(z))
    t.equal("all right", got, 1, otherwise="accuracy")


@hidden("03.columns")
def columns(t):
    for n in (1, 9):
        p, y = t.normal(n, 1) * 3, t.normal(n)
        right = np.mean((p[:, 0].astype(float) - y) ** 2)
        got = t.call("safe_mse", p, y, otherwise="refused")
        t.equal(f"{n} examples", got, right, otherwise="value")
    refuses(t, p, np.float32(1.0), "stretched")
    refuses(t, p, p, "no_refusal")
    refuses(t, p.T, y, "no_refusal")
    refuses(t, p, y[None], "no_refusal")


@hidden("03.start")
def start(t):
    sizes = [90, 400, 250, 250, 30]
    got = t.call("start", Key(int(t.rng.integers(1, 10**6))), sizes)
    if not t.true("other sizes", fits(got, sizes), hint="tree"):
        return
    spread = np.array([layer["w"].astype(float).var() for layer in got])
    right = 2 / np.array(sizes[:-1])
    t.equal("other sizes", spread, right, otherwise="variance", rtol=0.12, atol=0)
    t.true("biases", not any(layer["b"].any() for layer in got), hint="biases")
