"""The beginning of an exercise: notebook cells, checker and table of wrong answers."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import nbformat

from lessons.grading.cells import checked, facts, grade_id, open_question, statement
from lessons.grading.course import CourseError, read_notebook, write_text

PRACTICE = '''

@exercise(
    "{id}",
    "{word}",
    hints={{
        "value": "Say what to compare with, and never the answer.",
    }},
)
def {word}(t: Trial) -> None:
    """Say in one sentence what the student writes."""
    x = t.normal(3, 4)
    # What each known mistake would give here, by the name of its hint.
    wrong = {{}}
    t.equal("the values", t.call("{word}", x), x, mistakes=wrong, otherwise="value")
'''

HIDDEN = """

@hidden("{id}")
def {word}(t):
    x = t.normal(2, 3, 4)
    t.equal("three axes", t.call("{word}", x), x, otherwise="value")
"""

ANSWERS = """
[["{id}".right]]
code = '''
def {word}(x):
    return x
'''

[["{id}".wrong]]
hint = "value"
why = "Say what the student had in mind."
code = '''
def {word}(x):
    return -x
'''
"""

CODE = """\
def {word}(x):
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION"""


# How a new file of an instructor's own begins.
HEADS = {
    PRACTICE: '"""Practice checks of an instructor\'s own."""\n\n'
    "from lessons.exercises.base import Trial, exercise\n",
    HIDDEN: '"""Hidden checks of an instructor\'s own."""\n\n'
    "from lessons.grading.marks import hidden\n",
    ANSWERS: "",
}


def begin(sources: Path, options: argparse.Namespace) -> list[Path]:
    """Add an exercise to a chapter and return the files to fill in.

    Parameters
    ----------
    sources : Path
        The folder of the exercises' sources.
    options : Namespace
        With `id`, `kind`, `level`, `minutes` and `points`.

    Raises
    ------
    CourseError
        If the id is unfit or taken, or the chapter has no exercises.
    """
    if not re.fullmatch(r"\d\d\.[a-z][a-z0-9_]*", options.id):
        raise CourseError(f"expected an id such as 03.momentum, got {options.id!r}")
    chapter, word = options.id.split(".")
    found = sorted(sources.glob(f"{chapter}_*.ipynb"))
    if len(found) != 1:
        raise CourseError(f"expected one notebook {chapter}_*.ipynb in {sources}")
    notebook = read_notebook(found[0])
    if word in {grade_id(cell) for cell in notebook.cells}:
        raise CourseError(f"expected a new id, {options.id} is in {found[0].name}")
    add_cells(notebook, chapter, word, options)
    write_text(found[0], nbformat.writes(notebook) + "\n")
    touched = [found[0]]
    if options.kind != "Open question":
        touched += add_code(sources, chapter, word, options.id)
    return touched


def add_cells(notebook, chapter: str, word: str, options: argparse.Namespace) -> None:
    """Put the exercise's cells at the end, or before the open question."""
    stated = list(facts(notebook))
    is_open = options.kind == "Open question"
    last = stated[-1] if stated and stated[-1].kind == "Open question" else None
    place = len(notebook.cells)
    number = len(stated) + 1
    if last and not is_open:
        words = [grade_id(cell) for cell in notebook.cells]
        place, number = words.index(f"{last.word}-text"), last.number
        text = notebook.cells[place]
        text.source = text.source.replace(f"## {number}.", f"## {number + 1}.", 1)
    line = f"{options.kind} · {options.level} · {options.minutes} minutes · "
    line += f"{options.points} point" + "s" * (options.points != 1)
    cells = [statement(word, number, "A title", line, "What to do.")]
    if is_open:
        cells.append(open_question(word, options.points, "What earns each point."))
    else:
        code = CODE.format(word=word)
        cells += checked(word, chapter, options.points, code, word)
    notebook.cells[place:place] = cells


def add_code(sources: Path, chapter: str, word: str, id: str) -> list[Path]:
    """Append the practice check, the hidden check and the first answers."""
    package = Path(__file__).resolve().parents[1] / "exercises"
    practice = package / f"ch{chapter}.py"
    if sources.resolve().parent.parent != package.parents[2]:
        practice = sources / f"ch{chapter}.py"
    files = {
        practice: PRACTICE,
        sources / "hidden" / f"ch{chapter}.py": HIDDEN,
        sources / "answers" / f"{chapter}.toml": ANSWERS,
    }
    for path, text in files.items():
        before = path.read_text(encoding="utf-8") if path.is_file() else HEADS[text]
        write_text(path, before + text.format(id=id, word=word))
    return list(files)
