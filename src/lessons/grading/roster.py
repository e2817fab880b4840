"""The class: who is who in the files that a learning platform exports."""

from __future__ import annotations

import csv
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from lessons.grading.course import IDENT, CourseError

COLUMNS = ("id", "first_name", "last_name", "email", "lms_id")
# lovelaceada_LATE_4711_99_07_cnn-2.ipynb
CANVAS = re.compile(r"^(?P<name>[^_]+)(?:_LATE)?_(?P<lms>\d+)_\d+_(?P<file>.+)$")
# Ada Lovelace_4711_assignsubmission_file_/07_cnn.ipynb
MOODLE = re.compile(
    r"^(?P<name>.+?)_(?P<lms>\d+)_assignsubmission_file(?:_(?P<file>.*))?$"
)
# Ada Lovelace - 07_cnn.ipynb
CLASSROOM = re.compile(r"^(?P<name>.+?) - (?P<file>.+)$")


class Student(NamedTuple):
    """A line of the list; only `id` must be there."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""

    def names(self) -> set[str]:
        """Return all forms under which the student may be found, plainly written."""
        first, last = self.first_name, self.last_name
        forms = [self.id, self.email, self.email.split("@")[0]]
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
        If the column is missing, or an id is unfit for a folder's name or not unique.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "id" not in rows[0]:
        raise CourseError(f"expected the columns {', '.join(COLUMNS)} in {path}")
    students = []
    for line, row in enumerate(rows, start=2):
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


class Owner(NamedTuple):
    """What the path of a file says about who sent it."""

    name: str
    lms_id: str
    file: str


def owners(parts: tuple[str, ...]) -> list[Owner]:
    """Return what each form of a file's path would say, the surest first."""
    found = []
    for part in parts:
        stem = re.sub(r"\.(ipynb|zip)$", "", part)
        for form in (MOODLE, CANVAS):
            if hit := form.match(stem):
                found.append(Owner(hit["name"], hit["lms"], parts[-1]))
        if hit := CLASSROOM.match(stem):
            found += [Owner(hit[name], "", parts[-1]) for name in ("name", "file")]
        found.append(Owner(stem, "", parts[-1]))
    return found


def match(parts: tuple[str, ...], students: list[Student]) -> tuple[str, str]:
    """Say whose a file is.

    Parameters
    ----------
    parts : tuple of str
        The folders and the name of the file.
    students : list of Student
        The class; if it is empty, a folder or file named like an id is one.

    Returns
    -------
    tuple of str
        The student's id and an empty text, or an empty text and the reason.
    """
    said = owners(parts)
    if not students:
        names = [owner.name for owner in said if not owner.name[:1].isdigit()]
        fit = [name for name in names if IDENT.fullmatch(name)]
        return (fit[0], "") if fit else ("", "no part of its path is fit for an id")
    for owner in said:
        by_number = [s for s in students if owner.lms_id and s.lms_id == owner.lms_id]
        by_name = [s for s in students if plain(owner.name) in s.names()]
        hits = {s.id for s in by_number or by_name}
        if len(hits) == 1:
            return hits.pop(), ""
        if hits:
            return "", f"{owner.name!r} may be {' or '.join(sorted(hits))}"
    return "", "nobody on the list has such a name"
