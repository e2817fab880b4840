"""The grade book as a table: plain, or as Canvas and Moodle take it in."""

from __future__ import annotations

import csv
import io

from lessons.grading import gradebook
from lessons.grading.course import Course
from lessons.grading.roster import Student, listed

FORMS = ("plain", "canvas", "moodle")


def points(value: float) -> str:
    """Write points without a needless fraction."""
    return f"{value:g}"


def plain(rows: list[dict]) -> list[list[str]]:
    """Return one line for each student and assignment."""
    head = ["student", "assignment", "score", "max_score", "late_penalty", "waiting"]
    lines = [head]
    for row in rows:
        numbers = [points(row[name]) for name in head[2:5]]
        waiting = "yes" if row["waiting"] else "no"
        lines.append([row["student"], row["assignment"], *numbers, waiting])
    return lines


def table(rows: list[dict]) -> tuple[list[str], dict[str, dict[str, dict]]]:
    """Return the assignments and, by student, their rows."""
    names = sorted({row["assignment"] for row in rows})
    by_student: dict[str, dict[str, dict]] = {}
    for row in rows:
        by_student.setdefault(row["student"], {})[row["assignment"]] = row
    return names, by_student


def canvas(rows: list[dict], students: dict[str, Student]) -> list[list[str]]:
    """Return the columns of Canvas' grade book, the possible points below them."""
    names, by_student = table(rows)
    most = {row["assignment"]: points(row["max_score"]) for row in rows}
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *names]
    lines = [head, ["    Points Possible", "", "", "", "", *(most[n] for n in names)]]
    for id, cells in sorted(by_student.items()):
        who = students.get(id, Student(id))
        name = f"{who.last_name}, {who.first_name}" if who.last_name else id
        scores = [points(cells[n]["score"]) if n in cells else "" for n in names]
        lines.append([name, who.lms_id, id, who.email or id, "", *scores])
    return lines


def moodle(rows: list[dict], students: dict[str, Student]) -> list[list[str]]:
    """Return a table that Moodle's import maps by e-mail address."""
    names, by_student = table(rows)
    lines = [["ID number", "First name", "Last name", "Email address", *names]]
    for id, cells in sorted(by_student.items()):
        who = students.get(id, Student(id))
        scores = [points(cells[n]["score"]) if n in cells else "" for n in names]
        lines.append([id, who.first_name, who.last_name, who.email, *scores])
    return lines


def safe(cell: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    risky = cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if risky and not is_number(cell) else cell


def is_number(text: str) -> bool:
    """Return whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def grades(course: Course, form: str = "plain", assignment: str | None = None) -> str:
    """Return the marks as CSV.

    Parameters
    ----------
    course : Course
        With its `students.csv`, if there is one.
    form : {"plain", "canvas", "moodle"}
        The columns.
    assignment : str, optional
        Only this one.
    """
    rows = gradebook.scores(course, assignment)
    students = {student.id: student for student in listed(course)}
    if form == "plain":
        lines = plain(rows)
    else:
        lines = {"canvas": canvas, "moodle": moodle}[form](rows, students)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*map(safe, x)] for x in lines)
    return text.getvalue()
