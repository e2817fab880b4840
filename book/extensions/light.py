"""Sphinx extension: a page loads what it uses, and its text waits for no script.

Extensions name their style sheets and scripts for every page; here a page keeps those
that something in it calls for, and its scripts run after the page is read.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

CLASS = r'class="[^"]*\b'

# A file, or the beginning of a script in the page: what in the page calls for it.
CALLS = {
    "mathematics.css": r"<mjx-container",
    "mystnb.": CLASS + r"cell\b",
    "copybutton.": CLASS + r"highlight\b",
    "clipboard.min.js": CLASS + r"highlight\b",
    "togglebutton.": CLASS + r"(toggle|dropdown)\b",
    "let toggle": CLASS + r"(toggle|dropdown)\b",
    "var togglebutton": CLASS + r"(toggle|dropdown)\b",
    "sphinx-design.": CLASS + r"sd-",
    "design-tabs.js": CLASS + r"sd-tab",
    "exercise.css": CLASS + r"(exercise|solution)\b",
    "proof.css": CLASS + r"proof\b",
    # Switches of the theme for what the book does not have.
    "DOCUMENTATION_OPTIONS.": r"(?!)",
}


def wanted(file, page: str) -> bool:
    """Tell whether a page uses a style sheet or a script."""
    if file.filename:
        name = Path(file.filename).name
    else:
        name = file.attributes.get("body", "").lstrip()
    calls = (call for start, call in CALLS.items() if name.startswith(start))
    return all(re.search(call, page) for call in calls)


def patient(script):
    """Return a script that does not keep the text from being shown."""
    if not script.filename or {"async", "defer", "type"} & set(script.attributes):
        return script
    options = {**script.attributes, "defer": "defer"}
    return type(script)(script.filename, priority=script.priority, **options)


def shown(context: dict) -> str:
    """Return the parts of a page that differ from page to page."""
    parts = [context.get(key) for key in ("body", "toc", "title")]
    parts += [
        step["title"] for step in (context.get("prev"), context.get("next")) if step
    ]
    return " ".join(part for part in parts if isinstance(part, str))


def lighten(app, pagename, templatename, context, doctree) -> None:
    """Take from a page's list of files those that it does not use."""
    page = shown(context)
    context["css_files"] = [f for f in context["css_files"] if wanted(f, page)]
    scripts = [f for f in context["script_files"] if wanted(f, page)]
    # The search page's own scripts run at once and need these before them.
    if pagename != "search":
        scripts = [patient(script) for script in scripts]
    context["script_files"] = scripts


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx, after every other extension."""
    app.connect("html-page-context", lighten, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
