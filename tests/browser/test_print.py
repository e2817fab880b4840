"""The book on paper: nothing cut, folds open, light; and the PDF of the whole."""

import importlib.util
import io
import re
import sys
import unicodedata

import pytest
from book_site import ROOT, chapters
from visits import open_context, visit

# The room for text on A4 with the margins of the style sheet, in CSS pixels.
PAPER = {"width": 673, "height": 979}
CHAPTERS = ["notebooks/01_activations", "notebooks/07_cnn"]


@pytest.fixture(scope="module")
def context(browser):
    """Open a profile of a reader in the dark, which paper never is."""
    context = open_context(browser, "desktop", "dark")
    yield context
    context.close()


@pytest.fixture(scope="module")
def pypdf():
    return pytest.importorskip("pypdf")


def on_paper(context, address, name):
    """Open a page as the printer sees it."""
    page = context.new_page()
    page.set_viewport_size(PAPER)
    visit(page, f"{address}{name}.html")
    page.emulate_media(media="print")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    page.evaluate(
        """() => Promise.all([...document.images].map(image => {
             image.loading = 'eager';
             return image.decode().catch(() => null);
           }))"""
    )
    return page


CUT = """paper => {
  const shown = e => e.getClientRects().length > 0;
  const faults = [];
  for (const e of document.querySelectorAll('article figure, article img')) {
    if (!shown(e)) continue;
    const {width, height, right} = e.getBoundingClientRect();
    if (right > paper.width + 1) faults.push(`too wide: ${e.outerHTML.slice(0, 120)}`);
    if (height > paper.height) faults.push(`too high: ${e.outerHTML.slice(0, 120)}`);
    if (getComputedStyle(e).breakInside !== 'avoid')
      faults.push(`may be split: ${e.outerHTML.slice(0, 120)}`);
  }
  for (const e of document.querySelectorAll('article :is(pre, td, th, p, li, .math)'))
    if (shown(e) && e.getBoundingClientRect().right > paper.width + 1)
      faults.push(`past the edge: ${e.outerHTML.slice(0, 120)}`);
  for (const e of document.querySelectorAll(`article :is(pre, table, div.math, .output,
      .pst-scrollable-table-container)`))
    if (shown(e) && e.scrollWidth > e.clientWidth + 1)
      faults.push(`cut: ${e.outerHTML.slice(0, 120)}`);
  if (document.scrollingElement.scrollWidth > paper.width + 1)
    faults.push(`the page is ${document.scrollingElement.scrollWidth} wide`);
  return faults;
}"""


@pytest.mark.parametrize("name", [*chapters(), "book/index", "book/notation"])
def test_nothing_is_cut_on_paper(context, address, name):
    page = on_paper(context, address, name)
    found = page.evaluate(CUT, PAPER)
    page.close()
    assert found == []


SCREEN_ONLY = """() => [...document.querySelectorAll(`.bd-sidebar-primary,
  .bd-sidebar-secondary, .bd-header-article, .prev-next-footer, .launch, .copybtn,
  .headerlink, #pst-back-to-top, #jb-print-docs-body`)]
  .filter(e => e.getClientRects().length).map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("name", CHAPTERS)
def test_paper_has_the_title_open_folds_and_no_navigation(context, address, name):
    page = on_paper(context, address, name)
    assert page.locator("article h1").is_visible()
    assert page.evaluate(SCREEN_ONLY) == []
    folds = page.locator("article details:not(.setup)")
    assert folds.count() > 0
    for fold in folds.all():
        assert fold.locator(":scope > :not(summary)").first.is_visible()
    assert page.locator(".edition").is_visible()
    page.emulate_media(media="screen")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    assert page.locator("article details[open]").count() == 0, "folds close again"
    page.close()


def test_folds_print_open_without_scripts(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{CHAPTERS[0]}.html")
    inside = page.locator("article details:not(.setup) > :not(summary)").first
    assert not inside.is_visible()
    page.emulate_media(media="print")
    assert inside.is_visible()
    context.close()


# Paragraphs in folds; a formula's letters lie otherwise in a PDF.
FOLDED = "article details:not(.setup) :is(p, li):not(:has(.math))"


@pytest.mark.parametrize("name", CHAPTERS)
def test_chromium_prints_a_chapter(context, address, pypdf, name):
    page = context.new_page()
    visit(page, f"{address}{name}.html")
    captions = page.locator("article figcaption .caption-number").all_inner_texts()
    folds = page.locator(FOLDED).all_text_contents()
    printed = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4")))
    page.close()
    text = " ".join(" ".join(sheet.extract_text() for sheet in printed.pages).split())
    text = unicodedata.normalize("NFKC", text)  # ligatures
    assert 5 <= len(printed.pages) <= 60
    for caption in captions:
        assert caption.strip() in text
    hidden = [re.search(r"\b([a-z]+ ){3}[a-z]+\b", fold) for fold in folds]
    hidden = [found[0] for found in hidden if found]
    assert hidden and [words for words in hidden if words not in text] == []
    assert "Skip to main content" not in text


# The PDF of the whole book, here of four pages.


@pytest.fixture(scope="module")
def tool(pypdf):
    spec = importlib.util.spec_from_file_location("pdf", ROOT / "tools" / "pdf.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["pdf"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def whole(tool, browser, pypdf, tmp_path_factory):
    """Print a part of the book, as the whole is printed."""
    path = tmp_path_factory.mktemp("pdf") / "part.pdf"
    wanted = ["book/index", "book/use", "notebooks/02_backprop", "book/api/losses"]
    listed = [entry for entry in tool.entries() if entry.document in wanted]
    with browser.new_context() as context:
        count = tool.build(path, listed, context.new_page())
    reader = pypdf.PdfReader(path)
    assert len(reader.pages) == count
    return reader


def flat(items):
    """List the bookmarks of all levels."""
    for item in items:
        if isinstance(item, list):
            yield from flat(item)
        else:
            yield item


def test_the_pdf_lists_every_document(tool):
    listed = [entry.document for entry in tool.entries()]
    assert listed[0] == "book/index"
    assert set(chapters()) < set(listed)
    assert len(set(listed)) == len(listed)


DOCUMENTS = [
    "From One Neuron to a Large Model",
    "How to use the course",
    "02 Backpropagation",
    "Losses",
]


def test_the_contents_name_the_right_pages(whole):
    table = " ".join(whole.pages[1].extract_text().split())
    marks = {mark.title: mark for mark in flat(whole.outline)}
    for title in DOCUMENTS:
        number = whole.get_destination_page_number(marks[title]) + 1
        assert re.search(rf"{title} {number}\b", table), table
        text = " ".join(whole.pages[number - 1].extract_text().split())
        assert text.startswith(title.removeprefix("02 "))


def test_the_bookmarks_lead_to_their_headings(whole):
    marks = list(flat(whole.outline))
    assert len(marks) > 20
    for mark in marks:
        number = whole.get_destination_page_number(mark)
        assert number >= 2, mark.title
    sections = [m for m in marks if m.title == "Vanishing and exploding gradients"]
    number = whole.get_destination_page_number(sections[0])
    assert "Vanishing and exploding gradients" in whole.pages[number].extract_text()


def test_the_links_of_the_pdf_stay_inside_it(whole):
    inside = outside = 0
    for sheet in whole.pages:
        for link in sheet.get("/Annots", []):
            address = link.get_object().get("/A", {}).get("/URI", "")
            assert "127.0.0.1" not in address
            outside += address.startswith("https://")
            inside += "/Dest" in link.get_object()
    # The lines of the contents, and what chapter 02 refers to by number.
    assert inside >= len(DOCUMENTS) + 9 and outside > 0


def test_the_pages_of_the_pdf_carry_their_number_and_the_edition(tool, whole):
    for number, sheet in enumerate(whole.pages, start=1):
        text = sheet.extract_text()
        if number > 1:
            assert text.rstrip().endswith(str(number))
        assert f"Edition {tool.edition()['version']}, {tool.edition()['date']}" in text
