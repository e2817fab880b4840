"""`lessons grade`: put in order, mark in the sandbox, enter into the grade book."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax

from lessons.grading import gradebook, intake, walls
from lessons.grading.course import Course, CourseError, read_json, write_json
from lessons.grading.jobs import for_each
from lessons.grading.marking import mark_submission, prime


class Graded(NamedTuple):
    """What became of a batch: marks by student, and who has none, with the reason."""

    marks: dict[str, dict]
    refused: dict[str, str]


def compiled(course: Course, assignment: str) -> Path:
    """Return the folder of compiled programs, filled once for each version of jax."""
    folder = course.root / "cache" / f"{assignment}-jax-{jax.__version__}"
    done = course.root / "cache" / f"{folder.name}.json"
    key = str(course.source(assignment).stat().st_mtime_ns)
    if read_json(done).get("key") != key:
        prime(course, assignment, folder)
        write_json(done, {"key": key})
    return folder


def grade(
    course: Course,
    assignment: str,
    jobs: int = 2,
    trust: bool = False,
    step: Callable[[str], None] = lambda student: None,
) -> Graded:
    """Grade all submissions of an assignment.

    What is marked already is not marked again, so a run that was stopped goes on where
    it stopped, and the same submission has the same mark. One submission that cannot be
    graded does not stop the others.

    Parameters
    ----------
    course : Course
        With submissions in `submitted`.
    assignment : str
        Such as ``"07"``.
    jobs : int, default=2
        How many submissions are marked at the same time.
    trust : bool, default=False
        Run without a sandbox.
    step : function
        Called with each student that is marked.

    Raises
    ------
    NoSandbox
        If there is no sandbox and no `trust`.
    CourseError
        If nothing is released or handed in.
    """
    if not trust:
        walls.require()
    course.release(assignment)
    students = course.students(assignment)
    if not students:
        raise CourseError(f"expected submissions of {assignment}, found none: collect")
    refused = {s: why for s in students if (why := intake.tidy(course, assignment, s))}
    ready = [student for student in students if student not in refused]
    cache = compiled(course, assignment)
    marks: dict[str, dict] = {}
    work = functools.partial(mark_submission, course, assignment)
    for done in for_each(
        ready, functools.partial(work, trust=trust, cache=cache), jobs
    ):
        if done.refused:
            refused[done.student] = done.refused
        else:
            marks[done.student] = done.result
        step(done.student)
    entered = [student for student in ready if student in marks]
    refused |= gradebook.autograde(course, assignment, entered)
    # The dot keeps it apart from the marks of a student of that name.
    write_json(course.root / "marks" / assignment / ".refused.json", refused)
    return Graded(marks, dict(sorted(refused.items())))
