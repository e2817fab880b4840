"""`lessons feedback`: run each notebook in the sandbox and write the student's page."""

from __future__ import annotations

import base64
import binascii
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat.v4 import new_output

from lessons.exercises.plain import AnswerError
from lessons.grading import gradebook, walls
from lessons.grading.course import (
    Course,
    CourseError,
    read_json,
    read_notebook,
    with_variant,
    write_json,
    write_text,
)
from lessons.grading.jobs import attempt, for_each
from lessons.grading.marking import cells_of, fingerprint, imported
from lessons.grading.pipe import printable
from lessons.grading.sandbox import Sandbox

CELL_SECONDS = 20
MAX_TEXT = 20_000
MAX_PICTURE = 500_000
MAX_OUTPUTS = 12
PNG = b"\x89PNG\r\n\x1a\n"


def believed(output: Any) -> Any:
    """Return an output that the sandbox told, if it is plain text or a picture.

    Anything else, such as HTML or a script, would run in the reader's browser.
    """
    match output:
        case {
            "output_type": "stream",
            "name": "stdout" | "stderr" as name,
            "text": str() as text,
        }:
            return new_output("stream", name=name, text=printable(text[:MAX_TEXT]))
        case {
            "output_type": "error",
            "ename": str() as name,
            "evalue": str() as text,
            "traceback": list() as trace,
        }:
            lines = [line for line in trace if type(line) is str]
            shown = printable("".join(lines)[:MAX_TEXT])
            return new_output(
                "error",
                ename=printable(name)[:100],
                evalue=printable(text)[:500],
                traceback=[shown],
            )
        case {"output_type": "display_data", "data": dict() as data}:
            return displayed(data)
    return None


def displayed(data: dict) -> Any:
    """Return a display of text, or of a picture in PNG."""
    kept = {}
    text, picture = data.get("text/plain"), data.get("image/png")
    if isinstance(text, str):
        kept["text/plain"] = printable(text[:MAX_TEXT])
    if isinstance(picture, str) and len(picture) <= MAX_PICTURE:
        try:
            if base64.b64decode(picture, validate=True).startswith(PNG):
                kept["image/png"] = picture
        except (binascii.Error, ValueError):
            pass
    return new_output("display_data", data=kept) if kept else None


def run_cells(notebook: Any, box: Sandbox) -> dict[int, list]:
    """Run a notebook in the sandbox and return outputs by the place of the cell.

    The cells that check are left out: their outputs are the marks. A notebook that
    does not end keeps what it had shown.
    """
    places = [
        place
        for place, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        and not cell.metadata.get("nbgrader", {}).get("grade")
        and "setup" not in cell.metadata.get("tags", [])
    ]
    told: dict[int, list] = {}
    box.open()
    try:
        sources = [notebook.cells[place].source for place in places]
        for message in box.show(sources, CELL_SECONDS):
            place, outputs = message.get("shown"), message.get("outputs")
            if type(place) is int and 0 <= place < len(places):
                found = outputs if isinstance(outputs, list) else []
                good = [o for each in found[:MAX_OUTPUTS] if (o := believed(each))]
                told[places[place]] = good
    except AnswerError as error:
        left = next((place for place in places if place not in told), None)
        if left is not None:
            text = f"The run ended here: {error}.\n"
            told[left] = [new_output("stream", name="stdout", text=text)]
    box.close()
    return told


def outputs_of(course: Course, assignment: str, student: str, trust: bool) -> dict:
    """Run a student's notebook, or return what an earlier run of it showed."""
    place = course.marks(assignment, student)
    path = course.submitted(assignment, student) / course.release(assignment).name
    key = read_json(place).get("key")
    if key != fingerprint(course, assignment, student, path.read_bytes()):
        raise CourseError("it has changed since it was graded: grade it again")
    kept = place.with_name(f"{student}.outputs")
    known = read_json(kept)
    if known.get("key") == key:
        return known
    notebook = read_notebook(path)
    notebook = with_variant(notebook, course.variant(assignment, student))
    given = imported(cells_of(notebook, "").given)
    modules = ["matplotlib.pyplot", "IPython.core.interactiveshell", *given]
    folder = next(iter(sorted((course.root / "cache").glob(f"{assignment}-*/"))), None)
    with Sandbox(modules, trust=trust, hide=(course.root,), cache=folder) as box:
        told = run_cells(notebook, box)
    data = {"key": key, "outputs": {str(p): told[p] for p in sorted(told)}}
    write_json(kept, data)
    return data


def fill(course: Course, assignment: str, student: str, outputs: dict) -> None:
    """Put the outputs into the notebook that nbgrader graded."""
    folder = course.root / "autograded" / student / assignment
    path = folder / course.release(assignment).name
    notebook = read_notebook(path)
    for place, found in outputs.items():
        cell = notebook.cells[int(place)]
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(each) for each in found]
    write_text(path, nbformat.writes(notebook) + "\n")
    os.chmod(path, 0o444)


class Pages(NamedTuple):
    """The folders of the pages, and who has none, with the reason."""

    made: list[Path]
    refused: dict[str, str]


def feedback(
    course: Course,
    assignment: str,
    jobs: int = 2,
    trust: bool = False,
    step: Callable[[str], None] = lambda student: None,
) -> Pages:
    """Write a page for each graded student: outputs, marks, hints and comments.

    A notebook that cannot be shown does not stop the others.

    Raises
    ------
    CourseError
        If nothing is graded.
    """
    if not trust:
        walls.require()
    entered = (course.root / "marks" / assignment).glob("*.entered")
    students = sorted(path.name.removesuffix(".entered") for path in entered)
    if not students:
        raise CourseError(f"expected marks of {assignment}, found none: grade first")
    pages = Pages([], {})

    def page(student: str, outputs: dict) -> Path:
        fill(course, assignment, student, outputs)
        return gradebook.feedback(course, assignment, student)

    work = functools.partial(outputs_of, course, assignment, trust=trust)
    for done in for_each(students, work, jobs):
        # nbgrader works in one folder at a time, so its part is done here.
        if not done.refused:
            outputs = done.result["outputs"]
            done = attempt(lambda student, o=outputs: page(student, o), done.student)
        if done.refused:
            pages.refused[done.student] = done.refused
        else:
            pages.made.append(done.result)
        step(done.student)
    return Pages(sorted(pages.made), dict(sorted(pages.refused.items())))
