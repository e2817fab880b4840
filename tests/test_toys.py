"""Toy tasks: their curves, labels, noise and order."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import data

TOYS = ["line", "diagonal", "xor", "moons", "circles", "spirals"]
KEY = jax.random.key(7)
N = 401  # one size for most toy tests, because each size compiles anew


@pytest.mark.parametrize(
    "f, features, rule",
    [
        (data.line, 1, lambda x: x[:, 0] > 0),
        (data.diagonal, 2, lambda x: x[:, 0] > x[:, 1]),
        (data.xor, 2, lambda x: x[:, 0] * x[:, 1] < 0),
    ],
)
def test_labels_follow_the_rule(f, features, rule):
    x, y = (np.asarray(a) for a in f(KEY, N))
    assert (x.shape, y.shape) == ((N, features), (N,))
    np.testing.assert_array_equal(y, rule(x))
    for column in x.T:
        assert -1 <= column.min() < -0.95
        assert 0.95 < column.max() <= 1
    noisy, same = f(KEY, N, 0.25)
    np.testing.assert_array_equal(same, y)
    assert np.std(np.asarray(noisy) - x) == pytest.approx(0.25, rel=0.15)


def test_moons_lie_on_their_half_circles():
    x, y = (np.asarray(a) for a in data.moons(KEY, N, 0.0))
    upper, lower = x[y == 0], x[y == 1]
    assert (len(upper), len(lower)) == (201, 200)
    np.testing.assert_allclose(np.hypot(*upper.T), 1, atol=1e-5)
    np.testing.assert_allclose(
        np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1, atol=1e-5
    )
    assert (
        upper[:, 1].min() >= 0 and upper[:, 0].min() < -0.98 < 0.98 < upper[:, 0].max()
    )
    assert lower[:, 1].max() <= 0.5 and lower[:, 0].min() < 0.02
    assert lower[:, 0].max() > 1.98


@pytest.mark.parametrize("factor", [0.5, 0.3])
def test_circles_have_their_radii(factor):
    x, y = (np.asarray(a) for a in data.circles(KEY, N, 0.0, factor))
    np.testing.assert_allclose(np.hypot(*x.T), np.where(y == 0, 1.0, factor), atol=1e-5)
    for k in range(2):
        angles = np.arctan2(*x[y == k].T)
        assert np.histogram(angles, 8, (-np.pi, np.pi))[0].min() > 10


@pytest.mark.parametrize("turns", [1.0, 1.75])
def test_spirals_turn(turns):
    x, y = (np.asarray(a) for a in data.spirals(KEY, N, 0.0, turns))
    r = np.hypot(*x.T)
    expected = 2 * np.pi * turns * r + np.pi * y
    np.testing.assert_allclose(x[:, 0], r * np.cos(expected), atol=1e-4)
    np.testing.assert_allclose(x[:, 1], r * np.sin(expected), atol=1e-4)
    # Spread evenly over the disc: half of the points beyond radius sqrt(1/2).
    assert np.mean(r > np.sqrt(0.5)) == pytest.approx(0.5, abs=0.08)
    assert r.max() <= 1


U = np.array([0.0, 0.125, 0.25, 0.5, 0.625, 0.875], np.float32)
PI = np.pi
FORMULAS = {
    "moons": lambda u, y: (
        np.where(y == 0, np.cos(PI * u), 1 - np.cos(PI * u)),
        np.where(y == 0, np.sin(PI * u), 0.5 - np.sin(PI * u)),
    ),
    "circles": lambda u, y: (
        np.where(y == 0, 1.0, 0.5) * np.cos(2 * PI * u),
        np.where(y == 0, 1.0, 0.5) * np.sin(2 * PI * u),
    ),
    "spirals": lambda u, y: (
        np.sqrt(u) * np.cos(2 * PI * np.sqrt(u) + PI * y),
        np.sqrt(u) * np.sin(2 * PI * np.sqrt(u) + PI * y),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_each_draw_becomes_the_point_of_the_formula(name, monkeypatch):
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape: jnp.asarray(U))
    x, y = (np.asarray(a) for a in getattr(data, name)(KEY, len(U), 0.0))
    assert sorted(y) == [0, 0, 0, 1, 1, 1]
    expected = np.stack(FORMULAS[name](U, y), axis=1)
    np.testing.assert_allclose(x, expected, atol=1e-6)


@pytest.mark.parametrize("name", TOYS)
def test_the_noise_is_added(name, monkeypatch):
    f = getattr(data, name)
    clean = np.asarray(f(KEY, 6, 0.0)[0])
    draws = np.arange(6 * clean.shape[1], dtype=np.float32).reshape(clean.shape) - 2
    monkeypatch.setattr(jax.random, "normal", lambda key, shape: jnp.asarray(draws))
    np.testing.assert_allclose(f(KEY, 6, 0.5)[0], clean + 0.5 * draws, atol=1e-5)


@pytest.mark.parametrize(
    "f, points, labels",
    [
        (data.line, [[0.0], [1e-6], [-1e-6]], [0, 1, 0]),
        (data.diagonal, [[0.5, 0.5], [0.5, 0.25], [0.25, 0.5]], [0, 1, 0]),
        (data.xor, [[0.0, 0.5], [0.5, 0.0], [0.0, -0.5], [0.0, 0.0]], [1, 1, 0, 0]),
    ],
)
def test_a_point_on_the_border_is_not_beyond_it(f, points, labels, monkeypatch):
    drawn = jnp.array(points)
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape, minval: drawn)
    x, y = f(KEY, len(points))
    np.testing.assert_array_equal(x, drawn)
    np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize("name", TOYS)
def test_toys_in_general(name):
    f = getattr(data, name)
    x, y = (np.asarray(a) for a in f(KEY))
    assert len(x) == len(y) == 200
    assert (x.dtype, y.dtype) == (jnp.float32, jnp.int32)
    assert f(KEY, 1)[0].shape[0] == 1
    np.testing.assert_array_equal(f(KEY)[0], x)
    assert not np.array_equal(f(jax.random.key(8))[0], x)
    assert 0.3 < y.mean() < 0.7
    # The order is random: neither half holds one class alone.
    assert 0.2 < y[:100].mean() < 0.8
    alternating = np.abs(np.diff(y)).mean()
    assert 0.3 < alternating < 0.7


NOISE = {
    "line": 0,
    "diagonal": 0,
    "xor": 0,
    "moons": 0.1,
    "circles": 0.05,
    "spirals": 0.02,
}


@pytest.mark.parametrize("name, noise", NOISE.items())
def test_toy_noise(name, noise):
    f = getattr(data, name)
    assert inspect.signature(f).parameters["noise"].default == noise
    clean, noisy = (np.asarray(f(KEY, N, s)[0]) for s in (0.0, 0.2))
    assert np.std(noisy - clean) == pytest.approx(0.2, rel=0.15)
    assert abs(np.mean(noisy - clean)) < 0.05


@pytest.mark.parametrize("name", TOYS)
def test_toys_refuse(name):
    f = getattr(data, name)
    with pytest.raises(ValueError, match="at least 1 point, got n=0"):
        f(KEY, 0)
    with pytest.raises(ValueError, match=r"noise of at least 0, got -0\.1"):
        f(KEY, 5, -0.1)


@pytest.mark.parametrize("factor", [0.0, 1.0, -0.5, 2.0])
def test_circles_refuse_a_factor(factor):
    with pytest.raises(ValueError, match=f"factor between 0 and 1, got {factor}"):
        data.circles(KEY, 5, 0.0, factor)
