"""The memory explorer of the built page: networks, sliders, words and bad input."""

import re

import jax
import numpy as np
import pytest
from visits import open_context, open_figure

from lessons.widgets import MemoryExplorer
from lessons.widgets.memory import remembered

PAGE = "notebooks/08_rnn.html"


@pytest.fixture
def opened(browser, address):
    """Open the chapter with the explorer alive."""
    with open_figure(
        browser, PAGE, "[aria-label='Recurrent weights ×']", address
    ) as opened:
        yield opened


def said(figure):
    """Return the status line, its minus signs plain."""
    return figure.locator(".lw-say").inner_text().replace("−", "-")


def shares(text):
    """Return the two shares that the line tells, of the pulse and of the gradient."""
    number = r"([\d.e-]+) ?(%|times)?(?: of)? (?:its effect|the gradient)"
    units = {"%": 0.01, "": 1.0, "times": 1.0}
    return [float(n) * units[unit] for n, unit in re.findall(number, text)]


def expected(steps=60, pulse=10, **settings):
    """Return the same shares as the package computes them, in doubles as the page."""
    explorer = MemoryExplorer(**settings)
    with jax.enable_x64(True):
        params = {k: np.float64(v) for k, v in explorer.params().items()}
        inputs = np.frombuffer(explorer.inputs, "<f4").astype(float)[:steps, None]
        left, reach = remembered(explorer.network, params, inputs, pulse)
    kept, back = left[-1] / left[pulse - 1], reach[pulse - 1] / reach[-1]
    return [float(kept), float(back)]


def drag(figure, label, value):
    """Set a slider as a mouse would: at once, with its event."""
    figure.get_by_label(label, exact=True).fill(str(value))


def test_each_network_tells_the_numbers_of_the_package(opened):
    _, figure, faults = opened
    for network, label in [
        ("plain", None),
        ("lstm", "Forget bias"),
        ("gru", "Update bias"),
    ]:
        figure.get_by_label("Network", exact=True).select_option(network)
        shown = [name for name in ("Forget bias", "Update bias")
                 if figure.get_by_label(name, exact=True).is_visible()]  # fmt: skip
        assert shown == ([label] if label else [])
        # The page writes small shares with one digit.
        told, known = shares(said(figure)), expected(network=network)
        assert told == pytest.approx(known, rel=0.35)
    assert faults == []


def test_sliders_by_hand_and_by_keyboard(opened):
    page, figure, faults = opened
    drag(figure, "Recurrent weights ×", 1.5)
    assert shares(said(figure)) == pytest.approx(expected(gain=1.5), rel=0.05)
    figure.get_by_label("Network", exact=True).select_option("lstm")
    drag(figure, "Recurrent weights ×", 1)
    bias = figure.get_by_label("Forget bias", exact=True)
    bias.focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    assert bias.get_attribute("aria-valuetext") == "4"
    told = shares(said(figure))
    open_gate = expected(network="lstm", forget_bias=4.0)
    assert told == pytest.approx(open_gate, rel=0.05) and told[0] > 0.1
    figure.get_by_label("Pulse at step", exact=True).focus()
    page.keyboard.press("End")
    assert said(figure).startswith("The pulse comes at the last step")
    assert faults == []


def test_fewer_steps_than_the_pulse_and_numbers_beyond_float32(opened):
    _, figure, faults = opened
    drag(figure, "Pulse at step", 50)
    drag(figure, "Steps", 5)
    assert said(figure).startswith("The pulse comes at the last step")
    drag(figure, "Steps", 100)
    drag(figure, "Pulse at step", 1)
    drag(figure, "Recurrent weights ×", 0.2)
    line = said(figure)
    assert "nothing of its effect is left" in line and "such a number is 0" in line
    for chart in figure.locator("svg[role=img]").all():
        assert "plain network: the" in chart.get_attribute("aria-label")
        for path in chart.locator(".lw-curve").all():
            assert re.fullmatch(r"[ML\d. -]+", path.get_attribute("d"))
    assert faults == []


def test_without_scripts_the_still_stands(browser, address):
    context = open_context(browser, "phone", "light", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{PAGE}", wait_until="load")
    still = page.locator(".alive-still img[alt*='fresh']")
    assert still.is_visible() and "LSTM" in still.get_attribute("alt")
    context.close()
