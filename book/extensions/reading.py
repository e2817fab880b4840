"""What a page does for its reader beside the text, as an extension of Sphinx.

Figures and equations are numbered by chapter: Figure 7.3, (7b.1). A chapter opens
with a line of links (Colab, download, run it here) and with its goals, prerequisites
and minutes in one box. Every page names the edition, which is decided in
`src/lessons/__init__.py` and `CITATION.cff`; the clock is never asked.
"""

from __future__ import annotations

import datetime
import functools
import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[2]
# By hand, because strftime follows the machine's language.
MONTHS = [
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
]

GOALS = "You will be able to"
MINUTES = "Time"


# The numbers.


def chapter(docname: str) -> str | None:
    """Return a chapter's number as it is written, `7b`; None for another page."""
    found = re.match(r"notebooks/0*(\d+[a-z]?)_", docname)
    return found[1] if found else None


def number_by_chapter(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Number what has a number from 1 in each page, with its chapter in front."""
    for docname, kinds in env.toc_fignumbers.items():
        number = chapter(docname)
        front = () if number is None else (number,)
        for places in kinds.values():
            for count, place in enumerate(places, start=1):
                places[place] = (*front, count)
    return []


# The templates: the edition, and the names that the theme leaves out.


@functools.cache
def edition() -> dict[str, str]:
    """Return the edition's version and its date in words."""
    source = (ROOT / "src/lessons/__init__.py").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    released = datetime.date.fromisoformat(str(citation["date-released"]))
    return {
        "version": re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)[1],
        "iso": released.isoformat(),
        "date": f"{released.day} {MONTHS[released.month - 1]} {released.year}",
    }


def fill_templates(app, pagename, templatename, context, doctree) -> None:
    """Give the templates the edition, and mend what the theme leaves unnamed."""
    context["edition"] = edition()
    draw = context["generate_toctree_html"]
    label = '<summary aria-label="Pages of this chapter">'

    def drawn(*args, **options) -> str:
        return str(draw(*args, **options)).replace("<summary>", label)

    context["generate_toctree_html"] = drawn


# The opening of a chapter.


def colab(app: Sphinx, docname: str) -> str:
    """Return the address that opens a notebook of the repository on Colab."""
    options = app.config.html_theme_options
    place = f"{options['repository_url']}/blob/{options['repository_branch']}"
    host = "https://colab.research.google.com/github"
    return f"{place.replace('https://github.com', host)}/{docname}.ipynb"


def links(app: Sphinx, docname: str, name: str, front: str = "") -> str:
    """Write the line below a notebook's title; `name` is that of the download."""
    up = "../" * docname.count("/")
    return (
        f'<p class="launch">{front}'
        f'<a href="{colab(app, docname)}">Open in Colab</a> '
        f'<a href="{up}_sources/{docname}.ipynb" download="{name}.ipynb">'
        "Download notebook</a> "
        f'<a href="{up}book/use.html#run-on-your-machine">Open locally</a></p>'
    )


def opening(section: nodes.section) -> tuple[int, int] | None:
    """Return the range of a chapter's first nodes that say goals to minutes."""
    starts = [node.astext() for node in section.children]
    first = next((i for i, t in enumerate(starts) if t.startswith(GOALS)), None)
    last = next((i for i, t in enumerate(starts) if t.startswith(MINUTES)), None)
    if first is None or last is None or not first < last < first + 6:
        return None
    return first, last + 1


class ChapterOpening(SphinxTransform):
    """Put a chapter's links below its title, and its goals in a box."""

    default_priority = 900

    def apply(self, **options) -> None:
        """Change the document of one chapter; leave other pages alone."""
        docname = self.env.docname
        section = next(self.document.findall(nodes.section), None)
        if chapter(docname) is None or section is None:
            return
        section["classes"].append("chapter")
        found = opening(section)
        if found:
            first, last = found
            box = nodes.container(classes=["opening"])
            box += section.children[first:last]
            section.children[first:last] = [box]
            section.setup_child(box)
        front = f"<span>Chapter {chapter(docname)}</span> "
        line = links(self.app, docname, docname.rsplit("/", 1)[1], front)
        section.insert(1, nodes.raw("", line, format="html"))


class SetUp(SphinxTransform):
    """Fold the cell that installs the package on Colab: a page needs none of it."""

    default_priority = 902

    def apply(self, **options) -> None:
        """Put the cell in a fold."""
        for node in list(self.document.findall(nodes.container)):
            if "tag_setup" in node["classes"]:
                start = '<details class="setup"><summary>Set-up on Colab</summary>'
                fold = [nodes.raw("", start, format="html"), node]
                fold.append(nodes.raw("", "</details>", format="html"))
                # By its place: replace_self would give the cell's classes to the fold.
                place = node.parent.index(node)
                node.parent[place : place + 1] = fold


class MarginNotes(SphinxTransform):
    """Say to a screen reader that a margin note is a note."""

    default_priority = 901

    def apply(self, **options) -> None:
        """Give each note its role."""
        for node in self.document.findall(nodes.raw):
            text = node.astext()
            if text.startswith('<aside class="margin">'):
                new = text.replace("<aside ", '<aside role="note" ', 1)
                node.children = [nodes.Text(new)]


def setup(app: Sphinx) -> dict[str, object]:
    """Connect the parts to Sphinx."""
    app.add_transform(ChapterOpening)
    app.add_transform(MarginNotes)
    app.add_transform(SetUp)
    # After Sphinx has counted through the whole book.
    app.connect("env-get-updated", number_by_chapter, priority=900)
    # After the theme has made its own.
    app.connect("html-page-context", fill_templates, priority=900)
    app.add_js_file("js/reading.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
