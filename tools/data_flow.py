"""Draw how data flows through the families of models: `python tools/data_flow.py`.

It writes `book/figures/data_flow.html`, which the welcome page includes. Each family
has four cells: input, features, hidden layers, output. There are two drawings, a wide
one with a row for each family and a tall one for a phone; the style sheet shows one of
them. Colours come from the style sheet, so they follow light and dark.
"""

import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

TARGET = pathlib.Path(__file__).resolve().parents[1] / "book/figures/data_flow.html"

# A cell: the drawing is 76 high, two lines of text stand below it.
WIDTH, HEIGHT, TEXT, GAP = 165, 76, 40, 28
ROW = HEIGHT + TEXT + 34  # from one row of the tall drawing to the next
STAGES = ["Input", "Features", "Hidden layers", "Output"]
STEPS = 5  # of a sequence, as drawn

# A seven in 7 x 7 pixels.
SEVEN = ["#######", "#....##", "....##.", "...##..", "..##...", "..##...", "..##..."]
VALUES = ["#..#", ".#..", "##.#", "..#.", ".##."]  # of the vectors, as drawn


class Cell(NamedTuple):
    """One cell: what draws it, what happens in it, and the shape that leaves it."""

    draw: Callable[[float, float], Iterator[str]]
    what: str
    shape: str


class Family(NamedTuple):
    """A family of models: its names, its cells and what it is in one sentence."""

    name: str
    chapter: str
    cells: list[Cell]
    sentence: str


# Marks. Places are the middles of what is drawn there.

Place = tuple[float, float]


def squares(places: list[Place], size: float, kind: str) -> str:
    """Draw squares of one size as one path."""
    path = "".join(
        f"M{x - size / 2:g} {y - size / 2:g}h{size:g}v{size:g}h-{size:g}z"
        for x, y in places
    )
    return f'<path class="flow-{kind}" d="{path}"/>'


def dots(places: list[Place]) -> Iterator[str]:
    """Draw units."""
    for x, y in places:
        yield f'<circle class="flow-unit" cx="{x:g}" cy="{y:g}" r="4"/>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "arrow") -> str:
    """Draw a straight line."""
    return f'<path class="flow-{kind}" d="M{x1:g} {y1:g}L{x2:g} {y2:g}"/>'


def wires(left: list[Place], right: list[Place]) -> str:
    """Join every place of one list with every place of the other."""
    path = "".join(
        f"M{x1:g} {y1:g}L{x2:g} {y2:g}" for x1, y1 in left for x2, y2 in right
    )
    return f'<path class="flow-wire" d="{path}"/>'


def text(kind: str, x: float, y: float, words: str) -> str:
    """Write a line of text; an x between spaces becomes a multiplication sign."""
    words = words.replace(" x ", "&#215;")
    return f'<text class="flow-{kind}" x="{x:g}" y="{y:g}">{words}</text>'


def column(x: float, y: float, count: int, gap: float) -> list[Place]:
    """Return the places of a column around x, y."""
    return [(x, y + (i - (count - 1) / 2) * gap) for i in range(count)]


def row(x: float, y: float, count: int, gap: float) -> list[Place]:
    """Return the places of a row around x, y."""
    return [(x + (i - (count - 1) / 2) * gap, y) for i in range(count)]


# Cells. x and y are the middle.


def ink(places: list[Place], letters: str, size: float) -> Iterator[str]:
    """Draw pixels, dark where the letters say so."""
    marks = list(zip(places, letters, strict=True))
    yield squares([p for p, letter in marks if letter == "."], size, "paper")
    yield squares([p for p, letter in marks if letter == "#"], size, "ink")


def image(x: float, y: float) -> Iterator[str]:
    """Draw a picture of a digit in a few pixels."""
    places = [p for _, level in column(x, y, 7, 9) for p in row(x, level, 7, 9)]
    yield from ink(places, "".join(SEVEN), 9)


def pixels(x: float, y: float) -> Iterator[str]:
    """Draw the first rows of the picture laid end to end."""
    yield from ink(row(x, y, 14, 11), SEVEN[0] + SEVEN[1], 11)


def dense(x: float, y: float) -> Iterator[str]:
    """Draw a layer in which every unit sees every value."""
    left, right = column(x - 42, y, 6, 13), column(x + 42, y, 5, 13)
    yield wires(left, right)
    yield squares(left, 8, "paper")
    yield from dots(right)


def maps(x: float, y: float) -> Iterator[str]:
    """Draw six maps, then sixteen smaller ones."""
    for i in range(6):
        yield squares([(x - 56 + 4 * i, y - 10 + 4 * i)], 40, "map")
    yield line(x - 8, y, x + 8, y)
    for i in range(16):
        yield squares([(x + 26 + 2.6 * i, y - 20 + 2.6 * i)], 20, "map")


def funnel(x: float, y: float) -> Iterator[str]:
    """Draw three layers, each smaller than the one before."""
    first, *rest = (column(x + dx, y, n, 12) for dx, n in [(-60, 6), (0, 4), (60, 3)])
    yield wires(first, rest[0])
    yield wires(*rest)
    yield squares(first, 8, "paper")
    yield from dots(rest[0] + rest[1])


def bars(heights: list[int], best: int) -> Callable[[float, float], Iterator[str]]:
    """Make a drawing of logits, one of them the highest."""

    def draw(x: float, y: float) -> Iterator[str]:
        for i, (px, py) in enumerate(row(x, y + 32, len(heights), 13)):
            kind, high = "best" if i == best else "bar", heights[i]
            path = f"M{px - 4.5:g} {py:g}v-{high}h9v{high}z"
            yield f'<path class="flow-{kind}" d="{path}"/>'

    return draw


def ids(x: float, y: float) -> Iterator[str]:
    """Draw a sequence of token ids."""
    places = row(x, y, STEPS, 28)
    yield squares(places, 25, "paper")
    for (px, py), number in zip(places, [41, 7, 93, 12, 5], strict=True):
        yield text("id", px, py + 4.5, str(number))


def vectors(x: float, y: float) -> Iterator[str]:
    """Draw one vector for each step."""
    for (px, _), letters in zip(row(x, y, STEPS, 28), VALUES, strict=True):
        yield from ink(column(px, y, 4, 14), letters, 14)


def chain(x: float, y: float) -> Iterator[str]:
    """Draw one cell that reads step after step and carries a state."""
    places = row(x, y - 8, STEPS, 32)
    for px, py in places:
        yield line(px, py + 38, px, py + 13)
    for px, py in places[1:]:
        yield line(px - 21, py, px - 11, py)
    yield squares(places[:-1], 20, "map")
    yield squares(places[-1:], 20, "best")


def attention(x: float, y: float) -> Iterator[str]:
    """Draw every position looking at every position."""
    low, high = row(x, y + 27, STEPS, 31), row(x, y - 27, STEPS, 31)
    yield wires(low, high)
    yield squares(low, 12, "map")
    yield squares(high, 12, "best")


DIGIT = bars([14, 8, 20, 16, 6, 12, 9, 58, 11, 24], 7)
CLASSES = bars([22, 54, 12], 1)

FAMILIES = [
    Family(
        "MLP",
        "03",
        [
            Cell(image, "an image", "28 x 28"),
            Cell(pixels, "its pixels in a row", "784"),
            Cell(dense, "dense, ReLU", "128"),
            Cell(DIGIT, "dense: a score a digit", "10"),
        ],
        "An MLP takes the 28 by 28 pixels of a digit as a row of 784 numbers, joins "
        "each of them with each of 128 hidden units, and gives 10 scores.",
    ),
    Family(
        "CNN",
        "07",
        [
            Cell(image, "an image", "28 x 28 x 1"),
            Cell(maps, "convolve, pool; twice", "14 x 14 x 6 → 5 x 5 x 16"),
            Cell(funnel, "flatten, dense twice", "400 → 120 → 84"),
            Cell(DIGIT, "dense: a score a digit", "10"),
        ],
        "A CNN, here LeNet, keeps the two dimensions of the picture: convolution and "
        "pooling make of 28 by 28 pixels six maps of 14 by 14 and then sixteen of 5 by "
        "5; their 400 numbers pass dense layers of 120 and 84 units and become 10 "
        "scores.",
    ),
    Family(
        "RNN",
        "08",
        [
            Cell(ids, "ids of T tokens", "(B, T)"),
            Cell(vectors, "a vector for each", "(B, T, D)"),
            Cell(chain, "one cell, step by step", "last state (B, H)"),
            Cell(CLASSES, "dense: a score a class", "(B, K)"),
        ],
        "An RNN, here an LSTM, reads B sequences of T vectors of D numbers step by "
        "step with one and the same cell; its last state, H numbers for each sequence, "
        "becomes K scores.",
    ),
    Family(
        "Transformer",
        "09",
        [
            Cell(ids, "ids of T tokens", "(B, T)"),
            Cell(vectors, "vectors and positions", "(B, T, D)"),
            Cell(attention, "attention, all to all", "(B, T, D)"),
            Cell(CLASSES, "mean over T, dense", "(B, K)"),
        ],
        "A transformer encoder adds positions to the T vectors, lets every position "
        "look at every other, block after block, and keeps the shape (B, T, D); the "
        "mean over T becomes K scores.",
    ),
]


# The drawings.


def cell(x: float, y: float, one: Cell) -> Iterator[str]:
    """Draw a cell with its left upper corner at x, y."""
    middle = x + WIDTH / 2
    yield from one.draw(middle, y + HEIGHT / 2)
    yield text("what", middle, y + HEIGHT + 17, one.what)
    yield text("shape", middle, y + HEIGHT + 34, one.shape)


def wide() -> Iterator[str]:
    """Draw a row for each family."""
    left, step = 112, HEIGHT + TEXT + 26
    for i, stage in enumerate(STAGES):
        yield text("stage", left + i * (WIDTH + GAP) + WIDTH / 2, 16, stage)
    for number, family in enumerate(FAMILIES):
        y = 38 + number * step
        yield line(0, y - 13, 858, y - 13, "rule")
        yield text("name", 0, y + 36, family.name)
        yield text("chapter", 0, y + 55, f"chapter {family.chapter}")
        for i, one in enumerate(family.cells):
            x = left + i * (WIDTH + GAP)
            yield from cell(x, y, one)
            if i:
                yield line(x - 21, y + HEIGHT / 2, x - 6, y + HEIGHT / 2)


def tall() -> Iterator[str]:
    """Draw two rows of two cells for each family."""
    y = 20
    for family in FAMILIES:
        yield text("name", 0, y, family.name)
        yield text("chapter", 358, y, f"chapter {family.chapter}")
        yield line(0, y + 8, 358, y + 8, "rule")
        for i, one in enumerate(family.cells):
            down, right = divmod(i, 2)
            x, top = right * (WIDTH + GAP), y + 38 + down * ROW
            yield text("stage", x + WIDTH / 2, top - 8, STAGES[i])
            yield from cell(x, top, one)
            if right:
                yield line(x - 21, top + HEIGHT / 2, x - 6, top + HEIGHT / 2)
        y += 2 * ROW + 50


def in_words() -> str:
    """Say in sentences what the drawing shows."""
    return "Four families of models, each from left to right: " + " ".join(
        ["input, features, hidden layers, output.", *(f.sentence for f in FAMILIES)]
    )


def svg(name: str, width: int, height: int, body: Iterator[str]) -> str:
    """Wrap the marks in a drawing that has a name and a description."""
    marks = "\n".join(body)
    return f"""<svg class="data-flow data-flow-{name}" viewBox="0 0 {width} {height}"
 role="img" aria-labelledby="flow-{name}-title flow-{name}-text">
<title id="flow-{name}-title">How data flows through the families of models</title>
<desc id="flow-{name}-text">{in_words()}</desc>
<defs><marker id="flow-{name}-head" class="flow-head" viewBox="0 0 8 8" refX="7"
 refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0 L8 4 L0 8 z"/>
</marker></defs>
<style>.data-flow-{name} .flow-arrow {{ marker-end: url(#flow-{name}-head); }}</style>
{marks}
</svg>"""


def drawing() -> str:
    """Give the two drawings."""
    high = 38 + len(FAMILIES) * (HEIGHT + TEXT + 26) - 22
    long = len(FAMILIES) * (2 * ROW + 50) - 10
    return svg("wide", 858, high, wide()) + "\n" + svg("tall", 358, long, tall()) + "\n"


if __name__ == "__main__":
    TARGET.write_text(drawing(), encoding="utf-8")
