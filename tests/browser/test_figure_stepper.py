"""The backprop stepper of the built page: steps by mouse and keyboard, bad input."""

import pytest
from visits import open_figure

from lessons.widgets.stepper import derivatives, forward

PAGE = "notebooks/02_backprop.html"
INPUTS = {"w": 3.0, "x": 2.0, "b": -5.0, "y": 3.0}


@pytest.fixture
def opened(browser, address):
    """Open the chapter with the stepper alive."""
    with open_figure(browser, PAGE, ".lw-card", address) as opened:
        yield opened


def said(figure):
    """Return the status line, its minus signs plain."""
    return figure.locator(".lw-say").inner_text().replace("−", "-")


def numbers(figure, kind):
    """Return what the nodes show: {name: number} of values (→) or derivatives (←)."""
    found = {}
    for card in figure.locator(".lw-card").all():
        title, *lines = card.locator("text").all_text_contents()
        for line in lines:
            if line.startswith(kind):
                found[title.split(" =")[0]] = float(line[1:].replace("−", "-"))
    return found


def test_steps_by_mouse_show_the_numbers_of_the_package(opened):
    _, figure, faults = opened
    assert numbers(figure, "→") == INPUTS
    values, slopes = forward(INPUTS), derivatives(INPUTS)
    for name in "uzasrL":
        figure.get_by_role("button", name="Forward step").click()
        assert numbers(figure, "→")[name] == pytest.approx(float(values[name]))
        assert said(figure).startswith(f"{name} = ")
    assert figure.get_by_role("button", name="Forward step").is_disabled()
    for _ in range(7):
        figure.get_by_role("button", name="Backward step").click()
    shown = numbers(figure, "←")
    assert shown == pytest.approx({name: float(v) for name, v in slopes.items()})
    end = "Done: ∂L/∂w = -2, ∂L/∂x = -12, ∂L/∂b = -4, ∂L/∂y = 4."
    assert said(figure).endswith(end)
    figure.get_by_role("button", name="Reset").click()
    assert numbers(figure, "→") == INPUTS and numbers(figure, "←") == {}
    assert faults == []


def test_steps_by_keyboard_and_local_derivatives_on_the_edges(opened):
    page, figure, faults = opened
    figure.get_by_label("Graph. Right arrow").focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    # After r = w² one of w's two users has paid in.
    assert "w receives 1 × 6 = 6" in said(figure)
    assert figure.locator(".lw-local + text").all_text_contents() == ["× 6"]
    assert figure.locator(".lw-open").count() == 1
    page.keyboard.press("ArrowLeft")
    assert "w" not in numbers(figure, "←")
    page.keyboard.press("End")
    assert numbers(figure, "←")["w"] == -2
    page.keyboard.press("Home")
    assert numbers(figure, "←") == {}
    assert faults == []


def test_inputs_are_edited_and_bad_ones_refused(opened):
    _, figure, faults = opened
    figure.get_by_role("button", name="Run all").click()
    field = figure.get_by_label("b", exact=True)
    field.fill("-7")
    field.press("Enter")
    slopes = derivatives(INPUTS | {"b": -7.0})
    shown = numbers(figure, "←")
    assert shown == pytest.approx({name: float(v) for name, v in slopes.items()})
    assert shown["x"] == 0 and shown["w"] == 6
    for typed, got in [("", "nothing that is a number"), ("1e6", "1000000")]:
        field.fill(typed)
        field.press("Enter")
        assert said(figure).startswith("b must be a number from -100 to 100, got ")
        assert said(figure).endswith(f"got {got if typed == '' else typed}; -7 stays.")
    assert numbers(figure, "→")["b"] == -7
    figure.get_by_role("button", name="Reset").click()
    assert said(figure).startswith("The inputs are set.")
    assert faults == []


def test_without_scripts_the_still_is_seen(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{PAGE}")
    assert page.locator(".alive-still img").first.is_visible()
    context.close()
