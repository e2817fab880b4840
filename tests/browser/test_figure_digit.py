"""Digits drawn in the built page are read by LeNet, by mouse, finger and keyboard."""

import base64
import json

import numpy as np
import pytest
from handwriting import DIGITS
from visits import bring_alive, open_context, visit, watch

from lessons import cnn
from lessons.widgets.digit import SHAPES

PAGE = "notebooks/07_cnn.html"


def open_pad(page, address):
    """Open the chapter and scroll to the pad until it lives."""
    visit(page, f"{address}{PAGE}")
    return bring_alive(page, ".lw-pad").locator(".lw")


@pytest.fixture(scope="module")
def opened(browser, address):
    """Open the page once, and collect its faults."""
    context = open_context(browser, "desktop", "light")
    page = context.new_page()
    faults = watch(page, address)
    yield page, open_pad(page, address), faults
    context.close()


def draw(page, figure, strokes):
    """Draw strokes with the mouse."""
    pad = figure.locator(".lw-pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for stroke in strokes:
        points = [
            (box["x"] + x * box["width"], box["y"] + y * box["height"])
            for x, y in stroke
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def said(figure):
    """Return the answer in words."""
    return figure.locator(".lw-say").inner_text()


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_drawn_stroke_by_stroke_is_recognised(opened, digit):
    page, figure, faults = opened
    figure.get_by_role("button", name="Clear").click()
    assert said(figure) == "Draw a digit."
    # One way of writing each; the others are read in tests/widgets/test_digit.py.
    strokes = next(iter(DIGITS[digit].values()))
    draw(page, figure, strokes)
    article = "an" if digit == 8 else "a"
    assert f"LeNet reads {article} {digit} (" in said(figure)
    assert figure.locator(".lw-first .lw-bar-name").inner_text() == str(digit)
    for _ in strokes:
        figure.get_by_role("button", name="Undo").click()
    assert said(figure) == "Draw a digit."
    assert figure.locator(".lw-first").count() == 0
    assert faults == []


def test_the_answer_is_the_packages(opened, address):
    page, figure, faults = opened
    state = page.request.get(
        figure.evaluate(
            "f => f.closest('.alive').dataset.state"
            ".replace(/^/, new URL('.', location))"
        )
    )
    entry = json.loads(state.text().split(", ", 1)[1].rsplit(")", 1)[0])
    raw = {b["path"][0]: base64.b64decode(b["data"]) for b in entry["buffers"]}
    params, place = {}, 0
    numbers = np.frombuffer(raw["weights"], "<f4")
    for name, layer in SHAPES.items():
        params[name] = {}
        for kind, shape in layer.items():
            size = int(np.prod(shape))
            params[name][kind] = numbers[place : place + size].reshape(shape)
            place += size
    labels = entry["state"]["labels"]
    images = np.frombuffer(raw["examples"], np.uint8).reshape(-1, 28, 28, 1) / 255
    logits = np.asarray(cnn.lenet(params, images.astype(np.float32)), float)
    answers = logits.argmax(axis=1)
    figure.get_by_role("button", name="Clear").click()
    right = [k for k in range(len(labels)) if answers[k] == labels[k]]
    missed = [k for k in range(len(labels)) if answers[k] != labels[k]]
    assert len(right) == 10 and len(missed) >= 5
    for button, k, end in [
        ("Show a held-out digit", right[0], "That is right."),
        ("Show a misread one", missed[0], "It misreads this digit."),
    ]:
        figure.get_by_role("button", name=button).click()
        assert f"the label {labels[k]}. " in said(figure) and said(figure).endswith(end)
        chances = np.exp(logits[k] - logits[k].max())
        chances = 100 * chances / chances.sum()
        shown = figure.locator(".lw-bar-value").all_inner_texts()
        for text, expected in zip(shown, chances, strict=True):
            if text == "> 99.9 %":
                assert expected > 99.9
            else:
                assert float(text.strip(" %")) == pytest.approx(expected, abs=0.06)
    assert faults == []


def test_a_digit_drawn_with_the_keyboard(opened):
    page, figure, faults = opened
    figure.get_by_role("button", name="Clear").click()
    pad = figure.get_by_role("application", name="Drawing pad")
    pad.focus()
    for key, times in [
        ("ArrowLeft", 7), ("ArrowUp", 3), ("Space", 1), ("ArrowRight", 14),
        ("End", 7), ("ArrowDown", 11), ("Space", 1),
    ]:  # fmt: skip
        for _ in range(times):
            page.keyboard.press(key)
    assert "LeNet reads a 7 (" in said(figure)
    page.keyboard.press("Backspace")
    assert said(figure) == "Draw a digit."
    page.keyboard.press("Delete")
    assert "Pen up" in figure.locator(".lw-pad-side .lw-note").first.inner_text()
    assert faults == []


def test_a_map_tells_what_its_pixel_sees(opened):
    page, figure, faults = opened
    draw(page, figure, DIGITS[3]["round"])
    strip = figure.get_by_role("application", name="Sixteen maps")
    strip.focus()
    page.keyboard.press("PageDown")
    line = figure.locator(".lw-looking")
    assert "Second convolution, map 2, row 5, column 5: " in line.inner_text()
    assert "rows 8 to 21 and columns 8 to 21" in line.inner_text()
    assert figure.locator(".lw-seen .lw-window").count() == 1
    for _ in range(12):
        page.keyboard.press("ArrowUp")
    assert "row 0, column 5" in line.inner_text()
    assert "rows 0 to 11" in line.inner_text()
    first = figure.get_by_role("application", name="Six maps").locator("canvas").first
    box = first.bounding_box()
    first.hover(position={"x": 15.5 / 28 * box["width"], "y": 3.5 / 28 * box["height"]})
    assert "First convolution, map 1, row 3, column 15" in line.inner_text()
    figure.get_by_role("button", name="Clear").focus()
    assert figure.locator(".lw-window").count() == 0
    assert faults == []


def test_strokes_that_leave_the_pad_and_a_dot(opened):
    page, figure, faults = opened
    figure.get_by_role("button", name="Clear").click()
    draw(page, figure, [[(0.5, 0.2), (0.5, 0.6), (0.5, 1.6), (1.4, 1.2)]])
    assert said(figure).startswith("LeNet ")
    figure.get_by_role("button", name="Clear").click()
    draw(page, figure, [[(0.5, 0.5)]])
    assert said(figure).startswith("LeNet ")
    for _ in range(3):
        figure.get_by_role("button", name="Undo").click()
    assert said(figure) == "Draw a digit."
    assert faults == []


def test_a_finger_draws_on_a_phone(browser, address):
    context = open_context(browser, "phone", "dark", has_touch=True, is_mobile=True)
    page = context.new_page()
    faults = watch(page, address)
    figure = open_pad(page, address)
    pad = figure.locator(".lw-pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    session = context.new_cdp_session(page)
    points = [
        {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
        for x, y in DIGITS[2]["sharp"][0]
    ]
    send = session.send
    for kind, at in [("touchStart", points[:1]), *(("touchMove", [p]) for p in points)]:
        send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
    send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function(
        "f => f.querySelector('.lw-say').textContent.includes('LeNet reads a 2 (')",
        arg=figure.element_handle(),
    )
    wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    context.close()
    assert wide <= 0
    assert faults == []


def test_without_scripts_a_picture_stands_in(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{PAGE}")
    pictures = page.locator(".alive-still img")
    seen = [pictures.nth(k).is_visible() for k in range(pictures.count())]
    words = [pictures.nth(k).get_attribute("alt") for k in range(pictures.count())]
    context.close()
    assert len(seen) >= 3 and all(seen)
    assert any("a bar for each of the ten digits" in alt for alt in words)
