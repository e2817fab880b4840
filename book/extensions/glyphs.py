"""MathJax's style sheet with its fonts inside, cut to the glyphs that the book uses.

Inside, because some browsers refuse a font file to a page opened from the disk, and
because a formula is then never seen without its glyphs.
"""

from __future__ import annotations

import base64
import io
import re
from collections import defaultdict
from pathlib import Path

from fontTools import subset

RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
CONTENT = re.compile(r'content:\s*"((?:[^"\\]|\\.)*)"')
FAMILY = re.compile(r"font-family:\s*(MJX\w[\w-]*)")
SOURCE = re.compile(r'url\("(?:[^"]*/)?([^"/]+\.woff)"\)')

# A bracket that grows is put together from pieces of these fonts, tried in turn.
PIECES = ("MJXTEX-S1", "MJXTEX-S4", "MJXTEX", "MJXTEX-A")
# It holds no ink: it gives each glyph's box its height.
STRUT = "MJXZERO"


def characters(content: str) -> str:
    """Return what a `content` of a style sheet stands for."""
    hexed = re.sub(r"\\([0-9A-Fa-f]{1,6}) ?", lambda m: chr(int(m[1], 16)), content)
    return re.sub(r"\\(.)", r"\1", hexed)


def used_glyphs(css: str) -> dict[str, set[str]]:
    """Map each font family of the sheet to the characters taken from it."""
    used = defaultdict(set)
    for selector, body in RULE.findall(css):
        found = CONTENT.search(body)
        if not found:
            continue
        variant = re.search(r"\.TEX-(\w+)", selector)
        if "stretchy" in selector:
            families = PIECES
        else:
            families = [f"MJXTEX-{variant[1]}" if variant else "MJXTEX"]
        for family in families:
            used[family].update(characters(found[1]))
    return used


def cut_font(path: Path, wanted: set[str]) -> bytes | None:
    """Return a font with the wanted characters alone; None if it has none of them."""
    options = subset.Options(flavor="woff", hinting=False, layout_features=[])
    options.drop_tables += ["FFTM"]
    font = subset.load_font(str(path), options)
    if not wanted & {chr(code) for code in font.getBestCmap()}:
        return None
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(sorted(wanted)))
    cutter.subset(font)
    stream = io.BytesIO()
    subset.save_font(font, stream, options)
    return stream.getvalue()


def embedded(css: str, fonts: Path) -> str:
    """Put the used fonts into a style sheet, and leave out the others.

    Parameters
    ----------
    css : str
        MathJax's sheet, whose fonts are named by address.
    fonts : Path
        The folder of MathJax's font files.
    """
    used = used_glyphs(css)

    def face(rule: re.Match) -> str:
        if not rule[1].strip().startswith("@font-face"):
            return rule[0]
        family, name = FAMILY.search(rule[2])[1], SOURCE.search(rule[2])[1]
        if family == STRUT:
            data = (fonts / name).read_bytes()
        else:
            data = cut_font(fonts / name, used.get(family, set()))
        if data is None:
            return ""
        address = f"data:font/woff;base64,{base64.b64encode(data).decode()}"
        return f'@font-face{{font-family:{family};src:url("{address}") format("woff")}}'

    return RULE.sub(face, css)


def packed(css: str) -> str:
    """Take the comments and the blanks out of a style sheet."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"^(\s+[\w-]+): +", r"\1:", css, flags=re.MULTILINE)
    return re.sub(r" *(\n\s*)+", "", css)
