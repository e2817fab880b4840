"""`lessons forget`: delete all that a course keeps of a student."""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
import sqlite3
from pathlib import Path

from lessons.grading.course import (
    IDENT,
    Course,
    CourseError,
    read_json,
    write_json,
    write_text,
)
from lessons.grading.gradebook import nbgrader

# Folders that hold one folder for each student.
PERSONAL = ("received", "submitted", "autograded", "feedback")
# What `marks` holds of each.
KINDS = ("json", "entered", "outputs")


def forget(course: Course, student: str) -> int:
    """Delete a student's files, marks and line in the list.

    Returns
    -------
    int
        How many places held something of the student.

    Raises
    ------
    CourseError
        If there is nothing of such a student.
    """
    if not IDENT.fullmatch(student):
        raise CourseError(f"expected a student's id, got {student!r}")
    found = files_of(course, student)
    places = len(found) + leave_lists(course, student) + leave_book(course, student)
    if not places:
        raise CourseError(f"expected a student, found no {student!r}")
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return places


def files_of(course: Course, student: str) -> list[Path]:
    """List folders and files that are the student's alone."""
    found = [course.root / name / student for name in PERSONAL]
    found += (course.root / "variants").glob(f"*/{student}")
    names = [f"{student}.{kind}" for kind in KINDS]
    for folder in (course.root / "marks").glob("*/"):
        found += [folder / name for name in names]
        # What a run left that was stopped while it wrote.
        found += [path for name in names for path in folder.glob(f".{name}.*.tmp")]
    return [path for path in found if path.exists()]


def leave_lists(course: Course, student: str) -> int:
    """Take the student out of the class list and of the lists of refused work."""
    lists = 0
    for file in (course.root / "marks").glob("*/.refused.json"):
        refused = read_json(file)
        if refused.pop(student, None) is not None:
            write_json(file, refused)
            lists += 1
    roster = course.root / "students.csv"
    if not roster.is_file():
        return lists
    with roster.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    place = [name.strip().lower() for name in head].index("id")
    kept = [row for row in rows if [c.strip() for c in row[place:]][:1] != [student]]
    if len(kept) < len(rows):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([head, *kept])
        write_text(roster, text.getvalue())
        lists += 1
    return lists


def leave_book(course: Course, student: str) -> int:
    """Take the student out of the grade book, and what was written there."""
    from nbgrader.api import MissingEntry

    with nbgrader(course) as api, api.gradebook as book:
        try:
            book.remove_student(student)
        except MissingEntry:
            return 0
    # A deleted row stays readable in the file until its page is written anew.
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as book:
        book.execute("VACUUM")
    return 1
