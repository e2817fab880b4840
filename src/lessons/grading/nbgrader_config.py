"""What a course tells nbgrader: the marks are those of `lessons grade`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat.v4 import new_output
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    NbGraderPreprocessor,
    OverwriteCells,
    SaveAutoGrades,
)

from lessons.grading.cells import grade_id
from lessons.grading.course import load


class WriteMarks(NbGraderPreprocessor):
    """Write the marks below the checks, where nbgrader reads them.

    A submission that has none yet is marked now, in the sandbox.
    """

    def preprocess(self, nb: Any, resources: dict) -> tuple[Any, dict]:
        """Fill the outputs of the cells that check."""
        from lessons.grading.marking import mark_submission

        course = load(Path.cwd())
        names = resources["nbgrader"]
        marks = mark_submission(course, names["assignment"], names["student"])
        results = marks["results"]
        for cell in nb.cells:
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get(
                "grade"
            ):
                word = grade_id(cell).removesuffix("-check")
                result = results.get(f"{names['assignment']}.{word}")
                if result is None:  # the package has no such exercise any more
                    continue
                cell.outputs = outputs(result, float(cell.metadata.nbgrader.points))
        return nb, resources


def outputs(result: dict, points: float) -> list[Any]:
    """Return a check's words and its points as the outputs of a cell."""
    earned = points if result["right"] else 0.0
    text = result["says"] + "\n"
    data = {"text/plain": str(earned)}
    return [
        new_output("stream", name="stdout", text=text),
        new_output("execute_result", data=data, execution_count=1),
    ]


def configure(c: Any, id: str) -> None:
    """Set nbgrader up for a course.

    Parameters
    ----------
    c : traitlets.config.Config
        nbgrader's configuration.
    id : str
        The name of the course.
    """
    c.CourseDirectory.course_id = id
    c.ClearSolutions.code_stub = {"python": "...  # your answer"}
    c.ClearSolutions.text_stub = "*Your answer here.*"
    c.Autograde.sanitize_preprocessors = [OverwriteCells, CheckCellMetadata]
    # Nothing is executed here: the marks come from the sandbox.
    c.Autograde.autograde_preprocessors = [
        WriteMarks,
        SaveAutoGrades,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    # A student's text must not run in the reader's browser, nor load from elsewhere.
    c.HTMLExporter.sanitize_html = True
    c.HTMLExporter.mathjax_url = ""
    c.HTMLExporter.require_js_url = ""
    c.HTMLExporter.jquery_url = ""
