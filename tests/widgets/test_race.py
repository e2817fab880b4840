"""Optimizer race: surfaces, gradients and steps are those of the package."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import traitlets

from lessons.widgets import OptimizerRace
from lessons.widgets.playground import OPTIMIZERS
from lessons.widgets.race import DECAY, PRESETS, SURFACES, descend

PLACES = [[-1.3, 0.7], [0.4, -1.9], [2.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("place", PLACES)
def test_heights_and_gradients(js, name, place):
    f, w = SURFACES[name], jnp.array(place)
    got = js("descent.js", f"SURFACES.{name}.value", *place)
    assert got == pytest.approx(float(f(w)), rel=1e-5, abs=1e-6)
    slope = js("descent.js", f"SURFACES.{name}.slope", *place)
    np.testing.assert_allclose(slope, jax.grad(f)(w), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_twenty_steps(js, name, rule):
    start, rate = PRESETS[name]["start"], PRESETS[name]["rates"][rule]
    got = js("descent.js", "run", name, rule, rate, start, 20)
    # In float32, Adam's 1 - 0.999 ** t alone is wrong by 5e-5: compare in float64.
    with jax.enable_x64(True):
        path = descend(name, rule, rate, start, 20)
        losses = jax.vmap(SURFACES[name])(path)
    np.testing.assert_allclose(got["path"], path, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got["losses"], losses, rtol=1e-5, atol=1e-5)
    assert got["diverged"] is None


def test_the_decay_is_the_same_on_both_sides(js):
    strong = js("descent.js", "run", "bowl", "adamw", 0.3, [-4, 1], 20, DECAY)
    plain = js("descent.js", "run", "bowl", "adamw", 0.3, [-4, 1], 20)
    assert strong == plain
    assert strong != js("descent.js", "run", "bowl", "adam", 0.3, [-4, 1], 20)


@pytest.mark.parametrize("name", SURFACES)
def test_the_lowest_points_are_lowest(js, name):
    grid = np.stack(np.meshgrid(*[np.linspace(-4, 4, 161)] * 2)).reshape(2, -1)
    lowest = float(SURFACES[name](grid).min())
    for place in js("descent.js", "lowestPoints", name):
        height = js("descent.js", "above", name, *place)
        assert abs(height) < 1e-4, "the floor is the height of the lowest points"
        w = jnp.array(place, float)
        assert float(SURFACES[name](w)) <= lowest + 1e-4
        assert jnp.abs(jax.grad(SURFACES[name])(w)).max() < 1e-3


@pytest.mark.parametrize(("rate", "diverges"), [(0.079, False), (0.1, True)])
def test_descent_diverges_over_two_by_the_curvature(js, rate, diverges):
    got = js("descent.js", "run", "bowl", "sgd", rate, [-4, 1], 60)
    assert (got["diverged"] is not None) == diverges
    if diverges:
        # |w1| = 1.5 ** k first passes 1,000 at step 18.
        assert got["diverged"] == 18
        assert len(got["path"]) == 19


def test_a_huge_rate_is_called_diverged_and_not_an_error(js):
    got = js("descent.js", "run", "valley", "momentum", 100, [-1.5, 2], 60)
    assert got["diverged"] == 1


def test_the_race_is_said_in_words(js):
    lanes = {
        "sgd": js("descent.js", "run", "bowl", "sgd", 0.1, [-4, 1], 20),
        "adam": js("descent.js", "run", "bowl", "adam", 0.3, [-4, 1], 20),
    }
    words = js("race.js", "standing", "bowl", lanes, 20)
    assert words.startswith("After 20 steps, height above the lowest point: SGD div")
    assert "SGD diverged at step 18, Adam " in words
    assert js("race.js", "standing", "bowl", lanes, 0).startswith("At the start.")


def test_defaults_follow_the_surface_and_the_still_is_drawn():
    race = OptimizerRace(surface="saddle")
    assert race.start == PRESETS["saddle"]["start"]
    assert race.rates == PRESETS["saddle"]["rates"]
    assert [len(axes.lines) for axes in race.still().axes] == [5, 5]


def test_another_surface_brings_its_own_start_and_rates():
    race = OptimizerRace(start=[1.0, 1.0], steps=7)
    assert race.start == [1.0, 1.0], "what is asked for at the beginning stays"
    race.surface = "valley"
    assert {"start": race.start, "rates": race.rates} == PRESETS["valley"]
    assert race.steps == 7
    race.start = [0.5, 0.5]
    race.surface = "valley"
    assert race.start == [0.5, 0.5], "the same surface changes nothing"


RATES = PRESETS["bowl"]["rates"]


@pytest.mark.parametrize(
    "settings",
    [
        {"surface": "plain"},
        {"start": [1.0]},
        {"start": [1.0, float("nan")]},
        {"start": [1.0, 11.0]},
        {"rates": {"sgd": 0.1}},
        {"rates": RATES | {"adam": 1e6}},
        {"rates": RATES | {"adam": float("nan")}},
        {"rates": RATES | {"adam": "fast"}},
        {"steps": 0},
        {"presets": {}},
    ],
)
def test_impossible_settings_are_refused(settings):
    race = OptimizerRace()
    [(name, value)] = settings.items()
    before = getattr(race, name)
    with pytest.raises(traitlets.TraitError):
        setattr(race, name, value)
    assert getattr(race, name) == before
