"""Print the built book to one PDF: `python tools/pdf.py OUTPUT`.

Chromium prints each page of `_build/html`; pypdf joins the pages, numbers them, and
turns links between pages of the site into links inside the file. In front stand a
title page and a table of contents. Needs `make book` and a Chromium or Chrome.
"""

from __future__ import annotations

import contextlib
import functools
import html
import http.server
import io
import pathlib
import shutil
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from typing import NamedTuple

import yaml
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    Fit,
    FloatObject,
    NameObject,
    NullObject,
)

ROOT = pathlib.Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "extensions"))

from reading import edition  # noqa: E402

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]
PAPER = {
    "format": "A4",
    "print_background": True,
    "margin": {"top": "18mm", "bottom": "20mm", "left": "16mm", "right": "16mm"},
}
POINTS = 72 / 25.4  # in a millimetre


class Entry(NamedTuple):
    """A page of the site: its document, title, the part that it opens, its depth."""

    document: str
    title: str | None = None
    part: str | None = None
    depth: int = 0


class Printed(NamedTuple):
    """A page of the site on paper: its headings, and where each id stands."""

    entry: Entry
    title: str
    headings: list[tuple[str, str]]
    reader: PdfReader
    places: dict[str, tuple[int, float]]


# The site.


def entries() -> list[Entry]:
    """List the documents of the book, in reading order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [Entry(toc["root"])]
    for part in toc["parts"]:
        caption = part["caption"]
        for chapter in part["chapters"]:
            listed.append(Entry(chapter["file"], chapter.get("title"), caption))
            caption = None
            below = chapter.get("sections", [])
            listed += [Entry(section["file"], depth=1) for section in below]
    return listed


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve files without a line on the terminal for each."""

    def log_message(self, *_):
        """Say nothing."""


@contextlib.contextmanager
def serve(folder: pathlib.Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine alone."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def chromium() -> Iterator:
    """Open a page in the machine's Chromium."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit(f"No Chromium on this machine (looked for {', '.join(NAMES)}).")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser.new_page()
        browser.close()


# The foot of each sheet names the edition, so the end of a page need not.
NO_END = ".bd-footer-content { display: none !important; }"

# Chromium remembers the place of an id only where a link in the page leads to it, so
# each id gets a link that is not seen. It answers with the headings of the page.
PREPARE = """async () => {
  for (const image of document.images) image.loading = "eager";
  const decoded = [...document.images].map(image => image.decode().catch(() => {}));
  await Promise.all([document.fonts.ready, ...decoded]);
  const article = document.querySelector("article");
  const places = [...article.querySelectorAll("[id]:not(svg *, mjx-container *)")];
  for (const {id} of places) {
    const link = document.createElement("a");
    link.href = `#${encodeURIComponent(id)}`;
    link.hidden = true;
    article.append(link);
  }
  const text = heading => {
    const copy = heading.cloneNode(true);
    copy.querySelectorAll(".headerlink, mjx-assistive-mml").forEach(e => e.remove());
    return copy.textContent.trim().replace(/\\s+/g, " ");
  };
  return [...article.querySelectorAll("section > h1, section > h2")]
    .map(heading => [heading.tagName, heading.parentElement.id, text(heading)]);
}"""


def read(pdf: bytes) -> PdfReader:
    """Open a PDF that lies in memory."""
    return PdfReader(io.BytesIO(pdf))


def print_document(page, address: str, entry: Entry) -> Printed:
    """Print one page of the site."""
    page.goto(f"{address}{entry.document}.html", wait_until="load")
    page.add_style_tag(content=NO_END)
    found = page.evaluate(PREPARE)
    reader = read(page.pdf(**PAPER))
    places = {
        urllib.parse.unquote(str(name).lstrip("/")): (
            reader.get_destination_page_number(place),
            float(place.top or 0),
        )
        for name, place in reader.named_destinations.items()
    }
    title = next(text for tag, _, text in found if tag == "H1")
    headings = [(place, text) for tag, place, text in found if tag == "H2"]
    return Printed(entry, entry.title or title, headings, reader, places)


# What stands in front.

STYLE = """<style>
  body { color: #1b2127; font: 11pt/1.5 system-ui, "Noto Sans", "Liberation Sans",
         Arial, sans-serif; margin: 0; }
  h1 { font-size: 22pt; letter-spacing: -0.01em; line-height: 1.2; margin: 0 0 8mm; }
  .cover { padding-top: 62mm; }
  .cover h1 { font-size: 34pt; max-width: 150mm; }
  .cover p { color: #55606b; margin: 0 0 2mm; }
  .cover svg { display: block; height: 34mm; margin-bottom: 14mm; width: auto; }
  .part { font-weight: 650; margin: 5mm 0 1mm; }
  .line { break-inside: avoid; color: inherit; display: flex; gap: 2mm;
          text-decoration: none; }
  .line i { border-bottom: 1px dotted #8a96a1; flex: 1; margin-bottom: 1.6mm; }
  .below { padding-left: 7mm; }
</style>"""


def cover() -> str:
    """Write the title page."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    logo = (ROOT / config["logo"]).read_text(encoding="utf-8")
    lines = [
        config["author"],
        f"Edition {edition()['version']}, {edition()['date']}",
        "Text under CC BY 4.0, code under MIT",
        config["repository"]["url"],
    ]
    rest = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    title = html.escape(config["title"])
    return f'{STYLE}<div class="cover">{logo}<h1>{title}</h1>{rest}</div>'


def contents(book: list[Printed], numbers: dict[str, int], address: str) -> str:
    """Write the table of contents; each line is a link."""
    rows = []
    for entry, title, *_ in book:
        if entry.part:
            rows.append(f'<p class="part">{html.escape(entry.part)}</p>')
        rows.append(
            f'<a class="line{" below" * entry.depth}" '
            f'href="{address}{entry.document}.html"><span>{html.escape(title)}</span>'
            f"<i></i><span>{numbers.get(entry.document, 0)}</span></a>"
        )
    return f"{STYLE}<h1>Contents</h1>" + "".join(rows)


def print_text(page, text: str) -> PdfReader:
    """Print a page that is written here."""
    page.goto("about:blank")
    page.set_content(text)
    return read(page.pdf(**PAPER))


# The whole.


def first_pages(book: list[Printed], before: int) -> dict[str, int]:
    """Return the number of each document's first page, counting from 1."""
    numbers, count = {}, before + 1
    for one in book:
        numbers[one.entry.document] = count
        count += len(one.reader.pages)
    return numbers


def target(link: DictionaryObject) -> str | None:
    """Return what a link of a printed page leads to: `#place` or an address."""
    if "/Dest" in link:
        return "#" + str(link["/Dest"]).lstrip("/")
    return link.get("/A", {}).get("/URI")


def resolve(
    writer: PdfWriter,
    book: dict[str, Printed],
    numbers: dict[str, int],
    goal: urllib.parse.SplitResult,
    document: str,
) -> ArrayObject | None:
    """Find the place in the file that a link of the site leads to."""
    path = goal.path.lstrip("/")
    document = path.removesuffix(".html") if path else document
    if document not in book:
        return None
    place = urllib.parse.unquote(goal.fragment)
    sheet, top = book[document].places.get(place, (0, None))
    page = writer.pages[numbers[document] - 1 + sheet].indirect_reference
    height = NullObject() if top is None else FloatObject(top)
    return ArrayObject([page, NameObject("/XYZ"), NullObject(), height, NullObject()])


def turn_links(writer, pages, document, address, book, numbers) -> None:
    """Make the links of some pages lead inside the file; drop those that cannot."""
    for page in pages:
        kept = ArrayObject()
        for reference in page.get("/Annots", []):
            link = reference.get_object()
            goal = target(link) or ""
            if goal.startswith(("#", address)):
                parts = urllib.parse.urlsplit(goal)
                inside = resolve(writer, book, numbers, parts, document)
                if inside is None:
                    continue
                link.pop("/A", None)
                link[NameObject("/Dest")] = inside
            kept.append(reference)
        page[NameObject("/Annots")] = kept


def foot(page: PageObject, writer: PdfWriter, number: int, text: str) -> None:
    """Write the edition and the page's number below a page."""
    size, edge, level = 8, 16 * POINTS, 10 * POINTS
    right = float(page.mediabox.width) - edge - len(str(number)) * 0.556 * size
    stream = DecodedStreamObject()
    stream.set_data(
        f"Q BT 0.33 0.38 0.42 rg /Foot {size} Tf {edge:.1f} {level:.1f} Td ({text}) Tj "
        f"{right - edge:.1f} 0 Td ({number}) Tj ET".encode("latin-1")
    )
    start = DecodedStreamObject()
    start.set_data(b"q ")
    old = page["/Contents"]
    middle = list(old) if isinstance(old, ArrayObject) else [page.raw_get("/Contents")]
    page[NameObject("/Contents")] = ArrayObject(
        [writer._add_object(start), *middle, writer._add_object(stream)]
    )
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    resources = page["/Resources"].get_object()
    fonts = resources.setdefault(NameObject("/Font"), DictionaryObject()).get_object()
    fonts[NameObject("/Foot")] = font


def outline(writer: PdfWriter, book: list[Printed], numbers: dict[str, int]) -> None:
    """Add bookmarks: parts, documents, their sections."""
    part = chapter = None
    for one in book:
        first = numbers[one.entry.document] - 1
        if one.entry.part:
            part = writer.add_outline_item(title=one.entry.part, page_number=first)
        above = chapter if one.entry.depth else part
        item = writer.add_outline_item(
            title=one.title, page_number=first, parent=above, is_open=False
        )
        chapter = chapter if one.entry.depth else item
        for place, text in one.headings:
            sheet, top = one.places.get(place, (0, None))
            writer.add_outline_item(
                title=text,
                page_number=first + sheet,
                parent=item,
                fit=Fit.xyz(top=top),
            )


def build(output: pathlib.Path, listed: list[Entry], page) -> int:
    """Print the listed documents to one file; return its number of pages."""
    with serve(SITE) as address:
        book = [print_document(page, address, entry) for entry in listed]
        front = print_text(page, cover())
        trial = print_text(page, contents(book, {}, address))
        numbers = first_pages(book, len(front.pages) + len(trial.pages))
        table = print_text(page, contents(book, numbers, address))
    writer = PdfWriter()
    by_name = {one.entry.document: one for one in book}
    groups = [("", front), ("", table)]
    groups += [(one.entry.document, one.reader) for one in book]
    pages = [
        (name, [writer.add_page(sheet) for sheet in reader.pages])
        for name, reader in groups
    ]
    for name, sheets in pages:
        turn_links(writer, sheets, name, address, by_name, numbers)
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    text = f"{config['title']}. Edition {edition()['version']}, {edition()['date']}"
    for number, sheet in enumerate(writer.pages, start=1):
        if number > 1:
            foot(sheet, writer, number, text)
    outline(writer, book, numbers)
    writer.add_metadata({"/Title": config["title"], "/Author": config["author"]})
    writer.compress_identical_objects()
    output.parent.mkdir(parents=True, exist_ok=True)
    writer.write(output)
    return len(writer.pages)


def main(arguments: list[str] | None = None) -> None:
    """Print the whole book to the file that the command line names."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.exit(__doc__.splitlines()[0])
    if not (SITE / "index.html").is_file():
        sys.exit("The book is not built: run 'make book' first.")
    output = pathlib.Path(arguments[0])
    with chromium() as page:
        count = build(output, entries(), page)
    size = output.stat().st_size / 2**20
    print(f"{output}: {count} pages, {size:.1f} MiB")


if __name__ == "__main__":
    main()
