"""The playground of the built page: training by hand, bad input, divergence."""

import functools
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from visits import open_figure

from lessons import dnn, losses
from lessons.widgets import playground

PAGE = "notebooks/03_dnn.html"


@pytest.fixture
def opened(browser, address):
    """Open the chapter with the playground alive."""
    with open_figure(browser, PAGE, ".lw-wide canvas", address) as opened:
        yield opened


def said(figure):
    """Return the status line."""
    return figure.locator(".lw-say").inner_text()


def fill(figure, label, value):
    """Type a number and confirm it."""
    field = figure.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")


def told(figure):
    """Return training loss, held-out loss and accuracy of the status line."""
    words = said(figure).replace("\u00a0", " ").replace("−", "-").split()
    at = words.index("is")
    losses_told = [words[at + 1], words[words.index("points,") + 1]]
    share = words[words.index("%") - 1]
    return [float(v) for v in (*losses_told, share)]


def tree(theta, sizes):
    """Cut the page's one array of parameters into layers."""
    layers, place = [], 0
    for n_in, n_out in pairwise(sizes):
        end = place + n_in * n_out
        w = jnp.asarray(theta[place:end]).reshape(n_in, n_out)
        layers.append({"w": w, "b": jnp.asarray(theta[end : end + n_out])})
        place = end + n_out
    return layers


def mean_loss(params, x, y):
    """Mean loss of the ReLU network."""
    return losses.binary_cross_entropy(dnn.mlp(params, x)[:, 0], y).mean()


@functools.cache
def linear_xor(steps):
    """Train logistic regression on xor from zeros, whole batches, with the package."""
    (x, y), (x_held_out, y_held_out) = playground.task_points("xor")
    params = tree(np.zeros(3, np.float32), [2, 1])

    @jax.jit
    def step(params):
        grads = jax.grad(mean_loss)(params, x, y)
        return jax.tree.map(lambda p, g: p - 0.5 * g, params, grads)

    for _ in range(steps):
        params = step(params)
    return float(mean_loss(params, x, y)), float(
        mean_loss(params, x_held_out, y_held_out)
    )


def test_a_linear_model_ends_at_chance_and_a_network_does_not(opened):
    _, figure, faults = opened
    fill(figure, "Batch size", 400)
    fill(figure, "Learning rate", 0.5)
    figure.get_by_role("button", name="Epoch").click()
    assert said(figure).startswith("After 1 step ")
    fill(figure, "Hidden layers", 0)
    assert said(figure).startswith("After 0 steps ")
    # The loss of a line is convex: from any start it comes to the package's minimum.
    for _ in range(60):
        figure.get_by_role("button", name="Step", exact=True).click()
    training, held_out, share = told(figure)
    assert said(figure).startswith("After 60 steps ")
    expected = linear_xor(400)
    assert training == pytest.approx(expected[0], abs=0.01)
    assert held_out == pytest.approx(expected[1], abs=0.02)
    assert share < 75
    assert faults == []


def test_running_solves_xor_and_pauses_by_keyboard(opened):
    page, figure, faults = opened
    button = figure.get_by_role("button", name="Run")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        """f => Number(/accuracy ([\\d.]+)/.exec(f.textContent)?.[1]) > 93""",
        arg=figure.element_handle(),
    )
    page.keyboard.press("Enter")
    training, held_out, share = told(figure)
    assert max(training, held_out) < 0.5 and share > 90
    drawn = figure.get_by_role("img", name="Task xor: the points and")
    assert said(figure).split(";")[0] in drawn.get_attribute("aria-label")
    assert faults == []


def test_every_task_and_setting_can_be_chosen(opened):
    _, figure, faults = opened
    for task in playground.TASKS:
        figure.get_by_label("Task", exact=True).select_option(task)
        for rule in playground.OPTIMIZERS:
            figure.get_by_label("Optimizer").select_option(rule)
            figure.get_by_role("button", name="Step", exact=True).click()
        assert said(figure).startswith("After 5 steps ")
    for start in reversed(playground.STARTS):
        figure.get_by_label("Weights at the start").select_option(start)
        assert said(figure).startswith("After 0 steps ")
    assert faults == []


def test_a_hidden_unit_is_shown_by_keyboard(opened):
    _, figure, faults = opened
    plane = figure.locator("canvas").first
    picture = "c => c.toDataURL()"
    before = plane.evaluate(picture)
    menu = figure.get_by_label("Show the surface of")
    menu.select_option("1.3")
    figure.page.wait_for_function(
        "([c, old]) => c.toDataURL() !== old", arg=[plane.element_handle(), before]
    )
    fill(figure, "Hidden layers", 2)
    assert menu.locator("option").count() == 1 + 2 * 8
    assert menu.input_value() == ""
    assert faults == []


def test_divergence_is_said_and_bad_input_is_refused(opened):
    _, figure, faults = opened
    fill(figure, "Hidden layers", 4)
    fill(figure, "Learning rate", 100)
    figure.get_by_role("button", name="Run").click()
    line = figure.locator(".lw-say")
    line.filter(has_text="Diverged at step").wait_for()
    assert figure.get_by_role("button", name="Run").is_visible()
    for label, value, words in [
        ("Learning rate", "1e6", "must be a number from 0.000001 to 100"),
        ("Units in each", "0", "must be a whole number from 1 to 16"),
        ("Hidden layers", "1.5", "must be a whole number from 0 to 4"),
        ("Batch size", "", "must be a whole number from 1 to 400"),
    ]:
        fill(figure, label, value)
        assert said(figure).startswith(f"{label} {words}, got ")
    fill(figure, "Learning rate", 0.1)
    figure.get_by_role("button", name="Step", exact=True).click()
    assert said(figure).startswith("After 1 step ")
    assert faults == []


def test_without_scripts_the_still_is_seen(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{PAGE}")
    assert page.locator(".alive-still img").first.is_visible()
    context.close()
