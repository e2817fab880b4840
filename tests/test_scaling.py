"""Scaling against scikit-learn's."""

import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.preprocessing

from lessons import data

FEATURES = np.random.default_rng(0).normal([1, -20, 300], [2, 0.1, 50], (41, 3))


def test_standardiser_equals_sklearn():
    theirs = sklearn.preprocessing.StandardScaler().fit(FEATURES)
    ours = data.fit_standardiser(FEATURES)
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-6)
    np.testing.assert_allclose(ours.scale, theirs.scale_, rtol=1e-6)
    fresh = FEATURES[:5] + 1
    np.testing.assert_allclose(
        data.scale(ours, fresh), theirs.transform(fresh), rtol=1e-4, atol=2e-4
    )
    assert ours.mean.dtype == ours.scale.dtype == jnp.float32


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-1.0, 1.0), (2.0, 5.0)])
def test_min_max_equals_sklearn(low, high):
    theirs = sklearn.preprocessing.MinMaxScaler((low, high)).fit(FEATURES)
    ours = data.fit_min_max(FEATURES, low, high)
    scaled = data.scale(ours, FEATURES)
    np.testing.assert_allclose(scaled, theirs.transform(FEATURES), atol=3e-4)
    np.testing.assert_allclose(scaled.min(axis=0), low, atol=3e-4)
    np.testing.assert_allclose(scaled.max(axis=0), high, atol=3e-4)


def test_min_max_defaults_to_0_and_1():
    ours = data.fit_min_max(FEATURES)
    for found, expected in zip(ours, data.fit_min_max(FEATURES, 0, 1), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("fit", [data.fit_standardiser, data.fit_min_max])
def test_scaling_comes_back(fit):
    scaler = fit(FEATURES)
    np.testing.assert_allclose(
        data.unscale(scaler, data.scale(scaler, FEATURES)), FEATURES, rtol=1e-5
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_constant_columns_divide_by_one(value):
    x = np.stack([np.full(1000, value, np.float32), np.arange(1000)], axis=1)
    standard = data.fit_standardiser(x)
    assert float(standard.scale[0]) == 1
    np.testing.assert_array_equal(data.scale(standard, x)[:, 0], 0)
    ranged = data.scale(data.fit_min_max(x, 2.0, 4.0), x)
    np.testing.assert_allclose(ranged[:, 0], 2, rtol=0, atol=1e-6 * max(value, 1))
    assert float(ranged[:, 1].max()) == pytest.approx(4)


def test_one_pair_over_everything():
    images = np.random.default_rng(0).random((5, 4, 3, 1)).astype(np.float32)
    scaler = data.fit_standardiser(images, axis=None)
    assert scaler.mean.shape == ()
    scaled = data.scale(scaler, images)
    assert float(scaled.mean()) == pytest.approx(0, abs=1e-6)
    assert float(scaled.std()) == pytest.approx(1, abs=1e-6)
    assert data.fit_min_max(images, axis=None).scale.shape == ()
    assert data.fit_min_max(images).scale.shape == (4, 3, 1)


@pytest.mark.parametrize("f", [data.scale, data.unscale])
def test_scaling_does_not_broadcast(f):
    scaler = data.fit_standardiser(FEATURES)
    with pytest.raises(ValueError, match=r"x of shape \(n, 3\), got \(3,\)"):
        f(scaler, FEATURES[0])
    with pytest.raises(ValueError, match=r"x of shape \(n, 3\), got \(4, 1\)"):
        f(scaler, np.ones((4, 1)))


@pytest.mark.parametrize("fit", [data.fit_standardiser, data.fit_min_max])
@pytest.mark.parametrize("x", [np.ones((0, 3)), np.float64(2.0)])
def test_fitting_needs_rows(fit, x):
    with pytest.raises(ValueError, match=r"at least one row, got shape \("):
        fit(x)


@pytest.mark.parametrize("low, high", [(1.0, 1.0), (2.0, 1.0)])
def test_min_max_refuses_an_empty_range(low, high):
    with pytest.raises(ValueError, match=f"low < high, got low={low} and high={high}"):
        data.fit_min_max(FEATURES, low, high)


@pytest.mark.parametrize(
    "fit, mean, scale",
    [(data.fit_standardiser, 4.0, 2.0), (data.fit_min_max, 2.0, 4.0)],
)
def test_one_feature_needs_no_second_axis(fit, mean, scale):
    scaler = fit([2.0, 6.0])
    assert (float(scaler.mean), float(scaler.scale)) == (mean, scale)
    assert data.scale(scaler, np.array([6.0])).shape == (1,)


def test_statistics_are_summed_in_float64():
    x = np.tile(np.array([9999.0, 10001.0], np.float32), 100_000)
    assert float(data.fit_standardiser(x).mean) == 10_000
    assert float(data.fit_standardiser(x).scale) == pytest.approx(1, abs=1e-6)
