"""The attention explorer of the built page: typing, words, heads and bad input."""

import re

import pytest
from visits import open_context, open_figure

PAGE = "notebooks/09c_classification.html"
FIGURE = "[aria-label^='Words']"


@pytest.fixture
def opened(browser, address):
    """Open the chapter with the explorer alive."""
    with open_figure(browser, PAGE, FIGURE, address) as opened:
        yield opened


def number(text):
    """Read a number with a true minus sign."""
    return float(text.replace("−", "-"))


def words(figure):
    """Return the words and what each position adds."""
    buttons = figure.locator(".lw-word")
    names = buttons.locator("span").all_text_contents()
    return names, [number(b.locator("small").last.inner_text()) for b in buttons.all()]


def say(figure, text):
    """Wait until the status line holds a text; return it all."""
    line = figure.locator(".lw-say").filter(has_text=text)
    line.wait_for()
    return line.inner_text()


def logits_apart(figure):
    """Return the bias and the difference that the page tells below the words."""
    text = figure.locator(".lw-key").first.inner_text()
    return [number(n) for n in re.findall(r"[+−]\d+(?:\.\d+)?(?:e−?\d+)?", text)]


def percents(figure, head):
    """Return the attention that the strip of a head shows, in per cent."""
    strip = figure.locator(".lw-head-map").nth(head).locator(".lw-strip li small")
    found = [re.findall(r"\d+", text) for text in strip.all_text_contents()]
    return [int(digits[0]) if digits else 0 for digits in found]


def test_a_typed_sentence_is_read(opened):
    _, figure, faults = opened
    field = figure.get_by_label("Sentence", exact=True)
    field.fill("")
    say(figure, "There is no word to read")
    field.press_sequentially("Enjoyable, and funny!")
    # On a busy machine the figure may speak before the last letter is typed.
    figure.locator(".lw-word").nth(4).wait_for()
    names, shares = words(figure)
    assert names == ["enjoyable", ",", "and", "funny", "!"]
    bias, difference = logits_apart(figure)
    assert sum(shares) + bias == pytest.approx(difference, abs=0.04)
    shown = figure.locator(".lw-verdict").inner_text()
    say(figure, f"The model answers {shown}")
    assert shown.startswith("praise" if difference > 0 else "blame")
    assert figure.locator(".lw-map").first.locator(".lw-cell").count() == 25
    assert faults == []


def test_words_look_by_mouse_and_by_keyboard(opened):
    page, figure, faults = opened
    figure.get_by_label("Sentence", exact=True).fill("not dull but too long")
    say(figure, "The model answers")
    figure.locator(".lw-word").nth(1).hover()
    captions = figure.locator(".lw-head-map > .lw-note")
    assert all(t.startswith("“dull” looks at:") for t in captions.all_text_contents())
    for head in range(captions.count()):
        # Shares under 4.5 % are not written.
        assert 80 <= sum(percents(figure, head)) <= 102
    figure.locator(".lw-word").nth(1).focus()
    page.keyboard.press("End")
    assert captions.first.inner_text().startswith("“long” looks at:")
    page.keyboard.press("ArrowLeft")
    assert captions.first.inner_text().startswith("“too” looks at:")
    pressed = figure.locator(".lw-word[aria-pressed=true] > span")
    assert pressed.all_text_contents() == ["too"]
    # The cell in the first row and the last column of the map.
    box = figure.locator(".lw-map").first.locator(".lw-cell").nth(4).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert captions.first.inner_text().startswith("“not” looks at:")
    assert faults == []


def test_examples_are_held_out_ones_right_and_wrong(opened):
    _, figure, faults = opened
    list_ = figure.get_by_label("Example sentences, held out")
    options = list_.locator("option").all_text_contents()[1:]
    assert any("read rightly" in o for o in options)
    assert any("read wrongly" in o for o in options)
    for value, option in enumerate(options):
        list_.select_option(str(value))
        label, read = re.search(r"\((\w+), read (\w+)\)$", option).groups()
        answer = figure.locator(".lw-verdict").inner_text().split()[0]
        assert (answer == label) == (read == "rightly")
    assert faults == []


def test_bad_input_is_said_and_the_figure_stays_usable(opened):
    page, figure, faults = opened
    field = figure.get_by_label("Sentence", exact=True)
    field.fill("   ")
    say(figure, "There is no word to read")
    assert not figure.locator(".lw-map").first.is_visible()
    field.fill("qqqq xxqx zzzz")
    say(figure, "None of these words is known")
    assert figure.locator(".lw-word small:text('unknown')").count() == 3
    field.fill("funny " * 1700)
    assert "reads 40 words" in say(figure, "1,660 are cut off")
    assert figure.locator(".lw-word").count() == 40
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    field.fill("x" * 10_000)
    say(figure, "None of these words is known")
    field.fill("funny")
    say(figure, "The model answers")
    assert words(figure)[0] == ["funny"]
    assert faults == []


def test_on_a_phone_without_scripts_the_still_stands(browser, address):
    context = open_context(browser, "phone", "light", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{PAGE}", wait_until="load")
    still = page.locator(".alive-still img[alt*='both heads']")
    assert still.is_visible()
    context.close()
