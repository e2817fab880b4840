"""Activation explorer: the page's numbers are the package's."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import traitlets

from lessons import activations
from lessons.widgets import ActivationExplorer
from lessons.widgets.activation import FUNCTIONS

X = np.array([-1e3, -20.0, -3.0, -0.7, -1e-3, 0.0, 1e-3, 0.4, 2.6, 30.0, 1e3])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives(js, name):
    rows = np.array(js("activation.js", "table", name, -8.0, 8.0, 33))
    x = jnp.asarray(rows[:, 0])
    value, slope = getattr(activations, name), getattr(activations, f"{name}_grad")
    np.testing.assert_allclose(rows[:, 1], value(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rows[:, 2], slope(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", ["value", "slope"])
def test_the_ends_of_the_line(js, name, kind):
    function = getattr(activations, name + ("_grad" if kind == "slope" else ""))
    got = [js("maths.js", f"ACTIVATIONS.{name}.{kind}", float(x)) for x in X]
    np.testing.assert_allclose(got, function(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("x", [0.0, 1e-8, 0.3, 1.0, 2.4, 2.6, 4.0, 5.9, 7.0])
def test_the_error_function(js, x):
    expected = float(jax.scipy.special.erf(jnp.float32(x)))
    assert js("maths.js", "erf", x) == pytest.approx(expected, abs=2e-7)
    assert js("maths.js", "erf", -x) == pytest.approx(-expected, abs=2e-7)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_signal_and_its_gradient_through_layers(js, name):
    rng = np.random.default_rng(1)
    x, upstream = rng.normal(size=(2, 3, 5))
    weights = rng.normal(size=(4, 5, 5)) * 0.6
    got = js("activation.js", "through", name, x, weights, upstream)
    f, signal, back, h = getattr(activations, name), [x], [], jnp.asarray(x)
    for w in weights:
        h, pull = jax.vjp(lambda h, w=w: f(h @ w), h)
        signal.append(h)
        back.append(pull)
    gradient = [jnp.asarray(upstream)]
    for pull in reversed(back):
        gradient.insert(0, pull(gradient[0])[0])
    rms = [[float(jnp.sqrt(jnp.mean(a**2))) for a in s] for s in (signal, gradient)]
    np.testing.assert_allclose(got["signal"], rms[0], rtol=1e-5)
    np.testing.assert_allclose(got["gradient"], rms[1], rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"function": "swish"}, {"x": 9.0}, {"x": math.nan}, {"gain": 0.0}, {"seed": -1}],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(traitlets.TraitError):
        ActivationExplorer(**settings)
    explorer = ActivationExplorer()
    [(name, value)] = settings.items()
    before = getattr(explorer, name)
    with pytest.raises(traitlets.TraitError):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before
