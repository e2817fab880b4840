"""The built book: links, what pages load, alternative text. Needs `make book`."""

import copy
import functools
import importlib.util
import inspect
import json
import re
import tomllib
import urllib.parse

import pytest
from book_site import HTML, ROOT, chapters, documents, pages, parsed, read
from sphinx.util.inventory import InventoryFile

PAGES = pages()
FOREIGN = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
OTHER_SCHEME = re.compile(r"^(?:mailto|data|blob|javascript):", re.IGNORECASE)

# <link> relations that only name a page; every other one fetches something.
NAMING = {"next", "prev", "index", "search", "author", "copyright", "canonical", "top"}


def links(page):
    """List every address that a page names: (element, attribute, address)."""
    found = []
    for element in parsed(page).find_all(True):
        for name in ("href", "src", "poster", "data", "xlink:href"):
            if element.has_attr(name) and not name.startswith("data-"):
                found.append((element, name, element[name]))
        for part in element.get("srcset", "").split(","):
            if part.strip():
                found.append((element, "srcset", part.split()[0]))
    return found


def loads(element, attribute):
    """Tell whether the browser fetches the address by itself."""
    if element.name in ("a", "area"):
        return False
    if element.name == "link":
        return not set(element.get("rel", [])) <= NAMING
    return attribute != "href" or element.name in ("use", "image")


@functools.cache
def anchors(path):
    """Collect the places in a page that a link can lead to."""
    page = path.relative_to(HTML).with_suffix("").as_posix()
    named = parsed(page).find_all(lambda e: e.has_attr("id") or e.name == "a")
    return {e.get("id") for e in named} | {e.get("name") for e in named}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    here = HTML / f"{page}.html"
    broken = []
    for _, _, address in links(page):
        if FOREIGN.match(address) or OTHER_SCHEME.match(address):
            continue
        parts = urllib.parse.urlsplit(address)
        path = urllib.parse.unquote(parts.path)
        target = (here.parent / path).resolve() if path else here
        if not target.is_file() or not target.is_relative_to(HTML):
            broken.append(f"{address}: no such file")
        elif parts.fragment and target.suffix == ".html":
            place = urllib.parse.unquote(parts.fragment)
            if place not in anchors(target):
                broken.append(f"{address}: no such place in the page")
    assert not broken


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_another_host(page):
    foreign = [
        f"<{element.name} {attribute}={address}>"
        for element, attribute, address in links(page)
        if loads(element, attribute) and FOREIGN.match(address)
    ]
    styles = [e.get_text() for e in parsed(page).find_all("style")]
    styles += [e["style"] for e in parsed(page).find_all(style=True)]
    foreign += [s for s in styles if re.search(r"(url\(|@import)[\s'\"]*(\w+:)?//", s)]
    assert not foreign


def test_no_style_sheet_names_another_host():
    sheets = list(HTML.glob("_static/**/*.css"))
    assert len(sheets) >= 3, "the book has style sheets"
    remote = re.compile(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//")
    found = [s.name for s in sheets if remote.search(s.read_text(encoding="utf-8"))]
    assert not found


@pytest.mark.parametrize("page", PAGES)
def test_every_image_says_what_it_shows(page):
    wanting = []
    article = parsed(page).find("article") or parsed(page)
    for image in parsed(page).find_all("img"):
        text = image.get("alt")
        in_text = article in image.parents
        if text is None or (in_text and not text.strip()):
            wanting.append(f"{image.get('src')}: no alternative text")
        elif re.search(r"[\w-]+\.(png|svg|jpe?g|gif)\b|_images/", text):
            wanting.append(f"{image.get('src')}: a file name is no description")
    for drawing in article.find_all("svg", role="img"):
        named = [drawing.get("aria-label", "")]
        for place in drawing.get("aria-labelledby", "").split():
            named.append(drawing.find(id=place).get_text())
        if not any(len(text) > 3 for text in named):
            wanting.append("an inline drawing has no name")
    assert not wanting


@pytest.mark.parametrize("page", chapters())
def test_nothing_jumps_while_pictures_come(page):
    images = parsed(page).find("article").find_all("img")
    assert images
    assert [i["src"] for i in images if not {"width", "height"} <= set(i.attrs)] == []


@pytest.mark.parametrize("page", documents())
def test_a_page_has_one_title_and_no_leftover_markup(page):
    article = copy.copy(parsed(page).find("article"))
    assert len(article.find_all("h1")) == 1
    assert not article.select(".problematic, .system-message")
    for code in article.find_all(["pre", "code", "script", "style"]):
        code.extract()
    left = re.findall(r"\{[a-z:]+\}`|:cite:|\[\?\]|\]\(\S+\)", article.get_text())
    assert not left


@pytest.mark.parametrize("page", documents())
def test_no_place_in_a_page_is_named_twice(page):
    ids = [e["id"] for e in parsed(page).find_all(id=True)]
    assert {i for i in ids if ids.count(i) > 1} == set()


@pytest.mark.parametrize("page", documents())
def test_every_formula_is_typeset_in_the_page(page):
    article = copy.copy(parsed(page).find("article"))
    for formula in article.select(".math"):
        assert formula.find("mjx-math"), formula
        assert formula.select_one("mjx-assistive-mml math"), "a screen reader's text"
    assert not article.select("mjx-merror, merror, [data-mjx-error]")
    assert not [e["src"] for e in parsed(page).select("script[src*=athjax i]")]
    for code in article.find_all(["pre", "code", "script", "style", "mjx-container"]):
        code.extract()
    left = re.findall(r"\\[(\[]|\\[)\]]|\$\$|\\begin\{", article.get_text())
    assert not left
    sheets = [e["href"] for e in parsed(page).select("link[rel=stylesheet]")]
    uses = parsed(page).find("mjx-container") is not None
    assert any("mathematics.css" in s for s in sheets) == uses


def test_every_glyph_of_the_formulas_is_in_the_style_sheet():
    sheet = (HTML / "_static" / "mathematics.css").read_text(encoding="utf-8")
    named = set(re.findall(r"mjx-c((?:\.[\w-]+)+)::before", sheet))
    wanted = set()
    for page in documents():
        for glyph in parsed(page).select("mjx-c[class]"):
            wanted.add("".join(f".{name}" for name in glyph["class"]))
    assert len(wanted) > 100
    assert wanted - named == set()
    fonts = set(re.findall(r"@font-face\{font-family:MJXTEX-?(\w*)", sheet))
    assert {name.split("TEX-")[1] for name in wanted if "TEX-" in name} <= fonts


ICON = re.compile(r"^fa-(?!solid|brands|regular|lg$)")


@pytest.mark.parametrize("page", PAGES)
def test_every_icon_is_drawn(page):
    sheet = (HTML / "_static" / "icons.css").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^\.(fa-[\w-]+)\{--icon:url", sheet, re.MULTILINE))
    wanted = {
        name
        for element in parsed(page).select("[class*=fa-]")
        for name in element["class"]
        if ICON.match(name)
    }
    assert wanted <= drawn
    assert not parsed(page).select("script[src*=fontawesome]")
    if page != "index":
        assert {"fa-bars", "fa-moon", "fa-sun", "fa-magnifying-glass"} <= wanted


def test_the_theme_s_own_icons_are_not_in_the_site():
    assert not list(HTML.rglob("*fontawesome*"))
    sheets = (HTML / "_static").rglob("*.css")
    texts = [sheet.read_text(encoding="utf-8") for sheet in sheets]
    faces = [face for text in texts for face in re.findall(r"@font-face[^}]*}", text)]
    assert faces, "those of the formulas"
    assert all("font-family:MJX" in face and 'url("data:' in face for face in faces)


# A style sheet or script, and what a page that loads it must hold.
CALLS = {
    "sphinx-design.min.css": "[class*=sd-]",
    "proof.css": ".proof",
    "togglebutton.js": ".toggle, .dropdown",
    "copybutton.js": ".highlight",
}


@pytest.mark.parametrize("page", documents())
def test_a_page_loads_only_what_it_uses(page):
    named = [e.get("src") or e.get("href") for e in parsed(page).select("[src], link")]
    article = parsed(page).find("article")
    for name, call in CALLS.items():
        loaded = any(f"/{name}" in address for address in named)
        assert loaded == bool(article.select(call)), name
    heads = parsed(page).head.select("script[src]")
    assert heads
    assert all({"defer", "async", "type"} & set(script.attrs) for script in heads)


@pytest.mark.parametrize("page", list(chapters()))
def test_a_chapter_opens_on_colab_and_on_binder_and_can_be_downloaded(page):
    found = [address for _, _, address in links(page)]
    for host in ("https://colab.research.google.com/", "https://mybinder.org/"):
        own = [a for a in found if a.startswith(host)]
        assert any(f"{page}.ipynb" in urllib.parse.unquote(a) for a in own), host
    assert any(f"_sources/{page}.ipynb" in a for a in found)


def test_the_front_page_leads_to_the_welcome_page():
    refresh = parsed("index").find("meta", attrs={"http-equiv": "Refresh"})
    address = refresh["content"].split("url=")[1]
    assert (HTML / address).is_file()


def test_every_chapter_is_in_the_book():
    stored = {f"notebooks/{p.stem}" for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert stored == set(chapters())


def test_the_repository_is_named_alike_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    address = project["project"]["urls"]["Repository"]
    assert read("_config.yml")["repository"]["url"] == address


FACES = [d.rsplit("/", 1)[1] for d in documents() if d.startswith("book/api/")][1:]


def test_every_module_has_a_page_or_serves_one_that_has():
    package = ROOT / "src" / "lessons"
    modules = [package / f"{face}.py" for face in FACES]
    modules = [m if m.is_file() else m.with_suffix("") / "__init__.py" for m in modules]
    sources = [module.read_text(encoding="utf-8") for module in modules]
    served = {name for s in sources for name in re.findall(r"lessons\.(\w+) import", s)}
    assert {p.stem for p in package.glob("[!_]*.py")} <= {*FACES, *served}


@pytest.mark.parametrize("module", FACES)
def test_the_reference_holds_every_public_function(module):
    with (HTML / "objects.inv").open("rb") as stream:
        entries = InventoryFile.load(stream, "", lambda base, uri: uri)
    kinds = ("py:function", "py:class", "py:exception", "py:data")
    described = {name for kind in kinds for name in entries.get(kind, {})}
    loaded = importlib.import_module(f"lessons.{module}")
    public = {
        name
        for name, value in vars(loaded).items()
        if inspect.isfunction(value)
        and value.__module__ == loaded.__name__
        and not name.startswith("_")
    }
    public |= set(getattr(loaded, "__all__", []))
    assert {f"lessons.{module}.{name}" for name in public} - described == set()


def test_the_map_of_the_course_is_the_drawn_one():
    course_map = load_tool("course_map")
    assert course_map.TARGET.read_text(encoding="utf-8") == course_map.drawing()


def load_tool(name):
    """Import a program of the `tools` folder."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_assets_are_pinned_by_hash_and_by_no_address():
    wanted = json.loads((ROOT / "book/assets/package.json").read_text())
    lock = json.loads((ROOT / "book/assets/package-lock.json").read_text())
    assert all(re.fullmatch(r"[\d.]+", v) for v in wanted["dependencies"].values())
    packages = {k: v for k, v in lock["packages"].items() if k}
    assert {f"node_modules/{name}" for name in wanted["dependencies"]} <= set(packages)
    for entry in packages.values():
        assert entry["integrity"].startswith("sha512-")
        assert "resolved" not in entry


def test_the_assets_are_copied_once_and_again_when_the_lock_changes(
    tmp_path, monkeypatch
):
    assets = load_tool("assets")
    source = tmp_path / "packages" / "thing" / "es5"
    source.mkdir(parents=True)
    (source / "a.js").write_text("1")
    fetched = []
    monkeypatch.setattr(assets, "ROOT", tmp_path)
    monkeypatch.setattr(assets, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(assets, "PACKAGES", tmp_path / "packages")
    monkeypatch.setattr(assets, "FILES", {"thing": [("es5", "thing/code")]})
    monkeypatch.setattr(
        assets, "install", lambda: fetched.append(1) or tmp_path / "packages"
    )
    assets.main()
    assets.main()
    assert fetched == [1]
    assert (tmp_path / "vendor/thing/code/a.js").read_text() == "1"
    monkeypatch.setattr(assets, "stamp", lambda: "another lock")
    assets.main()
    assert fetched == [1, 1]
    monkeypatch.setattr(assets, "PACKAGES", tmp_path / "swept away")
    assets.main()
    assert fetched == [1, 1, 1]


def test_assets_that_cannot_be_fetched_stop_the_build(tmp_path, monkeypatch):
    assets = load_tool("assets")
    monkeypatch.setattr(assets, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(assets, "system_npm", lambda arguments, folder: 127)
    monkeypatch.setattr(assets, "wheel_npm", lambda arguments, folder: 1)
    with pytest.raises(SystemExit, match="could not be fetched"):
        assets.install()
