"""Backprop stepper: values and derivatives of the page are those of `jax.grad`."""

import numpy as np
import pytest
import traitlets

from lessons.widgets import BackpropStepper
from lessons.widgets.stepper import PARENTS, STEPS, derivatives, forward

# Chapter 02's numbers, its ReLU off, exactly at the kink, and others.
CASES = [
    {"w": 3.0, "x": 2.0, "b": -5.0, "y": 3.0},
    {"w": 3.0, "x": 2.0, "b": -7.0, "y": 3.0},
    {"w": 3.0, "x": 2.0, "b": -6.0, "y": 3.0},
    {"w": -0.7, "x": 1.3, "b": 2.1, "y": -0.4},
    {"w": 0.0, "x": 0.0, "b": 0.0, "y": 0.0},
    {"w": -100.0, "x": -99.0, "b": 100.0, "y": -98.5},
]


@pytest.mark.parametrize("inputs", CASES)
def test_values_and_derivatives(js, inputs):
    got = js("stepper.js", "known", inputs, STEPS)
    values, slopes = forward(inputs), derivatives(inputs)
    assert set(got["values"]) == set(got["grads"]) == set(slopes)
    for name in slopes:
        assert got["values"][name] == pytest.approx(float(values[name]), rel=1e-5)
        assert got["grads"][name] == pytest.approx(float(slopes[name]), rel=1e-5)


def test_the_graph_is_that_of_the_package(js):
    known = js("stepper.js", "known", CASES[0], 6)
    assert list(known["values"])[4:] == list(PARENTS)
    assert {k: len(v) for k, v in known["local"].items()} == {
        name: len(parents) for name, parents in PARENTS.items()
    }


def test_a_derivative_is_a_sum_over_the_users_seen_so_far(js):
    seen = [js("stepper.js", "known", CASES[0], k)["grads"] for k in range(STEPS + 1)]
    assert seen[6] == {}
    assert seen[7] == {"L": 1}
    # After r = w² only one of w's two users has paid in; after u = w x both have.
    assert seen[9]["w"] == 6
    assert seen[STEPS]["w"] == -2
    assert [len(grads) for grads in seen[7:]] == [1, 3, 4, 6, 7, 9, 10]


@pytest.mark.parametrize(
    ("case", "step", "words"),
    [
        (0, 0, "The inputs are set"),
        (0, 2, "z = u + b = 6 + (−5) = 1."),
        (0, 4, "s = (a − y)² = (1 − 3)² = 4."),
        (0, 7, "so ∂L/∂L = 1."),
        (0, 10, "a receives 1 × (−4) = −4. y receives 1 × 4 = 4."),
        (0, 11, "the ReLU is on; z receives −4 × 1 = −4."),
        (
            0,
            13,
            "w receives −4 × 2 = −8; two steps use w, so their effects add: 6 + (−8)",
        ),
        (0, 13, "Done: ∂L/∂w = −2, ∂L/∂x = −12, ∂L/∂b = −4, ∂L/∂y = 4."),
        (1, 11, "the ReLU is off and lets nothing back;"),
        (2, 11, "z is 0, at the kink, where this course takes the derivative 0;"),
        (3, 3, "a = relu(z) = relu(1.19) = 1.19."),
        (3, 5, "r = w² = (−0.7)² = 0.49."),
    ],
)
def test_each_step_is_said_in_words(js, case, step, words):
    assert words in js("stepper.js", "sentence", CASES[case], step)


def test_the_still_is_drawn_at_the_kink_too():
    figure = BackpropStepper(b=-6.0).still()
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"→ 18", "← 6", "← 0"} <= set(texts)


@pytest.mark.parametrize(
    "settings",
    [{"w": 101.0}, {"x": float("nan")}, {"b": float("inf")}, {"y": "3"}, {"step": 14}],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(traitlets.TraitError):
        BackpropStepper(**settings)
    stepper = BackpropStepper()
    [(name, value)] = settings.items()
    before = getattr(stepper, name)
    with pytest.raises(traitlets.TraitError):
        setattr(stepper, name, value)
    assert getattr(stepper, name) == before


def test_values_are_finite_at_the_ends_of_the_range():
    ends = dict.fromkeys("wxby", 100.0)
    assert np.isfinite([float(v) for v in derivatives(ends).values()]).all()
