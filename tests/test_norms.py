"""Normalisation against NumPy in float64 and its invariances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import norms

KEY = jax.random.key(0)
SHAPES = [(6,), (1, 6), (3, 6), (2, 3, 6)]


def drawn(names, width=6):
    """Draw parameters off one and zero."""
    keys = jax.random.split(KEY, len(names))
    pairs = zip(names, keys, strict=True)
    return {name: jax.random.normal(k, (width,)) for name, k in pairs}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("eps", [None, 0.3])
def test_layer_norm_equals_numpy(shape, eps):
    params = drawn(["scale", "shift"])
    x = 2 + 3 * jax.random.normal(jax.random.key(1), shape)
    exact = np.asarray(x, np.float64)
    centred = exact - exact.mean(-1, keepdims=True)
    spread = np.sqrt(exact.var(-1, keepdims=True) + (1e-5 if eps is None else eps))
    want = centred / spread * np.asarray(params["scale"]) + np.asarray(params["shift"])
    got = norms.layer_norm(params, x, **({} if eps is None else {"eps": eps}))
    assert got.shape == shape
    np.testing.assert_allclose(got, want, atol=3e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("eps", [None, 0.3])
def test_rms_norm_equals_numpy(shape, eps):
    params = drawn(["scale"])
    x = 2 + 3 * jax.random.normal(jax.random.key(1), shape)
    exact = np.asarray(x, np.float64)
    square = (exact**2).mean(-1, keepdims=True) + (1e-5 if eps is None else eps)
    want = exact / np.sqrt(square) * np.asarray(params["scale"])
    got = norms.rms_norm(params, x, **({} if eps is None else {"eps": eps}))
    assert got.shape == shape
    np.testing.assert_allclose(got, want, atol=3e-6)


def test_small_signals_show_the_default_eps():
    x = jnp.array([[1e-3, -1e-3]])
    want = 1e-3 / np.sqrt(1e-6 + 1e-5)
    layer = norms.layer_norm(norms.layer_norm_init(2), x)
    rms = norms.rms_norm(norms.rms_norm_init(2), x)
    for got in (layer, rms):
        np.testing.assert_allclose(got, [[want, -want]], rtol=1e-5)


def test_fresh_parameters_change_nothing_but_the_scale_of_the_signal():
    x = 5 + jax.random.normal(KEY, (4, 64))
    y = norms.layer_norm(norms.layer_norm_init(64), x)
    np.testing.assert_allclose(y.mean(-1), np.zeros(4), atol=1e-5)
    np.testing.assert_allclose(jnp.square(y).mean(-1), np.ones(4), atol=1e-4)
    y = norms.rms_norm(norms.rms_norm_init(64), x)
    np.testing.assert_allclose(jnp.square(y).mean(-1), np.ones(4), atol=1e-4)
    assert (y.mean(-1) > 0.5).all()


def test_constant_and_zero_vectors_stay_finite():
    params = drawn(["scale", "shift"])
    still = norms.layer_norm(params, jnp.full((2, 6), 7.0))
    np.testing.assert_allclose(still, [params["shift"]] * 2, atol=1e-6)
    zero = norms.rms_norm(params, jnp.zeros((2, 6)))
    np.testing.assert_array_equal(zero, np.zeros((2, 6)))
    slope = jax.grad(lambda x: norms.rms_norm(params, x).sum())(jnp.zeros((2, 6)))
    assert jnp.isfinite(slope).all()


def test_fresh_parameters():
    layer, rms = norms.layer_norm_init(3), norms.rms_norm_init(3)
    np.testing.assert_array_equal(layer["scale"], np.ones(3))
    np.testing.assert_array_equal(layer["shift"], np.zeros(3))
    np.testing.assert_array_equal(rms["scale"], np.ones(3))
    assert norms.rms_norm_init(1)["scale"].shape == (1,)


@pytest.mark.parametrize("init", [norms.layer_norm_init, norms.rms_norm_init])
def test_widths_below_one_are_refused(init):
    with pytest.raises(ValueError, match="expected width of at least 1, got 0"):
        init(0)


@pytest.mark.parametrize("shape", [(), (5,), (6, 1)])
def test_vectors_of_another_length_are_refused(shape):
    params = norms.layer_norm_init(6)
    for f in (norms.layer_norm, norms.rms_norm):
        with pytest.raises(ValueError, match=r"expected x of shape \(..., 6\), got"):
            f(params, jnp.zeros(shape))
