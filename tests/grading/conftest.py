"""A course with one assignment, and submissions to it of every kind."""

import json
import os
from pathlib import Path

import nbformat
import pytest

from lessons.grading import course as courses
from lessons.grading import walls
from lessons.grading.cells import grade_id
from lessons.grading.grade import compiled
from lessons.grading.marks import Chapter, chapter

SOURCES = Path(__file__).resolve().parents[2] / "notebooks" / "exercises"
ASSIGNMENT = "01"


@pytest.fixture(scope="session")
def boxed():
    """Skip without a sandbox; where everything has to hold, fail."""
    reason = walls.missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """Make a course in which chapter 01 is released; tests work on copies of it."""
    made = courses.init(tmp_path_factory.mktemp("course") / "dl", "dl", SOURCES)
    courses.release(made, ASSIGNMENT)
    return made


@pytest.fixture(scope="session")
def cache(released, boxed):
    """Compile once what the reference answers need."""
    return compiled(released, ASSIGNMENT)


@pytest.fixture(scope="session")
def checks():
    """Two exercises of the chapter: one to attack, one that must not suffer."""
    whole = chapter(ASSIGNMENT, SOURCES / "hidden")
    kept = {id: whole.exercises[id] for id in ("01.relu", "01.clinic")}
    return Chapter(kept, whole.hidden)


def solved(**answers):
    """Return the source notebook, solved, with some answers replaced or added to.

    An answer that begins with ``+`` is put before the solution.
    """
    [path] = SOURCES.glob(f"{ASSIGNMENT}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if grade_id(cell) in answers:
            text = answers[grade_id(cell)]
            add = text.startswith("+")
            cell.source = f"{text[1:]}\n{cell.source}" if add else text
        if grade_id(cell) == "discuss":
            cell.source = "It has no dead half."
    return notebook


def written(notebook):
    """Return a notebook as the bytes of a file."""
    return nbformat.writes(notebook).encode()


def as_json(notebook):
    """Return a notebook as plain JSON, to be spoiled."""
    return json.loads(written(notebook))
