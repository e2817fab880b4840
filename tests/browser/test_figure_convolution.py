"""The convolution explorer of the built page: settings, window, output, bad input."""

import numpy as np
import pytest
from visits import open_context, visit, wake, watch

from lessons.widgets import ConvolutionExplorer

PAGE = "notebooks/07_cnn.html"


@pytest.fixture(scope="module")
def opened(browser, address):
    """Open the chapter with both explorers alive."""
    context = open_context(browser, "desktop", "light")
    page = context.new_page()
    faults = watch(page, address)
    visit(page, f"{address}{PAGE}")
    for box in page.locator(".alive").all():
        wake(page, box)
    figures = page.locator(".lw:has(.lw-products)")
    assert figures.count() == 2
    yield page, figures, faults
    context.close()


def choose(figure, label, option):
    """Choose an option of one of the figure's selects."""
    figure.get_by_role("combobox", name=label).select_option(option)


def cells(figure, name):
    """Return the numbers of one of the tables."""
    rows = figure.get_by_role("table", name=name).locator("tr")
    return [
        [
            float(text.replace("−", "-"))
            for text in rows.nth(k).locator("td").all_inner_texts()
        ]
        for k in range(rows.count())
    ]


def said(figure):
    """Return the status line."""
    return figure.locator(".lw-say").inner_text()


def test_steps_fill_the_output_with_the_packages_numbers(opened):
    _, figures, faults = opened
    figure = figures.first
    choose(figure, "Padding", "1")
    out = np.asarray(ConvolutionExplorer(padding=1).output())
    for place in range(out.size):
        row, column = divmod(place, out.shape[1])
        value = int(out[row, column])
        text = said(figure).replace("−", "-")
        start = f"Row {row}, column {column}: the products add up to {value}. "
        assert text.startswith(start)
        assert np.sum(cells(figure, "Products")) == value
        figure.get_by_role("button", name="Step").click()
    assert f"All {out.size} places are filled." in said(figure)
    assert "⌊(4 + 2 · 1 − 1 · (2 − 1) − 1) / 1⌋ + 1 = 5" in figure.inner_text()
    assert faults == []


def test_settings_change_the_size_and_the_output(opened):
    _, figures, faults = opened
    figure = figures.first
    choose(figure, "Image", "slash, 7 x 7")
    choose(figure, "Kernel", "3 x 3, blur")
    for stride, padding, dilation in [(1, 0, 1), (2, 1, 1), (3, 2, 2)]:
        for name, value in [
            ("Stride", stride),
            ("Padding", padding),
            ("Dilation", dilation),
        ]:
            choose(figure, name, str(value))
        python = ConvolutionExplorer(
            picture="slash, 7 x 7", kernel=[[1 / 9] * 3] * 3,
            stride=stride, padding=padding, dilation=dilation,
        )  # fmt: skip
        out = np.asarray(python.output())
        figure.get_by_role("button", name="Fill all").click()
        label = figure.locator(".lw-out canvas").get_attribute("aria-label")
        assert (
            f"Output, {out.shape[0]} by {out.shape[1]}, {out.size} of {out.size}"
            in label
        )
        assert label.endswith(f"to {float(f'{out.max():.3g}'):g}")
    assert faults == []


def test_arrow_keys_and_clicks_move_the_window(opened):
    page, figures, faults = opened
    figure = figures.first
    for name, value in [("Stride", "1"), ("Padding", "0"), ("Dilation", "1")]:
        choose(figure, name, value)
    output = figure.get_by_role("application", name="Output")
    output.focus()
    for key in (
        "ArrowRight",
        "ArrowRight",
        "ArrowDown",
        "ArrowLeft",
        "ArrowUp",
        "ArrowUp",
    ):
        page.keyboard.press(key)
    assert said(figure).startswith("Row 0, column 1: ")
    output.locator("canvas").click()
    assert said(figure).startswith("Row 2, column 2: ")
    assert cells(figure, "Pixels under the window") == np.eye(3).tolist()
    assert faults == []


def test_play_fills_every_place(opened):
    _, figures, faults = opened
    figure = figures.first
    figure.get_by_role("button", name="Start over").click()
    assert "1 of 25 places" in said(figure)
    figure.get_by_role("button", name="Play").click()
    figure.get_by_role("button", name="Pause").click()
    assert "of 25 places" in said(figure)
    choose(figure, "Image", "dark half, 4 x 4")
    figure.get_by_role("button", name="Play").click()
    figure.locator(".lw-say", has_text="All 4 places are filled.").wait_for()
    assert figure.get_by_role("button", name="Play").is_visible()
    assert faults == []


def test_bad_input_is_said_and_the_figure_stays_usable(opened):
    _, figures, faults = opened
    figure = figures.first
    field = figure.get_by_role("spinbutton", name="Kernel, row 1, column 1")
    field.fill("1e6")
    field.press("Tab")
    assert "must be a number from −100 to 100".replace("−", "-") in said(figure)
    assert field.get_attribute("aria-invalid") == "true"
    choose(figure, "Kernel", "2 x 2, change to the right")
    field.fill("5")
    field.press("Tab")
    products = np.array(cells(figure, "Pixels under the window")) * [[5, 1], [-1, 1]]
    assert cells(figure, "Products") == products.tolist()
    kernel = figure.get_by_role("combobox", name="Kernel").locator("option:checked")
    assert kernel.inner_text() == "your own numbers"
    choose(figure, "Kernel", "3 x 3, blur")
    choose(figure, "Dilation", "2")
    assert "reaches over 5 pixels, and the image with its padding has 4." in said(
        figure
    )
    for name in ("Step", "Fill all", "Play"):
        figure.get_by_role("button", name=name).click()
    assert "reaches over 5 pixels" in said(figure)
    choose(figure, "Padding", "1")
    assert "1 of 4 places are filled." in said(figure)
    assert faults == []


def test_learned_kernels_on_a_held_out_digit(opened):
    _, figures, faults = opened
    figure = figures.nth(1)
    figure.get_by_role("button", name="Fill all").click()
    assert "All 576 places are filled." in said(figure)
    image = figure.get_by_role("combobox", name="Image").locator("option:checked")
    assert image.inner_text().startswith("a held-out ")
    options = figure.get_by_role("combobox", name="Kernel").locator("option")
    learned = [text for text in options.all_inner_texts() if "learned" in text]
    assert learned == [f"5 x 5, learned {k}" for k in range(6)]
    figure.locator(".lw-out canvas").click()
    sum_ = np.sum(cells(figure, "Products"))
    words = (
        said(figure).replace("−", "-").split("add up to ")[1].split(" ")[0].rstrip(".")
    )
    # Twenty-five products, each rounded to two decimals.
    assert float(words) == pytest.approx(sum_, abs=25 * 0.005 + 0.001)
    assert faults == []
