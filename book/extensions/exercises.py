"""A chapter lists its checked exercises; their pages open on Colab and can be loaded.

The pages are the students' versions: the sources with the solutions are no documents
of the book.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from docutils import nodes
from reading import colab, links
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from lessons.grading.cells import facts

FOLDER = "notebooks/exercises/student"
ROOT = Path(__file__).resolve().parents[2]


def exercise_set(docname: str) -> str | None:
    """Return the document of a chapter's exercises: 7b has those of 7."""
    number = re.match(r"notebooks/(\d+)[a-z]?_", docname)
    found = sorted((ROOT / FOLDER).glob(f"{number[1]}_*.ipynb")) if number else []
    return f"{FOLDER}/{found[0].stem}" if found else None


def stated(docname: str) -> list[tuple[str, str]]:
    """Return the titles of a set's exercises and what each asks for."""
    notebook = nbformat.read(ROOT / f"{docname}.ipynb", as_version=4)
    return [
        (
            each.title,
            f"{each.kind}, {each.level}, {each.minutes} minutes, "
            f"{each.points} point{'s' * (each.points > 1)}",
        )
        for each in facts(notebook)
    ]


def link_to(docname: str, text: str) -> addnodes.pending_xref:
    """Return a link to a document of the book."""
    options = {"refdomain": "std", "reftype": "doc", "refexplicit": True}
    link = addnodes.pending_xref("", reftarget=f"/{docname}", refwarn=True, **options)
    link += nodes.inline("", text)
    return link


class ExerciseList(SphinxTransform):
    """Put the list of checked exercises below a chapter's own."""

    default_priority = 890

    def apply(self, **options) -> None:
        """Change the document of a chapter that has a set."""
        docname = exercise_set(self.env.docname)
        sections = self.document.findall(nodes.section)
        named = [s for s in sections if s[0].astext().lower().startswith("exercises")]
        if docname is None or not named:
            return
        self.env.note_dependency(str(ROOT / f"{docname}.ipynb"))
        items = stated(docname)
        words = f"{len(items)} more, all but the last checked while you write: "
        line = nodes.paragraph("", words)
        line += link_to(docname, "read them here")
        line += nodes.Text(" or ")
        address = colab(self.app, docname)
        line += nodes.reference("", "open them on Colab", refuri=address)
        line += nodes.Text(".")
        rows = nodes.enumerated_list(enumtype="arabic", prefix="", suffix=".")
        for title, asks in items:
            text = nodes.paragraph("", f"{title} ")
            text += nodes.inline("", f"({asks})", classes=["facts"])
            rows += nodes.list_item("", text)
        box = nodes.container("", line, rows, classes=["exercise-set"])
        named[-1] += box


class ExercisePage(SphinxTransform):
    """Put a line of links below the title of a set of exercises."""

    default_priority = 900

    def apply(self, **options) -> None:
        """Change the document of a set."""
        docname = self.env.docname
        section = next(self.document.findall(nodes.section), None)
        if not docname.startswith(f"{FOLDER}/") or section is None:
            return
        section["classes"].append("chapter")
        line = links(self.app, docname, "exercises-" + docname.rsplit("/", 1)[1])
        section.insert(1, nodes.raw("", line, format="html"))


def setup(app: Sphinx) -> dict[str, object]:
    """Connect the parts to Sphinx."""
    app.add_transform(ExerciseList)
    app.add_transform(ExercisePage)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
