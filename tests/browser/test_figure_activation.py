"""The activation explorer of the built page: functions, x, gain, new weights."""

import re

import jax.numpy as jnp
import pytest
from visits import open_figure

from lessons import activations

PAGE = "notebooks/01_activations.html"
TITLE = "text=Activation explorer"


@pytest.fixture
def opened(browser, address):
    """Open the chapter with the explorer alive."""
    with open_figure(browser, PAGE, TITLE, address) as opened:
        yield opened


def numbers(figure):
    """Return the status line's numbers: x, value, derivative, signal, gradient."""
    text = figure.locator(".lw-say").inner_text().replace("−", "-")
    pattern = r"\(([^)]+)\) = (\S+), derivative (\S+)\. After 50 layers the signal is "
    pattern += r"(\S+), and of a gradient of 1 at the end (\S+) reaches"
    return [float(v) for v in re.search(pattern, text).groups()]


def test_value_and_derivative_are_those_of_the_package(opened):
    page, figure, faults = opened
    slider = figure.get_by_label("x", exact=True)
    for name in ("sigmoid", "tanh", "relu", "gelu"):
        figure.get_by_label("Function").select_option(name)
        slider.focus()
        page.keyboard.press("ArrowRight")
        x, value, slope, *_ = numbers(figure)
        at = jnp.float32(x)
        assert value == pytest.approx(float(getattr(activations, name)(at)), rel=1e-3)
        expected = float(getattr(activations, f"{name}_grad")(at))
        assert slope == pytest.approx(expected, rel=1e-3)
    assert x == pytest.approx(1.4), "each key press moved x by a tenth"
    assert faults == []


def test_the_gain_decides_whether_a_signal_fades(opened):
    page, figure, faults = opened
    figure.get_by_label("Function").select_option("relu")
    gain = figure.get_by_role("slider", name="Weights, standard")
    gain.focus()
    ends = []
    for key in ("Home", "End"):
        page.keyboard.press(key)
        ends.append(numbers(figure)[3])
    # Each ReLU layer multiplies the size by gain / √2: by 0.14, or by 2.1.
    assert ends[0] < 1e-20 and ends[1] > 1e10
    before = numbers(figure)
    figure.get_by_role("button", name="Draw new weights").click()
    assert numbers(figure)[:3] == before[:3] and numbers(figure)[3] != before[3]
    assert faults == []


def test_without_scripts_the_still_is_seen(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{PAGE}")
    assert page.locator(".alive-still img").first.is_visible()
    context.close()
