"""A submission put in order: the released notebook with the student's answers in it.

Students split and copy cells, lose metadata, edit tests and rename files. None of that
costs a point: what is graded is built from the released notebook, and only answers and
the student's own cells are taken from what came in.
"""

from __future__ import annotations

import difflib
import json
import stat
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from lessons.grading.cells import grade_id

MAX_BYTES = 20_000_000
MAX_CELLS = 3_000
MAX_SOURCE = 200_000
MAX_ALL = 2_000_000
LIKENESS = 0.8


class Refused(ValueError):
    """A file that cannot be graded; the message says why."""


class Received(NamedTuple):
    """A cell that came in, of which nothing but text is believed."""

    kind: str
    source: str
    word: str
    id: str


class Assembled(NamedTuple):
    """A submission in order, and what had to be put right."""

    notebook: Any
    notes: list[str]


def read_file(path: Path) -> bytes:
    """Return the bytes of a file that a student sent, up to one more than is allowed.

    Raises
    ------
    Refused
        If it is a link or a device.
    """
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode):
        raise Refused("it is no ordinary file but a link or a device")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def bounded(content: bytes) -> bytes:
    """Return what came, if it is not too large.

    Raises
    ------
    Refused
        If it is.
    """
    if len(content) > MAX_BYTES:
        raise Refused(f"it has over {MAX_BYTES // 1_000_000} MB, which is not read")
    return content


def read_submission(content: bytes) -> list[Received]:
    """Read the cells of a notebook that a student sent.

    Raises
    ------
    Refused
        If it is no notebook, or too large.
    """
    if not bounded(content).strip():
        raise Refused("it is empty")
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Refused("it is no notebook: broken JSON") from None
    cells = data.get("cells") if isinstance(data, dict) else None
    if not isinstance(cells, list):
        raise Refused("it is no notebook of version 4: it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise Refused(f"it has {len(cells)} cells; at most {MAX_CELLS} are read")
    found = [cell for each in cells if (cell := received(each))]
    if sum(len(cell.source) for cell in found) > MAX_ALL:
        raise Refused("its cells hold more than two million characters")
    return found


def received(cell: Any) -> Received | None:
    """Take from a cell what is needed; None if it is no cell."""
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown"):
        return None
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        source = ""
    # Half a surrogate pair could be written by nobody.
    source = source.encode("utf-8", "replace").decode("utf-8")[:MAX_SOURCE]
    marks = cell.get("metadata")
    marks = marks.get("nbgrader") if isinstance(marks, dict) else None
    word = marks.get("grade_id") if isinstance(marks, dict) else ""
    number = cell.get("id")
    return Received(
        cell["cell_type"],
        source,
        word if isinstance(word, str) else "",
        number if isinstance(number, str) else "",
    )


def assemble(released: Any, cells: list[Received]) -> Assembled:
    """Put a student's answers into the released notebook.

    Parameters
    ----------
    released : notebook
        What the student got.
    cells : list of Received
        What came back.

    Raises
    ------
    Refused
        If no cell of the assignment is among them.
    """
    wanted = {grade_id(cell): cell for cell in released.cells if grade_id(cell)}
    notes: list[str] = []
    words = name_cells(released, wanted, cells, notes)
    if not any(words):
        raise Refused("it is another notebook: none of the assignment's cells is in it")
    notebook = nbformat.reads(nbformat.writes(released), as_version=4)
    extras = place_extras(notebook, cells, words)
    built = []
    for cell in notebook.cells:
        word = grade_id(cell)
        if word and cell.metadata["nbgrader"].get("solution"):
            own = [c for c, w in zip(cells, words, strict=True) if w == word]
            cell.source = answer(word, wanted[word], own, notes)
        built.append(cell)
        built += extras.get(id(cell), [])
    notebook.cells = extras.get(0, []) + built
    return Assembled(renumbered(notebook), notes)


def name_cells(
    released: Any, wanted: dict, cells: list[Received], notes: list[str]
) -> list[str]:
    """Return for each cell the grade id that it has or must have had, or ""."""
    words = [cell.word if cell.word in wanted else "" for cell in cells]
    for word, cell in wanted.items():
        if word in words:
            continue
        free = [i for i, w in enumerate(words) if not w and fits(cells[i], cell)]
        place = next((i for i in free if cells[i].id == cell.get("id")), None)
        if place is None and cell.metadata["nbgrader"].get("solution"):
            place = most_alike(cell, cells, free)
        if place is None:
            place = next((i for i in free if same(cells[i].source, cell.source)), None)
        if place is not None:
            words[place] = word
            notes.append(f"the metadata of {word} were lost and are restored")
        elif not word.endswith("-text"):
            notes.append(f"the cell {word} was missing")
    return words


def fits(cell: Received, wanted: Any) -> bool:
    """Return whether a cell is of the kind that is wanted."""
    return cell.kind == wanted.cell_type


def same(a: str, b: str) -> bool:
    """Return whether two sources differ in white space at most."""
    return "".join(a.split()) == "".join(b.split())


def most_alike(wanted: Any, cells: list[Received], free: list[int]) -> int | None:
    """Return the place of the cell whose first line is most like the wanted one's."""
    first = wanted.source.strip().split("\n")[0][:200]

    def likeness(place: int) -> float:
        line = cells[place].source.strip().split("\n")[0][:200]
        return difflib.SequenceMatcher(None, first, line).ratio()

    best = max(free, key=likeness, default=None)
    return best if best is not None and likeness(best) >= LIKENESS else None


def answer(word: str, stub: Any, own: list[Received], notes: list[str]) -> str:
    """Join the pieces of an answer; a copy that was left empty is no answer."""
    filled = [cell.source for cell in own if not same(cell.source, stub.source)]
    if len(filled) > 1:
        notes.append(f"the cell {word} came in {len(filled)} pieces, which are joined")
    return "\n\n".join(filled) if filled else stub.source


def place_extras(
    notebook: Any, cells: list[Received], words: list[str]
) -> dict[int, list]:
    """Return the student's own cells by the id() of the cell that they follow."""
    home = {grade_id(cell): id(cell) for cell in notebook.cells if grade_id(cell)}
    plain = {"".join(c.source.split()) for c in notebook.cells if not grade_id(c)}
    extras: dict[int, list] = {}
    last = 0
    for cell, word in zip(cells, words, strict=True):
        if word:
            last = home[word]
        elif cell.source.strip() and "".join(cell.source.split()) not in plain:
            make = new_code_cell if cell.kind == "code" else new_markdown_cell
            extras.setdefault(last, []).append(make(cell.source))
    return extras


def renumbered(notebook: Any) -> Any:
    """Give each cell an id that the order decides, so that equal input is equal."""
    for place, cell in enumerate(notebook.cells):
        cell.id = f"cell-{place:04d}"
    return notebook
