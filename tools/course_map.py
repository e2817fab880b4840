"""Draw the map of the course: `python tools/course_map.py`.

It writes `book/figures/course_map.html`, which the welcome page includes. There
are two drawings, a wide one and a tall one for a phone; the style sheet shows
one of them. Colours come from the style sheet, so they follow light and dark.
"""

import pathlib
from collections.abc import Iterator
from typing import NamedTuple

TARGET = pathlib.Path(__file__).resolve().parents[1] / "book/figures/course_map.html"


class Part(NamedTuple):
    """A part of the course: its names and its chapters (number, short title)."""

    number: str
    title: str
    result: str
    chapters: list[tuple[str, str]]


PARTS = [
    Part(
        "I",
        "A trained network",
        "You train a network that you can explain line by line.",
        [
            ("01", "Activations"),
            ("02", "Backpropagation"),
            ("03", "Deep networks"),
            ("04", "The training loop"),
            ("05", "Generalisation"),
            ("06", "Evaluation"),
        ],
    ),
    Part(
        "II",
        "Architectures",
        "You build networks for images, sequences and text.",
        [
            ("07", "Convolution"),
            ("08", "Recurrence"),
            ("09", "Attention"),
        ],
    ),
    Part(
        "III",
        "Large models",
        "You pre-train, adapt, scale and compress a model.",
        [
            ("10", "Tokenisation"),
            ("11", "BERT"),
            ("12", "GPT"),
            ("13", "Transfer"),
            ("14", "Generation"),
            ("15", "Scaling"),
            ("16", "Compression"),
            ("17", "Search"),
            ("18", "Continual learning"),
        ],
    ),
    Part(
        "IV",
        "Products",
        "You ship a product and know what it costs.",
        [
            ("19", "Recommendation"),
            ("20", "Speech"),
            ("21", "Vision and text"),
            ("22", "Interpretability"),
            ("23", "Privacy"),
            ("24", "Fairness"),
            ("25", "Deployment"),
            ("26", "An assistant"),
            ("27", "Business case"),
        ],
    ),
]

# The first edition is these seven; the others come with later editions.
CORE = {"01", "02", "03", "04", "07", "08", "09"}


def in_words() -> str:
    """Say in sentences what the drawing shows."""
    sentences = ["The course has four parts, read in order."]
    for part in PARTS:
        names = ", ".join(f"{number} {title}" for number, title in part.chapters)
        sentences.append(f"Part {part.number}, {part.title}: {names}. {part.result}")
    sentences.append(
        "Chapters 07, 08 and 09 each follow from chapter 04. Chapters 01 to 04 and "
        "07 to 09 make up the first edition; the others come with later editions."
    )
    return " ".join(sentences)


def box(x: float, y: float, width: float, number: str, title: str) -> str:
    """Draw one chapter; height 36."""
    kind = "core" if number in CORE else "later"
    return (
        f'<g class="map-{kind}"><rect x="{x}" y="{y}" width="{width}" height="36" '
        f'rx="6"/><text x="{x + 10}" y="{y + 23}"><tspan class="map-number">{number}'
        f'</tspan> <tspan dx="3">{title}</tspan></text></g>'
    )


def arrow(path: str) -> str:
    """Draw a line with a head at its end."""
    return f'<path class="map-arrow" d="{path}"/>'


def heading(x: float, y: float, part: Part) -> str:
    """Draw a part's name."""
    return (
        f'<text class="map-part" x="{x}" y="{y}">Part {part.number}</text>'
        f'<text class="map-title" x="{x}" y="{y + 20}">{part.title}</text>'
    )


def svg(name: str, width: int, height: int, body: Iterator[str]) -> str:
    """Wrap the marks in a drawing that has a name and a description."""
    marks = "\n".join(body)
    return f"""<svg class="course-map course-map-{name}" viewBox="0 0 {width} {height}"
 role="img" aria-labelledby="map-{name}-title map-{name}-text">
<title id="map-{name}-title">Map of the course</title>
<desc id="map-{name}-text">{in_words()}</desc>
<defs><marker id="map-{name}-head" class="map-head" viewBox="0 0 8 8" refX="7" refY="4"
 markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z"/>
</marker></defs>
<style>.course-map-{name} .map-arrow {{ marker-end: url(#map-{name}-head); }}</style>
{marks}
</svg>"""


def wide() -> Iterator[str]:
    """Draw the parts side by side."""
    width, step, top = 194, 46, 62
    left = [2 + 220 * column for column in range(4)]
    for x, part in zip(left, PARTS, strict=True):
        yield heading(x, 18, part)
        # Part II stands level with chapters 03 to 05, beside the chapter it follows.
        first = 2 if part.number == "II" else 0
        for row, (number, title) in enumerate(part.chapters, first):
            yield box(x, top + row * step, width, number, title)
            if part.number == "I" and row:
                yield arrow(f"M{x + 24} {top + row * step - 10} v9")
    # From the end of chapter 04 to each architecture.
    edge, level = left[0] + width, top + 3 * step + 18
    for row in (2, 3, 4):
        yield arrow(f"M{edge} {level} h12 V{top + row * step + 18} h13")
    for column in (1, 2):
        x = left[column] + width
        yield arrow(f"M{x + 2} {level} h23")


def tall() -> Iterator[str]:
    """Draw the parts below each other, two chapters a row."""
    width, step, y = 170, 44, 18
    for index, part in enumerate(PARTS):
        yield heading(2, y, part)
        for place, (number, title) in enumerate(part.chapters):
            row, column = divmod(place, 2)
            yield box(2 + column * 182, y + 34 + row * step, width, number, title)
        y += 34 + (len(part.chapters) + 1) // 2 * step
        if index < len(PARTS) - 1:
            yield arrow(f"M178 {y} v16")
            y += 40


def drawing() -> str:
    """Give the two drawings."""
    return svg("wide", 858, 478, wide()) + "\n" + svg("tall", 358, 918, tall()) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(drawing(), encoding="utf-8")
