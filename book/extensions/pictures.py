"""Sphinx extension: pictures that neither jump nor load before they are needed.

A picture's size stands in the page, so the text keeps its place while the picture
comes. It is loaded when the reader is near it; the first one with the page.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

from PIL import Image
from sphinx.application import Sphinx

IMAGE = re.compile(r"<img\b[^>]*>")
SOURCE = re.compile(r'\bsrc="[^"]*_images/([^"/]+)"')
VIEW = re.compile(r'viewBox="\S+ \S+ ([\d.]+) ([\d.]+)"')


def size(path: Path) -> tuple[int, int] | None:
    """Return a picture's width and height; None for a drawing that does not say."""
    if path.suffix != ".svg":
        with Image.open(path) as picture:
            return picture.size
    found = VIEW.search(path.read_text(encoding="utf-8"))
    return (round(float(found[1])), round(float(found[2]))) if found else None


def attributes(path: Path, place: int, tag: str) -> list[str]:
    """Write what a page's picture needs beside its source; `place` counts from 0."""
    more = ['decoding="async"']
    if place:
        more.append('loading="lazy"')
    if not re.search(r"\s(width|height)=", tag) and (found := size(path)):
        more.append(f'width="{found[0]}" height="{found[1]}"')
    return more


def settle(app, pagename, templatename, context, doctree) -> None:
    """Write sizes and the way of loading into a page's pictures."""
    if not isinstance(context.get("body"), str):
        return
    files = {name: Path(app.srcdir, path) for path, name in app.builder.images.items()}
    place = -1

    def settled(match: re.Match) -> str:
        nonlocal place
        source = SOURCE.search(match[0])
        path = files.get(html.unescape(source[1])) if source else None
        if path is None:
            return match[0]
        place += 1
        return f"<img {' '.join(attributes(path, place, match[0]))}{match[0][4:]}"

    context["body"] = IMAGE.sub(settled, context["body"])


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx, after the extensions that write into the page."""
    app.connect("html-page-context", settle, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
