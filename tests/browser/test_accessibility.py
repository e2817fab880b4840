"""What a reader with a keyboard meets in the built book."""

import pytest
from visits import open_context, visit


@pytest.fixture(scope="module")
def context(browser):
    """Keep one profile for the tests that change nothing in it."""
    context = open_context(browser, "desktop", "light")
    yield context
    context.close()


def test_the_first_key_leads_past_the_navigation(context, address):
    page = context.new_page()
    visit(page, f"{address}notebooks/01_activations.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main-content"
    page.close()


def test_a_fold_opens_by_keyboard(context, address):
    page = context.new_page()
    visit(page, f"{address}notebooks/01_activations.html")
    fold = page.locator("article details:not(.setup)").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("fold => fold.open")
    page.close()


def test_copy_buttons_have_a_name_and_copy_the_code(browser, address):
    context = open_context(
        browser, "desktop", "light", permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    visit(page, f"{address}notebooks/01_activations.html")
    block = page.locator("article .cell_input:has(.copybtn):visible").first
    code = block.locator("pre").inner_text()
    block.hover()
    button = block.get_by_role("button", name="Copy")
    button.click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.length)")
    copied = page.evaluate("navigator.clipboard.readText()")
    context.close()
    assert copied.strip() == code.strip() != ""
