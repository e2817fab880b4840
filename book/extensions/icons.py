"""Sphinx extension: the theme's icons as a small style sheet.

The theme brings all of Font Awesome as a script of 1.4 MB. The book uses some thirty
of its drawings: here they become masks, in the colour of the text around them. They
come from the npm package that `book/assets` pins.
"""

from __future__ import annotations

import re
import shutil
import urllib.parse
from pathlib import Path

from sphinx.application import Sphinx
from typesetter import PACKAGES

SVGS = PACKAGES / "@fortawesome" / "fontawesome-free" / "svgs"
SHEET = "icons.css"

# Those of the theme's elements `<i class="fa-solid fa-...">`.
SOLID = """
    angle-left angle-right arrow-up bars chevron-down circle-half-stroke download expand
    file file-pdf lightbulb list magnifying-glass moon rocket sun xmark
"""
BRANDS = "github"

TITLE = ".admonition>.admonition-title::after"
# Those that the theme draws before or after a text. The first place of an icon comes
# before those that refine it.
PLACES = {
    "bell": [TITLE],
    "circle-info": [".note" + TITLE],
    "circle-exclamation": [".important" + TITLE, ".attention" + TITLE],
    "triangle-exclamation": [
        ".warning" + TITLE,
        ".caution" + TITLE,
        ".danger" + TITLE,
    ],
    "circle-xmark": [".error" + TITLE],
    "lightbulb": [".tip" + TITLE, ".hint" + TITLE],
    "share": [".seealso" + TITLE],
    "pencil": [".admonition-todo" + TITLE],
    "clock-rotate-left": ["span.versionmodified::before"],
    "file-arrow-down": ["a.reference.download::before"],
    "magnifying-glass-minus": ["div#searchbox p.highlight-link a::before"],
    "angle-down": [".bd-sidebar-secondary.hide:not(:hover) .onthispage::after"],
}

# The theme's variables with the letters of its icon font.
LETTERS = """
    check-circle info-circle exclamation-triangle exclamation-circle times-circle
    lightbulb download external-link search-minus share bell pencil
"""

ELEMENTS = ":is(.fa-solid,.fa-brands,.fa-regular,.fas,.fab,.far)::before"
RULES = """/* Icons: Font Awesome Free, https://fontawesome.com, CC BY 4.0. */
html{%(letters)s}
%(boxes)s{background:currentColor;content:"";display:inline-block;height:1em;
-webkit-mask:var(--icon) center/contain no-repeat;
mask:var(--icon) center/contain no-repeat;print-color-adjust:exact;
vertical-align:-.125em;width:var(--icon-width,1em)}
%(title)s{height:1rem;top:.75rem;width:1rem}
@media (forced-colors:active){
%(boxes)s{background:CanvasText;forced-color-adjust:none}}
"""

# The theme's own rules for them, one for each of 1,900 icons, and its icon fonts.
THEIRS = re.compile(
    r'(?:\.fa-[\w-]+:before,?)+\{content:"[^"]*"\}'
    r"|@font-face\{[^}]*Font Awesome[^}]*\}"
)


def drawing(folder: str, name: str) -> str:
    """Return the declarations of an icon: its mask, and its width at a height of 1."""
    svg = (SVGS / folder / f"{name}.svg").read_text(encoding="utf-8")
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    code = urllib.parse.quote(svg.replace('"', "'"), safe=" '=:/,.-")
    return f'--icon:url("data:image/svg+xml,{code}");--icon-width:{width / height:g}em'


def sheet() -> str:
    """Write the style sheet of all icons."""
    rules = RULES % {
        "letters": ";".join(f'--pst-icon-{name}:""' for name in LETTERS.split()),
        "boxes": ",".join([ELEMENTS, *(places[0] for places in PLACES.values())]),
        "title": TITLE,
    }
    lines = [
        f".fa-{name}{{{drawing(folder, name)}}}\n"
        for folder, names in [("solid", SOLID), ("brands", BRANDS)]
        for name in names.split()
    ]
    for name, places in PLACES.items():
        lines.append(f"{','.join(places)}{{{drawing('solid', name)}}}\n")
    return rules + "".join(lines)


def write_sheet(app: Sphinx) -> None:
    """Put the sheet among the files of the site."""
    if app.builder.format == "html":
        folder = Path(app.outdir) / "_static"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SHEET).write_text(sheet(), encoding="utf-8")


def leave_out_theirs(app: Sphinx, error: Exception | None) -> None:
    """Take the theme's script, fonts and rules of icons out of the site."""
    if error is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    shutil.rmtree(static / "vendor" / "fontawesome", ignore_errors=True)
    for path in static.glob("scripts/fontawesome.js*"):
        path.unlink()
    theme = static / "styles" / "pydata-sphinx-theme.css"
    css = theme.read_text(encoding="utf-8")
    theme.write_text(THEIRS.sub("", css), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_sheet)
    app.connect("build-finished", leave_out_theirs)
    app.add_css_file(SHEET)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
