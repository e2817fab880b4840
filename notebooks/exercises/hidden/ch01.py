"""What sets the marks of chapter 01, beside its practice checks: NumPy alone."""

import numpy as np

from lessons.grading.marks import hidden


@hidden("01.relu")
def relu(t):
    x = np.concatenate([t.normal(2, 3, 4).ravel(), [0, -1e30, 1e30]]).astype("f4")
    t.equal("any size", t.call("relu", x), np.maximum(x, 0), otherwise="value")
    t.equal("any size", t.call("relu_slope", x), (x > 0) * 1.0, otherwise="slope")


@hidden("01.softmax")
def softmax(t):
    x = t.normal(2, 3, 4) * 50
    e = np.exp(x.astype(float) - x.max(-1, keepdims=True))
    right = e / e.sum(-1, keepdims=True)
    t.equal("three axes", t.call("softmax", x), right, otherwise="columns")
    low = np.float32([-1e4, -1e4 - 1])
    right = np.array([0.73105858, 0.26894142])
    t.equal("far below 0", t.call("softmax", low), right, otherwise="overflow")


@hidden("01.softplus")
def softplus(t):
    z = t.normal(5, 2) * 8
    z64 = z.astype(float)
    t.equal("a table", t.call("softplus", z), np.logaddexp(0, z64), otherwise="value")
    right = 1 / (1 + np.exp(-z64))
    t.equal("a table", t.call("softplus_slope", z), right, otherwise="slope")
    far = np.float32([-20, -10])
    got = t.call("softplus", far)
    t.equal("small values", got, np.exp(far.astype(float)), rtol=1e-2, atol=0)


@hidden("01.surprise")
def surprise(t):
    z, q = t.normal(7) * 5, np.abs(t.normal(7))
    q /= q.sum()
    e = np.exp(z.astype(float) - z.max())
    got = t.call("surprise_slope", z, q)
    t.equal("seven classes", got, e / e.sum() - q, otherwise="value")


@hidden("01.clinic")
def clinic(t):
    z, upstream = t.normal(3, 4) * 4, t.normal(3, 4) * 10
    s = 1 / (1 + np.exp(-z.astype(float)))
    got = t.call("sigmoid_backward", z, upstream)
    t.equal("a table", got, s * (1 - s) * upstream, otherwise="value")


@hidden("01.gain")
def gain(t):
    a = np.float32(t.rng.uniform(0, 3))
    right = 2 / (1 + float(a) ** 2)
    t.equal("another slope", t.call("leaky_gain", a), right, otherwise="value")
