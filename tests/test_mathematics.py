"""The book's typesetting: MathJax in Node, its style sheet, and what the build refuses.

The packages are those that `make book` fetches.
"""

import base64
import io
import sys
from types import SimpleNamespace

import pytest
from book_site import ROOT
from docutils import nodes
from fontTools.ttLib import TTFont
from sphinx.errors import ExtensionError

sys.path.insert(0, str(ROOT / "book" / "extensions"))

import glyphs
import mathematics
from typesetter import PACKAGES, FormulaError, Typesetter


@pytest.fixture(scope="module")
def typesetter():
    assert PACKAGES.is_dir(), "run 'make book' first"
    running = Typesetter()
    yield running
    running.close()


def test_a_formula_holds_its_glyphs_and_words_for_a_screen_reader(typesetter):
    inline = typesetter.typeset(r"x^2 < y", False)
    assert inline.html.startswith("<mjx-container")
    assert "mjx-c1D465" in inline.html
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in inline.html
    assert 'display="true"' in typesetter.typeset(r"x^2 < y", True).html


def test_widths_are_in_em(typesetter):
    one = typesetter.typeset("m", False).width
    assert 0.8 < one < 0.95
    assert typesetter.typeset("mmmm", False).width == pytest.approx(4 * one)


@pytest.mark.parametrize(
    ("tex", "reason"),
    [
        (r"\frac{1", "Missing close brace"),
        (r"\unheard", "Undefined control sequence"),
        (r"x_1_2", "Double subscripts"),
        (r"\begin{align} x", "Missing \\\\end{align}"),
    ],
)
def test_a_wrong_formula_is_refused_with_the_reason(typesetter, tex, reason):
    with pytest.raises(FormulaError, match=reason) as caught:
        typesetter.typeset(tex, True)
    assert tex in str(caught.value)
    assert typesetter.typeset("x", True).html, "and the next one is typeset"


def test_a_wrong_formula_ends_the_build_and_names_the_page(tmp_path):
    env = SimpleNamespace(
        book_formulas={
            "notebooks/01": [("x", False, 3), (r"\unheard", True, 20002)],
            "book/use": [(r"\frac{", False, None)],
        },
        doc2path=lambda docname, absolute: f"{docname}.ipynb",
    )
    builder = SimpleNamespace(format="html")
    app = SimpleNamespace(builder=builder, outdir=tmp_path)
    with pytest.raises(ExtensionError) as caught:
        mathematics.typeset_all(app, env)
    mathematics.close(app, None)
    assert r"notebooks/01.ipynb:20002: Undefined" in str(caught.value)
    assert r"\unheard" in str(caught.value)
    assert "book/use.ipynb:?: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "nowrap", "tex"),
    [
        ("a = b", False, "a = b"),
        (r"a \\ b", False, r"\begin{split}a \\ b\end{split}"),
        (
            "a\n\nb",
            False,
            r"\begin{align}\begin{aligned}a\\b\end{aligned}\end{align}",
        ),
        (r"\begin{align}a \\ b\end{align}", True, r"\begin{align}a \\ b\end{align}"),
    ],
)
def test_a_display_gets_the_environments_that_sphinx_gives_it(text, nowrap, tex):
    node = nodes.math_block(text, text, nowrap=nowrap, number=None)
    assert mathematics.display_tex(node) == tex


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        ("see ", ". Then", "x."),
        ("see (", "), then", "(x),"),
        ("the ", "-dimensional", "x-"),
        ("the ", "th row", "xth"),
        ("so ", " is", None),
        ("so ", "beginning", None),
        ("", "", None),
    ],
)
def test_a_formula_keeps_what_touches_it(before, after, whole):
    parts = [nodes.Text(before), nodes.math("", "x"), nodes.Text(after)]
    paragraph = nodes.paragraph("", "", *parts)
    mathematics.glue(paragraph[1])
    assert paragraph.astext() == f"{before}x{after}"
    glued = [
        n.astext() for n in paragraph.findall(nodes.inline) if "glued" in n["classes"]
    ]
    assert glued == ([whole] if whole else [])
    assert len(list(paragraph.findall(nodes.math))) == 1


def test_the_sheet_holds_the_used_glyphs_alone(typesetter):
    typesetter.typeset(r"\left(\begin{matrix}q\\q\\q\\q\\q\end{matrix}\right)", True)
    css = typesetter.sheet()
    used = glyphs.used_glyphs(css)
    assert "q" in used["MJXTEX-I"]
    assert "Z" not in used["MJXTEX-I"]
    assert "\u239b" in used["MJXTEX-S4"], "the upper piece of a high bracket"
    fonts = PACKAGES / "mathjax/es5/output/chtml/fonts/woff-v2"
    sheet = glyphs.packed(glyphs.embedded(css, fonts))
    assert "MJXTEX-FR" not in sheet.split("@font-face", 1)[1], "no Fraktur is used"
    letters = sheet.split("@font-face{font-family:MJXTEX-I;", 1)[1]
    data = letters.split("base64,", 1)[1].split('"', 1)[0]
    held = TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap()
    assert {chr(code) for code in held} == used["MJXTEX-I"]


@pytest.mark.parametrize(
    ("content", "text"),
    [("a", "a"), ("\\2211", "\u2211"), ('\\"', '"'), ("\\\\", "\\"), ("\\28 b", "(b")],
)
def test_a_style_sheet_s_characters_are_read(content, text):
    assert glyphs.characters(content) == text


def test_packing_keeps_what_a_glyph_says():
    css = 'a {\n  content: " : ";\n  color: red; /* why */\n}\n\nb, c {\n  top: 0;\n}\n'
    assert glyphs.packed(css) == 'a {content:" : ";color:red;}b, c {top:0;}'
