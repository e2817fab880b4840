"""nbgrader, asked in its own words: assignments, grades and feedback."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lessons.grading.course import (
    Course,
    CourseError,
    read_json,
    write_json,
    write_text,
)
from lessons.grading.roster import listed

# nbgrader's template loads MathJax from another host whatever it is told. A page of
# feedback needs no script.
SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)


@contextlib.contextmanager
def nbgrader(course: Course) -> Iterator[Any]:
    """Yield nbgrader's interface for a course, which works in the course's folder."""
    from nbgrader.apps import NbGrader
    from nbgrader.apps.api import NbGraderAPI

    before, path = Path.cwd(), os.environ.get("PATH", "")
    # nbgrader starts `alembic`, which lies beside the interpreter.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), path])
    os.chdir(course.root)
    try:
        app = NbGrader()
        app.log_level = logging.CRITICAL
        app.config_file_name = "nbgrader_config"
        app.load_config_file()
        app.config.CourseDirectory.root = str(course.root)
        yield NbGraderAPI(config=app.config)
    finally:
        os.chdir(before)
        os.environ["PATH"] = path


def said(result: dict) -> None:
    """Raise what nbgrader refused to do.

    Raises
    ------
    CourseError
        With the last lines of its log.
    """
    if not result.get("success"):
        log = (result.get("error") or "") + (result.get("log") or "")
        raise CourseError("nbgrader refused:\n" + "\n".join(log.splitlines()[-8:]))


def enter_assignment(course: Course, assignment: str, due: str | None = None) -> None:
    """Make the student version and enter the assignment into the grade book."""
    with nbgrader(course) as api:
        with quiet():
            said(api.generate_assignment(assignment))
        if due:
            with api.gradebook as book:
                book.update_or_create_assignment(assignment, duedate=due)


def autograde(course: Course, assignment: str, students: list[str]) -> dict[str, str]:
    """Enter the marks of students into the grade book; return who was refused and why.

    A mark that a person gave by hand stays.
    """
    refused = {}
    with nbgrader(course) as api:
        with api.gradebook as book:
            enter_names(course, book, students)
            due = book.find_assignment(assignment).duedate
        for student in students:
            place = course.marks(assignment, student)
            entered = place.with_name(f"{student}.entered")
            key = entry_key(course, assignment, student, str(due))
            if read_json(entered).get("key") != key:
                try:
                    with quiet():
                        done = api.autograde(assignment, student, force=True)
                    said(done)
                except CourseError as error:
                    refused[student] = str(error)
                else:
                    write_json(entered, {"key": key})
    return refused


def entry_key(course: Course, assignment: str, student: str, due: str) -> str:
    """Hash what decides an entry: marks, the time of handing in, due date, penalty."""
    handed_in = course.submitted(assignment, student) / "timestamp.txt"
    files = (handed_in, course.root / "nbgrader_config.py")
    digest = hashlib.sha256(
        read_json(course.marks(assignment, student))["key"].encode()
    )
    digest.update(due.encode())
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"-")
    return digest.hexdigest()


def enter_names(course: Course, book: Any, students: list[str]) -> None:
    """Enter the names and addresses of the class list, where there is one."""
    for each in listed(course):
        if each.id in students:
            book.update_or_create_student(
                each.id,
                first_name=each.first_name or None,
                last_name=each.last_name or None,
                email=each.email or None,
            )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep nbgrader's log to itself; what it refuses is in its result."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


def scores(course: Course, assignment: str | None = None) -> list[dict]:
    """Return a row for each student and assignment.

    Returns
    -------
    list of dict
        With `student`, `assignment`, `score`, `max_score`, `late_penalty`, `by_hand`
        (points that a person has not given yet) and `submitted`.
    """
    rows = []
    with nbgrader(course) as api, api.gradebook as book:
        for each in book.assignments:
            if assignment not in (None, each.name):
                continue
            for submission in each.submissions:
                if submission.student.id not in set(course.students(each.name)):
                    continue
                rows.append(
                    {
                        "student": submission.student.id,
                        "assignment": each.name,
                        "score": max(0.0, submission.score - late(submission)),
                        "max_score": each.max_score,
                        "late_penalty": late(submission),
                        "waiting": submission.needs_manual_grade,
                        "submitted": moment(submission.timestamp),
                    }
                )
    return sorted(rows, key=lambda row: (row["assignment"], row["student"]))


def late(submission: Any) -> float:
    """Return the points that a late submission loses."""
    return float(sum(n.late_submission_penalty or 0 for n in submission.notebooks))


def moment(value: datetime.datetime | None) -> str:
    """Write a time, or nothing."""
    return value.isoformat(sep=" ") if value else ""


def feedback(course: Course, assignment: str, student: str) -> Path:
    """Write a student's page of feedback."""
    with nbgrader(course) as api, quiet():
        said(api.generate_feedback(assignment, student, force=True))
    folder = course.root / "feedback" / student / assignment
    for page in folder.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        write_text(page, SCRIPT.sub("", text))
    return folder
