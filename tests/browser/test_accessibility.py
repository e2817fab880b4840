"""What axe-core finds in the built book, and what a reader with a keyboard meets."""

import pytest
from book_site import ROOT, chapters, pages
from visits import SIZES, open_context, visit

AXE = ROOT / ".cache/assets/node_modules/axe-core/axe.min.js"

# Every violation in our content; of the theme's, those that shut a reader out.
RUN = """async rules => {
  const options = {resultTypes: ['violations'], preload: false, iframes: false};
  if (rules) options.runOnly = {type: 'rule', values: rules};
  const {violations} = await axe.run(document, options);
  const ours = ({target}) => document.querySelector(target[0])?.closest('article');
  return violations.flatMap(({id, impact, nodes}) => nodes
    .filter(node => ours(node) || ['serious', 'critical'].includes(impact))
    .map(({target, html}) => `${id} (${impact}) ${target}: ${html.slice(0, 200)}`));
}"""
COLOURS = ["color-contrast", "link-in-text-block"]

# Half of a chapter's elements are glyphs of formulas and a third are words of code. The
# first of each kind stays as it is; for the others their text stands. For a formula
# that is the text of its MathML, which axe does not read and a screen reader does.
THIN = """() => {
  for (const fold of document.querySelectorAll('article details')) fold.open = true;
  const seen = new Set();
  const known = key => seen.has(key) || !seen.add(key);
  for (const word of document.querySelectorAll('article pre span[class]'))
    if (known(word.className + !!word.closest('.cell_output')))
      word.replaceWith(word.textContent);
  for (const formula of document.querySelectorAll('article mjx-container'))
    if (formula.closest('th') || known('formula ' + formula.getAttribute('display')))
      formula.replaceChildren(formula.querySelector('math')?.textContent ?? '');
}"""
WINDOWS = {size: {"width": w, "height": h} for size, (w, h) in SIZES.items()}
NAMES = [name for name in pages() if name != "index"]
# The chapters, and of the other kinds one: welcome, reference, search, exercise.
KINDS = [*chapters(), "book/index", "book/api/activations", "search"]
KINDS.append(next(name for name in NAMES if "exercises" in name))
assert set(KINDS) <= set(NAMES)


@pytest.fixture(scope="module")
def context(browser):
    """Keep one profile for all pages."""
    assert AXE.is_file(), "run 'make book' first"
    context = open_context(browser, "desktop", "light")
    yield context
    context.close()


def turn(page, mode):
    """Change to light or dark and wait until no colour moves."""
    page.evaluate(f"document.documentElement.dataset.theme = '{mode}'")
    page.evaluate("Promise.all(document.getAnimations().map(a => a.finished))")


def check(context, address, name, everywhere=False):
    """Ask axe about a page in one visit: every rule for each size.

    The wide page is light and the narrow one dark, so the content is seen in both.
    Only what is on show at one size alone, which is the theme's and the same on all
    pages, needs the rules of colours `everywhere`.
    """
    page = context.new_page()
    try:
        page.set_viewport_size(WINDOWS["desktop"])
        visit(page, f"{address}{name}.html")
        page.evaluate(THIN)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        assert page.evaluate(RUN, None) == []
        turn(page, "dark")
        if everywhere:
            assert page.evaluate(RUN, COLOURS) == []
        page.set_viewport_size(WINDOWS["phone"])
        page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
        assert page.evaluate(RUN, None) == []
        if everywhere:
            turn(page, "light")
            assert page.evaluate(RUN, COLOURS) == []
    finally:
        page.close()


# Two classes, so that two workers share the pages.
class TestOneHalf:
    """Every second page."""

    @pytest.mark.parametrize("name", NAMES[::2])
    def test_axe_finds_nothing(self, context, address, name):
        """Nothing of any impact in our content, nothing serious around it."""
        check(context, address, name, everywhere=name in KINDS)


class TestTheOtherHalf:
    """The pages between."""

    @pytest.mark.parametrize("name", NAMES[1::2])
    def test_axe_finds_nothing(self, context, address, name):
        """Nothing of any impact in our content, nothing serious around it."""
        check(context, address, name, everywhere=name in KINDS)


def test_axe_would_find_something(context, address):
    page = context.new_page()
    visit(page, f"{address}book/notation.html")
    page.evaluate(
        """() => document.querySelector('article h2').insertAdjacentHTML('afterend',
             '<img src="x.png"><p style="color: #bbb; background: #fff">faint</p>')"""
    )
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(RUN, None)
    page.close()
    assert {line.split()[0] for line in found} >= {"image-alt", "color-contrast"}


# Boxes that scroll, in a window as narrow as a phone.
UNREACHABLE = """() => [...document.querySelectorAll('article *')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
    && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))
  .filter(e => e.tabIndex !== 0 || !e.getAttribute('aria-label'))
  .map(e => e.outerHTML.slice(0, 160))"""


# Stops of the Tab key that scroll nothing and do nothing.
NEEDLESS = """() => [...document.querySelectorAll('article [tabindex="0"]')]
  .filter(e => !e.closest('.alive') && e.clientWidth > 0)
  .filter(e => e.scrollWidth <= e.clientWidth + 1)
  .map(e => e.outerHTML.slice(0, 160))"""
# A formula of the running text that fits its line does not scroll.
SHORT = """() => [...document.querySelectorAll('article span.math')]
  .filter(m => m.querySelector('mjx-math').getBoundingClientRect().width
    <= m.getBoundingClientRect().width && m.scrollWidth > m.clientWidth + 1
    && getComputedStyle(m).overflowX !== 'visible')
  .map(m => m.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize("name", chapters())
def test_what_fits_is_no_stop_for_the_keyboard(context, address, name):
    page = context.new_page()
    page.set_viewport_size(WINDOWS["desktop"])
    visit(page, f"{address}{name}.html")
    # Boxes are measured in the frame after the page and its fonts are there.
    page.evaluate(
        "() => new Promise((r) => requestAnimationFrame(() => setTimeout(r, 300)))"
    )
    found = page.evaluate(NEEDLESS) + page.evaluate(SHORT)
    page.close()
    assert found == []


@pytest.mark.parametrize("name", chapters())
def test_what_scrolls_can_be_reached_and_has_a_name(context, address, name):
    page = context.new_page()
    page.set_viewport_size(WINDOWS["phone"])
    visit(page, f"{address}{name}.html")
    page.wait_for_function(
        "() => document.querySelector('article pre[aria-label^=\"Code\"]')"
    )
    found = page.evaluate(UNREACHABLE)
    page.close()
    assert found == []


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
