"""The built book as a reader meets it: numbers, openings, the edition, drawings."""

import importlib.util
import re
import sys

import jax
import pytest
import yaml
from book_site import ROOT, chapters, documents, pages, parsed, read

import lessons
from lessons import cnn, dnn

CHAPTERS = chapters()
NUMBERS = {page: title.split()[0].lstrip("0") for page, title in CHAPTERS.items()}


def load(path):
    """Import a file that is in no package."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def article(page):
    """Return the text of a page."""
    return parsed(page).find("article")


def numbers(page, kind):
    """List the numbers of a page's figures or equations, in order."""
    if kind == "figure":
        found = [f.select_one(".caption-number") for f in article(page)("figure")]
        texts = [element.get_text() for element in found if element]
        return [re.fullmatch(r"Figure (\S+) ", text)[1] for text in texts]
    found = article(page).select(".eqno")
    return [re.match(r"\((\S+)\)", e.get_text())[1] for e in found]


# Figures and equations.


@pytest.mark.parametrize("page", CHAPTERS)
def test_every_picture_of_a_chapter_is_a_numbered_figure(page):
    loose = []
    for image in article(page).find_all("img"):
        figure = image.find_parent("figure")
        caption = figure and figure.find("figcaption")
        if not caption or not caption.select_one(".caption-number"):
            loose.append(image["alt"][:60])
        else:
            words = caption.select_one(".caption-text").get_text().split()
            assert len(words) >= 5, f"{' '.join(words)}: a caption says what to see"
    assert loose == []
    assert numbers(page, "figure"), "a chapter has a figure"


@pytest.mark.parametrize("kind", ["figure", "equation"])
@pytest.mark.parametrize("page", CHAPTERS)
def test_numbers_run_by_chapter(page, kind):
    found = numbers(page, kind)
    assert found == [f"{NUMBERS[page]}.{i + 1}" for i in range(len(found))]


def references(page):
    """Yield each reference to a figure or an equation: its text and its target."""
    for link in article(page).select("a.reference.internal[href*='#']"):
        text = link.get_text()
        target, place = link["href"].split("#")
        if link.select_one(".std-numref") or re.fullmatch(r"\([\w.]+\)", text):
            parts = [*page.split("/")[:-1], *(target or f"./{page}").split("/")]
            other = page if not target else resolve(parts).removesuffix(".html")
            yield text, parsed(other).find(id=place)


def resolve(parts):
    """Follow `..` in a path that is given in pieces."""
    path = []
    for part in parts:
        path = path[:-1] if part == ".." else [*path, part]
    return "/".join(path)


@pytest.mark.parametrize("page", documents())
def test_a_reference_names_the_number_of_what_it_leads_to(page):
    for text, target in references(page):
        number = target.select_one(".caption-number, .eqno")
        assert number is not None, f"{text} leads to something without a number"
        assert number.get_text().rstrip(" #") == text


def test_chapters_refer_to_their_figures_and_equations():
    found = [text for page in CHAPTERS for text, _ in references(page)]
    assert sum(text.startswith("Figure ") for text in found) >= len(CHAPTERS)
    assert sum(text.startswith("(") for text in found) >= len(CHAPTERS)


# The opening of a chapter.


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_opens_with_its_links_goals_prerequisites_and_minutes(page):
    line = article(page).select_one("section.chapter > .launch")
    assert line.find_previous_sibling().name == "h1"
    assert line.span.get_text() == f"Chapter {NUMBERS[page]}"
    address = read("_config.yml")["repository"]["url"].split("github.com/")[1]
    links = {link.get_text(): link for link in line("a")}
    colab = f"https://colab.research.google.com/github/{address}/blob/main/{page}.ipynb"
    assert links["Open in Colab"]["href"] == colab
    name = page.split("/")[1]
    assert links["Download notebook"]["download"] == f"{name}.ipynb"
    assert links["Download notebook"]["href"] == f"../_sources/{page}.ipynb"
    place = links["Open locally"]["href"].split("#")
    assert place[0] == "../book/use.html"
    told = parsed("book/use").find(id=place[1]).find_parent("section")
    assert "make lab" in told.get_text()
    box = article(page).select_one("section.chapter > .opening")
    assert len(box("li")) >= 3, "goals"
    assert {"You will be able to", "Before this", "Time"} <= {
        strong.get_text().rstrip(":") for strong in box("strong")
    }
    assert re.search(r"Time:?\s+\d+ minutes", box.get_text())


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_cell_for_colab_is_folded(page):
    fold = article(page).select_one(".tag_setup").parent
    assert fold.name == "details" and not fold.has_attr("open")


def test_margin_notes_say_what_they_are():
    notes = [note for page in CHAPTERS for note in article(page)("aside")]
    assert len(notes) >= len(CHAPTERS)
    for note in notes:
        assert note["role"] == "note" and note["class"] == ["margin"]
        assert note.find("p"), "its text is Markdown between blank lines"


# The edition.


@pytest.mark.parametrize("page", [page for page in pages() if page != "index"])
def test_every_page_names_the_edition(page):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    line = parsed(page).select_one("footer .edition")
    assert line.time["datetime"] == str(citation["date-released"])
    assert line.get_text().startswith(f"Edition {lessons.__version__}, ")
    year, _, day = line.time["datetime"].split("-")
    assert line.time.get_text().startswith(f"{int(day)} ")
    assert line.time.get_text().endswith(f" {year}")


# The drawing of data flow.


@pytest.fixture(scope="module")
def data_flow():
    return load(ROOT / "tools" / "data_flow.py")


def test_the_drawing_of_data_flow_is_the_drawn_one(data_flow):
    assert data_flow.TARGET.read_text(encoding="utf-8") == data_flow.drawing()


def test_the_shapes_in_the_drawing_are_those_of_the_models(data_flow):
    mlp, lenet, *_ = data_flow.FAMILIES
    key = jax.random.key(0)
    layers = dnn.mlp_init(key, [784, 128, 10])
    sizes = [str(layers[0]["w"].shape[0])] + [str(p["w"].shape[1]) for p in layers]
    assert [cell.shape for cell in mlp.cells[1:]] == sizes
    params = cnn.lenet_init(key)
    maps = jax.numpy.zeros((1, 28, 28, 1))
    drawn = []
    for name, padding in [("conv1", 2), ("conv2", 0)]:
        maps = cnn.max_pool(cnn.conv(params[name], maps, padding=padding))
        drawn.append(" x ".join(map(str, maps.shape[1:])))
    assert lenet.cells[1].shape == " → ".join(drawn)
    dense = [params[f"dense{i}"]["w"].shape for i in (1, 2, 3)]
    assert lenet.cells[2].shape == " → ".join(str(n_in) for n_in, _ in dense)
    assert maps.size == dense[0][0]
    assert lenet.cells[3].shape == str(dense[2][1])


def test_a_sentence_of_text_stands_by_each_family(data_flow):
    listed = parsed("book/index").find(id="how-data-flows-through-the-families")("li")
    named = [item.strong.get_text().rstrip(".") for item in listed]
    assert named == [family.name for family in data_flow.FAMILIES]
