"""The built book in a real browser: its welcome page, its search, its switches."""

import pytest
from book_site import documents
from visits import SIZES, open_context, visit, watch


@pytest.fixture(scope="module")
def contexts(browser):
    """Keep one profile for each size and mode that is looked at."""
    looks = [("desktop", "light"), ("desktop", "dark"), ("phone", "light")]
    opened = {look: open_context(browser, *look) for look in looks}
    yield opened
    for context in opened.values():
        context.close()


# The contrast of text and page, by the definition of WCAG 2.
CONTRAST = """() => {
  const rgb = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = c => rgb(c).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const back = light(getComputedStyle(document.body).backgroundColor);
  return ['.bd-article li p', '.bd-article p a', '.bd-article h1', '.lead-in p']
    .map(s => light(getComputedStyle(document.querySelector(s)).color))
    .map(l => (Math.max(l, back) + 0.05) / (Math.min(l, back) + 0.05));
}"""


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out_from_the_page(contexts, address, mode):
    page = contexts["desktop", mode].new_page()
    visit(page, f"{address}book/index.html")
    contrasts = page.evaluate(CONTRAST)
    page.close()
    assert min(contrasts) >= 4.5
    assert contrasts[0] >= 10, "running text has high contrast"


# Each label of the map lies inside its box, whatever the reader's fonts.
OUTSIDE = """() => [...document.querySelectorAll('.course-map g')]
  .filter(g => g.getBoundingClientRect().width > 0)
  .filter(g => {
    const box = g.querySelector('rect').getBBox(), text = g.querySelector('text');
    return text.getBBox().x + text.getBBox().width > box.x + box.width - 2;
  }).map(g => g.textContent)"""


@pytest.mark.parametrize("size", SIZES)
def test_the_map_of_the_course_fits_its_page(contexts, address, size):
    page = contexts[size, "light"].new_page()
    visit(page, f"{address}book/index.html")
    drawings = page.get_by_role("img", name="Map of the course")
    seen, outside = drawings.count(), page.evaluate(OUTSIDE)
    letters = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll('.map-core text')]
             .map(t => t.getBoundingClientRect().height).filter(h => h > 0))"""
    )
    page.close()
    assert seen == 1, "one of the two drawings is shown"
    assert outside == []
    assert letters >= 12, "the smallest label can be read"


def test_search_finds_a_function_and_a_word(contexts, address):
    page = contexts["desktop", "light"].new_page()
    faults = watch(page, address)
    for query, target in [("sigmoid", "activations"), ("saturation", "notation")]:
        page.goto(f"{address}search.html?q={query}")
        hit = page.locator(f"#search-results a[href*='{target}']").first
        hit.wait_for(state="visible")
        page.wait_for_load_state("networkidle")
    page.close()
    assert faults == []


def test_the_front_page_leads_to_the_welcome_page(contexts, address):
    page = contexts["desktop", "light"].new_page()
    page.goto(address)
    page.wait_for_url(f"{address}book/index.html")
    page.close()


def test_mathematics_is_typeset(contexts, address):
    page = contexts["desktop", "light"].new_page()
    visit(page, f"{address}book/notation.html")
    typeset = page.locator("mjx-container").count()
    wanted = page.locator(".math").count()
    page.close()
    assert typeset >= wanted > 20


def test_the_button_changes_light_and_dark(browser, address):
    context = browser.new_context()
    page = context.new_page()
    visit(page, f"{address}book/index.html")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "light"
    button = page.locator("button.theme-switch-button:visible")
    seen = set()
    for _ in range(3):
        button.first.click()
        seen.add(page.evaluate("document.documentElement.dataset.mode"))
    context.close()
    assert seen == {"light", "dark", "auto"}


def test_the_text_is_there_without_scripts(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for name in documents():
        page.goto(f"{address}{name}.html")
        assert page.locator("article h1").is_visible(), name
        assert len(page.locator("article").inner_text()) > 40, name
    context.close()
