"""The class: who is who in the files that a learning platform exports."""

from __future__ import annotations

import csv
import functools
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from lessons.grading.course import IDENT, Course, CourseError, write_bytes

COLUMNS = ("id", "first_name", "last_name", "email", "lms_id")
# lovelaceada_LATE_4711_99_07_cnn-2.ipynb
CANVAS = re.compile(r"^(?P<name>[^_\s]+)(?:_LATE)?_(?P<lms>\d+)_\d+_.")
# Ada Lovelace_123_assignsubmission_file_/07_cnn.ipynb
MOODLE = re.compile(r"^(?P<name>.+?)_\d+_assignsubmission_file(?:_|$)")
# Ada Lovelace - 07_cnn.ipynb
CLASSROOM = re.compile(r"^(?P<name>.+?) - .")
MAX_PARTS = 20
NOBODY = "nobody on the list has such a name"
NO_ID = "no part of its path is fit for an id"
SAVE = "save it as CSV UTF-8, with commas"


class Student(NamedTuple):
    """A line of the list; only `id` must be there."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""


@functools.cache
def names(student: Student) -> set[str]:
    """Return all forms under which a student may be found, plainly written."""
    first, last = student.first_name, student.last_name
    forms = [student.id, student.email, student.email.split("@")[0]]
    if first and last:
        forms += [f"{first} {last}", f"{last} {first}"]
    return {plain(form) for form in forms} - {""}


def plain(text: str) -> str:
    """Write a name without case, accents, spaces and marks.

    Letters of other alphabets stay what they are, so a name in letters that only look
    alike is another name.
    """
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text))
    return "".join(c for c in text.casefold() if c.isalnum())


def read_students(path: Path) -> list[Student]:
    """Read a list of students: a CSV file with a column `id`.

    Raises
    ------
    CourseError
        If it cannot be read, is empty or has no such column, or if an id is unfit for a
        folder's name or not unique.
    """
    students = []
    for line, row in enumerate(read_rows(path), start=2):
        student = Student(*((row.get(name) or "").strip() for name in COLUMNS))
        if not IDENT.fullmatch(student.id):
            raise CourseError(
                "expected an id of letters, digits and . _ @ + -, "
                f"got {student.id!r} in line {line} of {path}"
            )
        students.append(student)
    ids = [plain(student.id) for student in students]
    if twice := {id for id in ids if ids.count(id) > 1}:
        raise CourseError(
            f"expected different ids in {path}, got {sorted(twice)} twice"
        )
    return students


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a list, by the names of its columns in small letters."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = [*filter(any, csv.reader(file))] or [[]]
    except (UnicodeError, csv.Error) as error:
        raise CourseError(f"{path} cannot be read ({error}): {SAVE}") from None
    columns = [name.strip().lower() for name in header]
    if header and "id" not in columns:
        raise CourseError(
            f"expected the columns {', '.join(COLUMNS)}, of which only id must be "
            f"there, got {', '.join(header)[:200]!r} in {path}: {SAVE}"
        )
    if not lines:
        raise CourseError(f"{path} is empty: it lists no students")
    return [dict(zip(columns, line, strict=False)) for line in lines]


def listed(course: Course) -> list[Student]:
    """Return the class of a course; empty if it has no list."""
    path = course.root / "students.csv"
    return read_students(path) if path.is_file() else []


def take_list(course: Course, path: Path) -> None:
    """Keep the list of the class in the course, after reading it once."""
    read_students(path)
    write_bytes(course.root / "students.csv", path.read_bytes())


class Owner(NamedTuple):
    """What a part of a path says about who sent it."""

    name: str
    lms_id: str = ""


def stem(part: str) -> str:
    """Return a part of a path without the ending of a notebook or a zip."""
    return re.sub(r"\.(ipynb|zip)$", "", part, flags=re.IGNORECASE)


def platform(part: str) -> Owner | None:
    """Return who sent a file or folder that Canvas or Moodle named, or None."""
    if hit := CANVAS.match(stem(part)):
        return Owner(hit["name"], hit["lms"])
    # Moodle's number changes with the assignment: it is nobody's number on the list.
    if hit := MOODLE.match(stem(part)):
        return Owner(hit["name"])
    return None


def owners(parts: tuple[str, ...]) -> list[Owner]:
    """Return whom the parts of a path may name, from the outside in.

    What a platform has named is the last: below it, names are the student's choice.
    """
    found = []
    for part in parts:
        if sender := platform(part):
            return [*found, sender]
        found.append(Owner(stem(part)))
    if hit := CLASSROOM.match(found[-1].name if found else ""):
        found[-1] = Owner(hit["name"])
    return found


def match(parts: tuple[str, ...], students: list[Student]) -> tuple[str, str]:
    """Say whose a file is.

    Parameters
    ----------
    parts : tuple of str
        The folders and the name of the file, outside of any zip of a student's own.
    students : list of Student
        The class; if it is empty, a folder or file named like an id is one.

    Returns
    -------
    tuple of str
        The student's id and an empty text, or an empty text and the reason.
    """
    if len(parts) > MAX_PARTS:
        return "", f"its path has over {MAX_PARTS} parts"
    said = owners(parts)
    if not students:
        words = [owner.name for owner in said if not owner.name[:1].isdigit()]
        fit = [word for word in words if IDENT.fullmatch(word)]
        return (fit[0], "") if fit else ("", NO_ID)
    for owner in said:
        student, why = whose(owner, students)
        if student or why:
            return student, why
    return "", NOBODY


def whose(owner: Owner, students: list[Student]) -> tuple[str, str]:
    """Say who is meant: as `match` does, with two empty texts for nobody."""
    named = [s for s in students if plain(owner.name) in names(s)]
    numbered = [s for s in students if owner.lms_id and s.lms_id == owner.lms_id]
    found = numbered or named
    if named and owner.lms_id:
        # As far as the list knows the number, it must be the named student's.
        found = [s for s in named if (s in numbered if numbered else not s.lms_id)]
        if not found:
            who = " or ".join(s.id for s in named)
            return "", f"its name is that of {who}, its number {owner.lms_id} is not"
    ids = [s.id for s in found]
    if len(ids) > 1:
        return "", f"{owner.name!r} may be {' or '.join(sorted(ids))}"
    return (ids[0], "") if ids else ("", "")
