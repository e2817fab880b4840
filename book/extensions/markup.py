"""Sphinx extension: three things that Sphinx writes and a screen reader stumbles over.

The empty corner of a table is no header, an entry of the bibliography is an item of
its list, and the lines of a long signature are no list of definitions. Each is mended
where it is written: the translator's own method runs first, then what it wrote changes.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

# What opens and closes the lines of a long signature, and what takes its place.
LINES = {
    "<dl": "",
    "<dd": '<span class="sig-line">',
    "</dd": "</span>\n",
    "</dl": "",
}


def visit_entry(writer, node: nodes.entry) -> None:
    """Write a table's cell; an empty one is no header."""
    type(writer).visit_entry(writer, node)
    if not node.astext().strip():
        writer.body[-1] = writer.body[-1].replace("<th", "<td", 1)
        writer.context[-1] = writer.context[-1].replace("</th", "</td", 1)


def depart_entry(writer, node: nodes.entry) -> None:
    """Close the cell."""
    type(writer).depart_entry(writer, node)


def visit_citation(writer, node: nodes.citation) -> None:
    """Write an entry of the bibliography as an item of the list around it."""
    type(writer).visit_citation(writer, node)
    given, ours = 'role="doc-biblioentry"', 'role="listitem"'
    writer.body[-1] = writer.body[-1].replace(given, ours, 1)


def depart_citation(writer, node: nodes.citation) -> None:
    """Close the entry."""
    type(writer).depart_citation(writer, node)


def visit_parameters(writer, node: addnodes.desc_parameterlist) -> None:
    """Open a signature, and remember where it begins."""
    node["begins"] = len(writer.body)
    type(writer).visit_desc_parameterlist(writer, node)


def depart_parameters(writer, node: addnodes.desc_parameterlist) -> None:
    """Close a signature; a long one becomes lines."""
    type(writer).depart_desc_parameterlist(writer, node)
    written = writer.body[node["begins"] :]
    writer.body[node["begins"] :] = [
        next((new for old, new in LINES.items() if part.startswith(old)), part)
        for part in written
    ]


def setup(app: Sphinx) -> dict[str, object]:
    """Put the methods in place of the translator's."""
    ours = {
        nodes.entry: (visit_entry, depart_entry),
        nodes.citation: (visit_citation, depart_citation),
        addnodes.desc_parameterlist: (visit_parameters, depart_parameters),
    }
    for node, methods in ours.items():
        app.add_node(node, override=True, html=methods)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
