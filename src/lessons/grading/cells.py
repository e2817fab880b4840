"""The cells of an exercise notebook, and what they say about an exercise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

KINDS = ("Recall", "Derive", "Implement", "Extend", "Bug clinic", "Open question")
LEVELS = ("easy", "medium", "hard")
FACTS = re.compile(
    rf"^\*({'|'.join(KINDS)}) · ({'|'.join(LEVELS)}) · "
    r"(\d+) minutes · (\d+) points?\*$",
    re.MULTILINE,
)
HEADING = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
CHECK = re.compile(r'^check\("(\d\d)\.([a-z0-9_]+)"', re.MULTILINE)
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


class Facts(NamedTuple):
    """What a statement says of its exercise; `word` is the cell's grade id."""

    number: int
    title: str
    kind: str
    level: str
    minutes: int
    points: int
    word: str


def mark(word: str, **options: Any) -> dict:
    """Return nbgrader's metadata of a cell.

    Parameters
    ----------
    word : str
        The grade id, unique in the notebook.
    **options
        What differs from a locked cell without points.
    """
    plain = {"grade": False, "solution": False, "task": False, "locked": True}
    return {"nbgrader": {"grade_id": word, "schema_version": 3, **plain, **options}}


def given(word: str, source: str) -> Any:
    """Return a code cell that the student gets and cannot change."""
    return new_code_cell(source, metadata=mark(word))


def statement(word: str, number: int, title: str, facts: str, text: str) -> Any:
    """Return the cell that sets an exercise.

    Parameters
    ----------
    word : str
        The exercise's word: `forward` in ``"03.forward"``.
    number : int
        Its place in the notebook.
    title : str
        A few words.
    facts : str
        Such as ``"Implement · easy · 10 minutes · 3 points"``.
    text : str
        What to do.
    """
    source = f"## {number}. {title}\n\n*{facts}*\n\n{text}"
    return new_markdown_cell(source, metadata=mark(f"{word}-text"))


def checked(word: str, chapter: str, points: int, code: str, call: str) -> list[Any]:
    """Return the answer's cell, with its solution, and the cell that checks it.

    Parameters
    ----------
    word, chapter : str
        The two parts of the exercise's id.
    points : int
        What it earns.
    code : str
        The answer, its solution between ``### BEGIN SOLUTION`` and
        ``### END SOLUTION``.
    call : str
        What follows the id in the call of `check`: ``"forward"``.
    """
    answer = mark(word, solution=True, locked=False)
    test = mark(f"{word}-check", grade=True, points=points)
    source = f'check("{chapter}.{word}", {call})'
    return [
        new_code_cell(code, metadata=answer),
        new_code_cell(source, metadata=test),
    ]


def open_question(word: str, points: int, solution: str) -> Any:
    """Return the cell for an answer in words that a person grades."""
    options = {"grade": True, "solution": True, "locked": False, "points": points}
    return new_markdown_cell(solution, metadata=mark(word, **options))


def grade_id(cell: Any) -> str:
    """Return a cell's grade id, or an empty text."""
    found = cell.metadata.get("nbgrader", {})
    return str(found.get("grade_id", "")) if isinstance(found, dict) else ""


def facts(notebook: Any) -> Iterator[Facts]:
    """Yield what the statements of an exercise notebook say.

    Raises
    ------
    ValueError
        If a numbered heading has no line of facts below it.
    """
    for cell in notebook.cells:
        heading = HEADING.search(cell.source)
        if cell.cell_type != "markdown" or not heading:
            continue
        line = FACTS.search(cell.source)
        if not line:
            raise ValueError(
                "expected a line such as *Implement · easy · 10 minutes · 3 points* "
                f"below '## {heading[1]}. {heading[2]}'"
            )
        kind, level, minutes, points = line.groups()
        word = grade_id(cell).removesuffix("-text")
        yield Facts(
            *(int(heading[1]), heading[2], kind, level, int(minutes), int(points)),
            word,
        )


def student_version(notebook: Any) -> Any:
    """Return a notebook without solutions and outputs, as nbgrader makes it."""
    from nbgrader.preprocessors import ClearOutput, ClearSolutions
    from traitlets.config import Config

    config = Config()
    config.ClearSolutions.code_stub = {"python": "...  # your answer"}
    config.ClearSolutions.text_stub = "*Your answer here.*"
    copy = nbformat.reads(nbformat.writes(notebook), as_version=4)
    for step in (ClearSolutions(config=config), ClearOutput(config=config)):
        copy, _ = step.preprocess(copy, {})
    return copy
