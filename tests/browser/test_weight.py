"""What a chapter costs to open, and that it is whole without scripts or a server.

A page's weight is the sum of the bodies of all that a browser fetches before the
reader scrolls or touches anything, each packed as a web server would pack it.
"""

import gzip

import pytest
from book_site import HTML, chapters, documents
from visits import open_context, visit, watch

LIMIT = 700_000
AIM = 350_000


def fetched(browser, address, name):
    """Open a page in a fresh profile; return what it loaded, packed, by address."""
    context = open_context(browser, "desktop", "light")
    page = context.new_page()
    responses = []
    page.on("response", lambda response: responses.append(response))
    visit(page, f"{address}{name}.html")
    page.wait_for_load_state("networkidle")
    sizes = {}
    for response in responses:
        body = response.body()
        place = response.url.removeprefix(address)
        if not place.startswith(("data:", "blob:")):
            sizes[place] = len(gzip.compress(body, 9))
    context.close()
    return sizes


@pytest.fixture(scope="module")
def weights(browser, address):
    """Weigh every chapter once, and print the table."""
    found = {name: fetched(browser, address, name) for name in chapters()}
    print("\nkilobytes: all, the page, style sheets, scripts, pictures; files")
    for name, sizes in found.items():
        kinds = {kind: 0 for kind in ("html", "css", "js", "")}
        for place, size in sizes.items():
            suffix = place.split("?")[0].rsplit(".", 1)[-1]
            kinds[suffix if suffix in kinds else ""] += size
        row = [sum(sizes.values()), *kinds.values()]
        print(*(f"{n / 1000:7.1f}" for n in row), f"{len(sizes):4}", f" {name}")
    return found


@pytest.mark.parametrize("name", list(chapters()))
def test_a_chapter_is_light(weights, name):
    sizes = weights[name]
    assert f"{name}.html" in sizes, "the page itself is weighed"
    assert sum(sizes.values()) <= LIMIT


def test_most_chapters_are_far_lighter(weights):
    light = [name for name, sizes in weights.items() if sum(sizes.values()) <= AIM]
    assert len(light) > len(weights) / 2


@pytest.mark.parametrize("name", list(chapters()))
def test_a_page_loads_no_search_index_and_no_script_of_icons(weights, name):
    unused = ("searchindex", "searchtools", "fontawesome", "mathjax")
    assert not [place for place in weights[name] for part in unused if part in place]


# A font of the formulas was used for the ink of a letter, and the letter has a width.
GLYPHS = """() => {
  const glyphs = [...document.querySelectorAll('article mjx-c')];
  const loaded = [...document.fonts].filter(font => font.status === 'loaded');
  return {
    wanted: glyphs.length > 0,
    fonts: loaded.map(font => font.family).filter(name => name.startsWith('MJX')),
    flat: glyphs.filter(c => c.className !== 'mjx-c20' && c.className !== 'mjx-cA0'
      && !c.closest('mjx-stretchy-v, mjx-stretchy-h')
      && c.getBoundingClientRect().width === 0).map(c => c.className),
  };
}"""


def test_pages_open_from_the_disk(browser):
    context = open_context(browser, "desktop", "light")
    page = context.new_page()
    faults = watch(page, "file:")
    with_formulas = 0
    for name in documents():
        visit(page, (HTML / f"{name}.html").as_uri())
        assert page.locator("article h1").is_visible(), name
        found = page.evaluate(GLYPHS)
        if found["wanted"]:
            with_formulas += 1
            assert {"MJXZERO", "MJXTEX-I"} <= set(found["fonts"]), name
        page.evaluate("() => { for (const i of document.images) i.loading = 'eager'; }")
        page.wait_for_function("() => [...document.images].every(i => i.complete)")
        broken = (
            "() => [...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
        )
        assert page.evaluate(broken) == [], name
    context.close()
    assert faults == []
    assert with_formulas >= len(chapters())


def test_search_works_from_the_disk(browser):
    context = open_context(browser, "desktop", "light")
    page = context.new_page()
    faults = watch(page, "file:")
    page.goto((HTML / "search.html").as_uri() + "?q=sigmoid")
    page.locator("#search-results a[href*='activations']").first.wait_for()
    page.locator(".search-summary", has_text="found").wait_for()
    context.close()
    assert faults == []


@pytest.mark.parametrize("name", list(chapters()))
def test_formulas_are_typeset_without_scripts(browser, address, name):
    context = open_context(browser, "phone", "dark", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{name}.html")
    formulas, typeset = page.locator("article .math"), page.locator("article mjx-math")
    assert formulas.count() == typeset.count() > 0
    height = formulas.first.bounding_box()["height"]
    context.close()
    assert height > 5


# Formulas that reach past their box, and whether a key can move them.
WIDE = """() => [...document.querySelectorAll('article .math')].map(m => {
    const box = m.matches('div') ? m.querySelector('mjx-container') : m;
    const ink = m.querySelector('mjx-math').getBoundingClientRect();
    return {
      id: m.textContent.slice(0, 60),
      wide: box.scrollWidth > box.clientWidth + 1
        && getComputedStyle(box).overflowX !== 'visible',
      stop: box.tabIndex === 0,
      cut: ink.left < box.getBoundingClientRect().left - 1
        || ink.width > box.scrollWidth + 1,
    };
  })"""


def test_a_wide_formula_scrolls_in_its_own_box(browser, address):
    context = open_context(browser, "phone", "light")
    page = context.new_page()
    wide = 0
    for name in chapters():
        visit(page, f"{address}{name}.html")
        for found in page.evaluate(WIDE):
            assert not found["cut"], (name, found)
            assert found["stop"] or not found["wide"], (name, found)
            wide += found["wide"]
    context.close()
    assert wide > 0, "the course has long formulas"


def test_the_text_does_not_wait_for_scripts(browser, address):
    """Scripts that never come leave the page as readable as with scripts off."""
    context = open_context(browser, "desktop", "light")
    page = context.new_page()
    held = []
    page.route("**/*.js*", lambda route: held.append(route))
    page.goto(f"{address}{next(iter(chapters()))}.html", wait_until="commit")
    page.locator("article h2").last.wait_for(state="visible")
    seen = len(page.locator("article").inner_text())
    for route in held:
        route.abort()
    context.close()
    assert held, "the page has scripts, and none has run"
    assert seen > 5000
