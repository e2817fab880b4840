"""Sphinx extension: mathematics typeset while the book is built.

A page needs no script for its formulas, works from the disk and prints. Sphinx keeps
the numbers and the references. A formula that MathJax does not accept ends the build.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from glyphs import embedded, packed
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.math import get_node_equation_number
from typesetter import PACKAGES, FormulaError, Typeset, Typesetter

FONTS = PACKAGES / "mathjax" / "es5" / "output" / "chtml" / "fonts" / "woff-v2"
SHEET = "mathematics.css"

# The text column of a telephone, and what a number takes of it, in em of a formula. A
# wider formula scrolls in its own box, so the keyboard must reach that. Where scripts
# run, `reading.js` looks at the true widths and corrects this.
NARROW, NUMBER = 17.0, 4.5

# What stands right before and after a formula and may not be parted from it.
BEFORE = re.compile(r"[(\[\u201c\u2018]+$")
AFTER = re.compile(r"\S{1,4}(?!\S)|-")
GLUED = NARROW - 2

# Beside MathJax's rules and the theme's, which put a number right of its formula.
# A letter of a formula looks as high as one of the text.
RULES = """
mjx-container[jax="CHTML"] {
  font-size: 1.1em;
  position: relative;
}
.math mjx-container[jax="CHTML"][display="true"] {
  flex: 1 1 0;
  margin: 0;
  min-width: 0;
  overflow-x: auto;
  overflow-y: hidden;
  padding: 0.25em 0;
}
div.math {
  margin: 1.1em 0;
}
.math .eqno {
  flex: none;
}
span.math {
  overflow-x: auto;
  overflow-y: hidden;
}
/* What a screen reader reads takes no room, so it cannot make a box scroll. */
mjx-container[jax="CHTML"] > mjx-assistive-mml {
  height: 1px !important;
  width: 1px !important;
}
@media print {
  .math,
  .math mjx-container[jax="CHTML"][display="true"] {
    overflow: visible;
  }
}
"""


def display_tex(node: nodes.math_block) -> str:
    """Return the TeX of a display, with the environments that Sphinx puts around it.

    Parts between blank lines are lines of their own; `\\\\` breaks a line. A whole
    environment of amsmath stays as it is.
    """
    if node.get("nowrap"):
        return node.astext()
    parts = [part for part in node.astext().split("\n\n") if part.strip()]
    parts = [rf"\begin{{split}}{p}\end{{split}}" if r"\\" in p else p for p in parts]
    if len(parts) < 2:
        return "".join(parts)
    lines = r"\\".join(parts)
    return rf"\begin{{align}}\begin{{aligned}}{lines}\end{{aligned}}\end{{align}}"


def formula(node: nodes.Element) -> tuple[str, bool]:
    """Return a node's TeX and whether it is a display."""
    if isinstance(node, nodes.math_block):
        return display_tex(node), True
    return node.astext(), False


class FormulaCollector(EnvironmentCollector):
    """Keep the formulas of each page, with their lines.

    The style sheet covers all of them, also when only some pages are written anew.
    """

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Forget a page."""
        stored(env).pop(docname, None)

    def merge_other(self, app, env, docnames, other) -> None:
        """Take over the pages that another process has read."""
        stored(env).update({d: f for d, f in stored(other).items() if d in docnames})

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Note the formulas of a page."""
        found = doctree.findall(
            lambda node: isinstance(node, nodes.math | nodes.math_block)
        )
        stored(app.env)[app.env.docname] = [(*formula(n), line(n)) for n in found]


def stored(env: BuildEnvironment) -> dict[str, list[tuple[str, bool, int | None]]]:
    """Return the environment's formulas by page."""
    if not hasattr(env, "book_formulas"):
        env.book_formulas = {}
    return env.book_formulas


def line(node: nodes.Node) -> int | None:
    """Return the line of a node's source; an inline formula knows its parent's."""
    while node is not None and node.line is None:
        node = node.parent
    return None if node is None else node.line


def typeset_all(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Typeset the whole book's formulas, name all wrong ones, and write the sheet."""
    if app.builder.format != "html":
        return []
    app.book_typesetter = Typesetter()
    faults = []
    for docname, formulas in sorted(stored(env).items()):
        for tex, display, where in formulas:
            try:
                app.book_typesetter.typeset(tex, display)
            except FormulaError as error:
                faults.append(f"{env.doc2path(docname, False)}:{where or '?'}: {error}")
    if faults:
        raise ExtensionError("\n".join(["MathJax refuses:", *faults]))
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    sheet = embedded(app.book_typesetter.sheet(), FONTS) + RULES
    (folder / SHEET).write_text(packed(sheet), encoding="utf-8")
    return []


def typeset(writer, node: nodes.Element) -> Typeset:
    """Typeset a node that is being written; name the page where that fails."""
    try:
        return writer.builder.app.book_typesetter.typeset(*formula(node))
    except FormulaError as error:
        raise ExtensionError(f"{writer.docnames[0]}: {error}") from error


def visit_inline(writer, node: nodes.math) -> None:
    """Write a formula of the running text."""
    done = typeset(writer, node)
    stop = {"tabindex": "0"} if done.width > NARROW else {}
    names = "math notranslate nohighlight"
    tag = writer.starttag(node, "span", "", CLASS=names, **stop)
    writer.body.append(f"{tag}{done.html}</span>")
    raise nodes.SkipNode


def visit_display(writer, node: nodes.math_block) -> None:
    """Write a formula that has a line of its own, with its number."""
    done = typeset(writer, node)
    names = "math notranslate nohighlight"
    writer.body.append(writer.starttag(node, "div", CLASS=names))
    if node["number"]:
        number = get_node_equation_number(writer, node)
        writer.body.append(f'<span class="eqno">({number})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    wide = done.width > (NARROW - NUMBER if node["number"] else NARROW)
    stop = '<mjx-container tabindex="0" ' if wide else "<mjx-container "
    writer.body.append(f"{done.html.replace('<mjx-container ', stop, 1)}</div>\n")
    raise nodes.SkipNode


class Glue(SphinxPostTransform):
    """Keep a formula and its full stop in one line.

    A browser may break a line at a formula, even before a full stop. A wide formula
    stays free, because it fills a line of a telephone.
    """

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs) -> None:
        """Change the document of one page."""
        for node in list(self.document.findall(nodes.math)):
            width = self.app.book_typesetter.typeset(node.astext(), False).width
            if width <= GLUED:
                glue(node)


def glue(node: nodes.math) -> None:
    """Put a formula in one box with the signs that touch it."""
    parent, place = node.parent, node.parent.index(node)
    box = nodes.inline(classes=["glued"])
    before = parent[place - 1] if place else None
    after = parent[place + 1] if place + 1 < len(parent) else None
    if isinstance(before, nodes.Text) and (found := BEFORE.search(before)):
        parent[place - 1] = nodes.Text(before[: found.start()])
        box += nodes.Text(found[0])
    parent[place] = box
    box += node
    if isinstance(after, nodes.Text) and (found := AFTER.match(after)):
        parent[place + 1] = nodes.Text(after[found.end() :])
        box += nodes.Text(found[0])
    if len(box) == 1:
        parent[place] = node


def close(app: Sphinx, error: Exception | None) -> None:
    """End MathJax with the build."""
    if hasattr(app, "book_typesetter"):
        app.book_typesetter.close()


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx."""
    app.add_html_math_renderer(
        "typeset",
        inline_renderers=(visit_inline, None),
        block_renderers=(visit_display, None),
    )
    app.add_env_collector(FormulaCollector)
    app.add_post_transform(Glue)
    app.connect("env-updated", typeset_all)
    app.connect("build-finished", close)
    app.add_css_file(SHEET)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True}
