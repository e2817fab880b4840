"""Every page of the built book in a real browser: desktop and phone, light and dark.

A page is opened once for each size, and all tests of that size look at it.
With SCREENSHOTS=1 the run also keeps what each page looks like, which takes twice as
long.
"""

import os
from typing import NamedTuple

import pytest
from book_site import ROOT, chapters, pages
from visits import open_context, turn, visit, wake, watch

AXE = ROOT / ".cache/assets/node_modules/axe-core/axe.min.js"
# Kept after the run, to be looked at.
SCREENSHOTS = ROOT / "_build" / "screenshots" if os.environ.get("SCREENSHOTS") else None
# The front page is left out: it leads on at once, and test_pages.py has a test for it.
NAMES = [name for name in pages() if name != "index"]
# The chapters, and of the other kinds one: welcome, reference, search, exercise.
KINDS = [*chapters(), "book/index", "book/api/activations", "search"]
KINDS.append(next(name for name in NAMES if "exercises" in name))
assert set(KINDS) <= set(NAMES)


class Opened(NamedTuple):
    """A page on show, its name, and what has gone wrong in it."""

    page: object
    name: str
    faults: list


@pytest.fixture(scope="class")
def context(request, browser):
    """Keep one profile for all pages of a size."""
    opened = open_context(browser, request.cls.size, request.cls.modes[0])
    yield opened
    opened.close()


@pytest.fixture(scope="class", params=NAMES)
def opened(request, context, address):
    """Open a page once for all tests of its size."""
    page = context.new_page()
    faults = watch(page, address)
    visit(page, f"{address}{request.param}.html")
    yield Opened(page, request.param, faults)
    page.close()


# What reaches past the right edge; parts that scroll in a box of their own may.
TOO_WIDE = """() => {
  const wide = document.scrollingElement.scrollWidth - window.innerWidth;
  if (wide <= 0) return [];
  const scrolls = e => e && (getComputedStyle(e).overflowX !== 'visible'
                             || scrolls(e.parentElement));
  const culprits = [...document.querySelectorAll('article *')]
    .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1
                 && !scrolls(e.parentElement))
    .map(e => e.outerHTML.slice(0, 240));
  return [`${wide} pixels too wide`, ...culprits.slice(0, 3)];
}"""


# Pictures come when the reader does.
LOAD = """() => Promise.all([...document.images].map(image => {
  image.loading = 'eager';
  return image.decode();
}))"""


def complete(page):
    """Load all pictures and bring all figures alive, as for a reader at the end."""
    page.evaluate(LOAD)
    for box in page.locator(".alive").all():
        wake(page, box)
        assert "is-alive" in box.get_attribute("class")
        assert box.locator(".lw-title").is_visible()
        assert not box.locator(".alive-still").is_visible()
        own = box.evaluate("box => box.scrollWidth - box.clientWidth")
        assert own <= 0, "nothing reaches past the figure"
    page.evaluate("scrollTo(0, 0)")


def keep(page, name, size, mode):
    """Store what a page looks like, if that is asked for."""
    if SCREENSHOTS is None:
        return
    path = SCREENSHOTS / f"{name.replace('/', '_')}_{size}_{mode}.jpg"
    page.screenshot(path=path, type="jpeg", quality=60, full_page=True)


def look(opened, size, modes):
    """Look at a page in one mode, then turn to the other without a new visit."""
    page = opened.page
    assert page.evaluate("document.documentElement.dataset.theme") == modes[0]
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    complete(page)
    for mode in modes:
        turn(page, mode)
        assert page.evaluate(TOO_WIDE) == []
        keep(page, opened.name, size, mode)
    assert opened.faults == []


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
  for (const word of document.querySelectorAll('article span.pre'))
    if (known(`pre ${word.parentElement.className} ${word.closest('code')?.className}`))
      word.replaceWith(word.textContent);
  for (const formula of document.querySelectorAll('article mjx-container'))
    if (formula.closest('th') || known('formula ' + formula.getAttribute('display')))
      formula.replaceChildren(formula.querySelector('math')?.textContent ?? '');
}"""


def ask_axe(opened, modes):
    """Ask axe about a page: every rule in the second mode of its size.

    The wide page is dark and the narrow one light, so the content is seen in both.
    Only what is on show at one size alone, which is the theme's and the same on all
    pages of a kind, needs the rules of colours in the other mode too.
    """
    assert AXE.is_file(), "run 'make book' first"
    turn(opened.page, modes[1])
    opened.page.evaluate(THIN)
    opened.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert opened.page.evaluate(RUN, None) == []
    if opened.name in KINDS:
        turn(opened.page, modes[0])
        assert opened.page.evaluate(RUN, COLOURS) == []


# Two classes, so that two workers share the visits. In each, axe comes last: it thins
# the page out.
class TestDesktop:
    """Pages at 1280 by 800, light first."""

    size, modes = "desktop", ("light", "dark")

    def test_a_page_opens_without_a_fault(self, opened):
        """No script error, no foreign request, nothing too wide."""
        look(opened, self.size, self.modes)

    def test_what_fits_is_no_stop_for_the_keyboard(self, opened):
        """The Tab key does not stop at a box that has nothing to scroll."""
        assert opened.page.evaluate(NEEDLESS) + opened.page.evaluate(SHORT) == []

    def test_axe_finds_nothing(self, opened):
        """Nothing of any impact in our content, nothing serious around it."""
        ask_axe(opened, self.modes)


class TestPhone:
    """Pages at 390 by 844, dark first."""

    size, modes = "phone", ("dark", "light")

    def test_what_scrolls_can_be_reached_and_has_a_name(self, opened):
        """The Tab key stops at each box that scrolls, and a reader hears what it is."""
        if opened.page.locator("article pre").count():
            opened.page.wait_for_function(
                "() => document.querySelector('article pre[aria-label^=\"Code\"]')"
            )
        assert opened.page.evaluate(UNREACHABLE) == []

    def test_a_page_opens_without_a_fault(self, opened):
        """No script error, no foreign request, nothing too wide."""
        look(opened, self.size, self.modes)

    def test_axe_finds_nothing(self, opened):
        """Nothing of any impact in our content, nothing serious around it."""
        ask_axe(opened, self.modes)


def test_axe_would_find_something(browser, address):
    page = browser.new_page()
    visit(page, f"{address}book/notation.html")
    page.evaluate(
        """() => document.querySelector('article h2').insertAdjacentHTML('afterend',
             '<img src="x.png"><p style="color: #bbb; background: #fff">faint</p>')"""
    )
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(RUN, None)
    page.close()
    assert {line.split()[0] for line in found} >= {"image-alt", "color-contrast"}
