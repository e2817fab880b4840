"""The optimizer race of the built page: runs, start, rates, divergence, bad input."""

import pytest
from visits import open_figure

from lessons.widgets import race

PAGE = "notebooks/04_training_loop.html"
SPOKEN = {"sgd": "SGD", "momentum": "momentum", "rmsprop": "RMSProp"}
SPOKEN |= {"adam": "Adam", "adamw": "AdamW"}
FLOORS = {"bowl": 0.0, "saddle": -1.0}


@pytest.fixture
def opened(browser, address):
    """Open the chapter with the race alive."""
    with open_figure(browser, PAGE, ".lw-lanes", address) as opened:
        yield opened


def said(figure):
    """Return the status line, its minus signs plain."""
    return figure.locator(".lw-say").inner_text().replace("−", "-")


def heights(figure):
    """Return the heights that the boxes of the rules show."""
    notes = figure.locator(".lw-note").all_inner_texts()
    return [float(n.replace("−", "-").removeprefix("height ")) for n in notes]


def expected(surface, steps, start=None):
    """Compute the same heights with the package."""
    preset = race.PRESETS[surface]
    found = []
    for rule, rate in preset["rates"].items():
        path = race.descend(surface, rule, rate, start or preset["start"], steps)
        found.append(float(race.SURFACES[surface](path[-1])) - FLOORS[surface])
    return found


def test_a_run_ends_where_the_package_ends(opened):
    _, figure, faults = opened
    figure.get_by_role("button", name="Run").click()
    figure.locator(".lw-say").filter(has_text="After 60 steps").wait_for()
    near = pytest.approx(expected("bowl", 60), rel=6e-3, abs=1e-6)
    assert heights(figure) == near
    assert all(f"{name} " in said(figure) for name in SPOKEN.values())
    assert "60 steps drawn" in figure.get_by_role("img").first.get_attribute(
        "aria-label"
    )
    figure.get_by_role("button", name="Reset").click()
    assert said(figure).startswith("At the start.")
    assert heights(figure) == pytest.approx([20.5] * 5)
    assert faults == []


def test_steps_on_another_surface(opened):
    _, figure, faults = opened
    figure.get_by_label("Surface", exact=True).select_option("saddle")
    for _ in range(3):
        figure.get_by_role("button", name="Step").click()
    assert said(figure).startswith("After 3 steps")
    assert heights(figure) == pytest.approx(expected("saddle", 3), rel=6e-3)
    assert faults == []


def test_the_start_moves_by_click_and_by_keyboard(opened):
    page, figure, faults = opened
    plane = figure.get_by_label("Map. The arrow keys")
    plane.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    # A fortieth of the map each: from (-4, 1) to (-3.75, 0.875).
    height = float(race.bowl([-3.75, 0.875]))
    assert heights(figure) == pytest.approx([height] * 5, rel=6e-3)
    figure.get_by_role("button", name="Step").click()
    near = pytest.approx(expected("bowl", 1, [-3.75, 0.875]), rel=6e-3)
    assert heights(figure) == near
    before = heights(figure)
    plane.click(position={"x": 200, "y": 60})
    assert heights(figure) != before
    assert "Start at w0 −3.75" not in plane.locator("svg").get_attribute("aria-label")
    assert faults == []


def test_divergence_is_said_and_bad_input_is_refused(opened):
    _, figure, faults = opened
    field = figure.get_by_label("SGD, rate")
    field.fill("0.1")
    field.press("Enter")
    figure.get_by_role("button", name="Run").click()
    figure.locator(".lw-say").filter(has_text="SGD diverged at step 18").wait_for()
    assert figure.locator(".lw-note").first.inner_text() == "diverged at step 18"
    shared = figure.get_by_label("One rate for all", exact=True)
    shared.fill("100")
    shared.press("Enter")
    assert [f.input_value() for f in figure.locator(".lw-lane input").all()] == [
        "100"
    ] * 5
    for label, value, words in [
        ("SGD, rate", "1e6", "must be a number from 0.000001 to 100"),
        ("Steps", "0", "must be a whole number from 1 to 500"),
        ("One rate for all", "", "must be a number from 0.000001 to 100"),
    ]:
        box = figure.get_by_label(label, exact=True)
        box.fill(value)
        box.press("Enter")
        assert said(figure).startswith(f"{label} {words}, got ")
    figure.get_by_label("Surface", exact=True).select_option("bowl")
    assert said(figure).startswith("At the start.")
    assert faults == []


def test_without_scripts_the_still_is_seen(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{PAGE}")
    assert page.locator(".alive-still img").first.is_visible()
    context.close()
