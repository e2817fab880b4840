"""Sphinx extension: the terms of `book/terms.yml` in the index and in the search.

The search of Sphinx knows which page holds a word, not which page explains it. A term
listed for a page leads to the place where the page explains it, and comes first.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

TERMS = Path(__file__).resolve().parents[1] / "terms.yml"
SCORER = Path(__file__).resolve().parents[1] / "_static" / "js" / "scorer.js"


@functools.cache
def listed() -> dict[str, list[tuple[str, str]]]:
    """Return the terms of each page, with the words to look for."""
    pages = yaml.safe_load(TERMS.read_text(encoding="utf-8"))
    return {page: [pair(item) for item in items] for page, items in pages.items()}


def pair(item: str | dict[str, str]) -> tuple[str, str]:
    """Return a term and the words that stand for it on its page."""
    return (item, item) if isinstance(item, str) else next(iter(item.items()))


def words(text: str) -> str:
    """Return a text in small letters, with spaces for hyphens and line ends."""
    return re.sub(r"[\W_]+", " ", text.lower())


def names(text: str, term: str) -> bool:
    """Tell whether a text names a term, be it in the plural or as part of a form."""
    stem = words(term).strip()
    return re.search(rf"\b{re.escape(stem)}(s|es|d)?\b", words(text)) is not None


def stressed(node: nodes.Element) -> str:
    """Return what a paragraph prints bold or in italics: there a term is new."""
    parts = [*node.findall(nodes.strong), *node.findall(nodes.emphasis)]
    return " | ".join(part.astext() for part in parts)


def explained(document: nodes.document, term: str) -> nodes.Element | None:
    """Find the section or the paragraph that explains a term."""
    for section in document.findall(nodes.section):
        if names(section.next_node(nodes.title).astext(), term):
            return section
    paragraphs = list(document.findall(nodes.paragraph))
    for text in (stressed, nodes.Element.astext):
        for paragraph in paragraphs:
            if names(text(paragraph), term):
                return paragraph
    return None


def section_of(node: nodes.Element) -> nodes.section:
    """Return the section in which a node stands."""
    while not isinstance(node, nodes.section):
        node = node.parent
    return node


class Terms(SphinxTransform):
    """Give each listed term its entry in the index."""

    default_priority = 905

    def apply(self, **options) -> None:
        """Enter the terms of one page."""
        entries: dict[nodes.section, list] = {}
        for term, others in listed().get(self.env.docname, []):
            place = explained(self.document, others)
            if place is None:
                logger.warning("no place explains %r", others, location=self.document)
                continue
            section = section_of(place)
            entry = ("single", term, section["ids"][0], "main", None)
            entries.setdefault(section, []).append(entry)
        for section, found in entries.items():
            section.insert(1, addnodes.index(entries=found))


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx."""
    app.add_transform(Terms)
    app.connect(
        "config-inited",
        lambda app, config: setattr(config, "html_search_scorer", str(SCORER)),
    )
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
