"""`lessons collect`: say whose each file is, keep it, and put the latest in order."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path

import nbformat

from lessons.grading.arrivals import Arrived, Line, arrivals, shown
from lessons.grading.assemble import (
    MAX_BYTES,
    Assembled,
    Refused,
    assemble,
    read_file,
    read_submission,
)
from lessons.grading.course import Course, read_notebook, with_variant, write_text
from lessons.grading.roster import Student, match, plain, read_students

STAMP = "%Y-%m-%d %H:%M:%S UTC"


def assignment_of(course: Course, arrived: Arrived) -> str:
    """Return which assignment a file belongs to, or an empty text."""
    known = sorted(p.name for p in (course.root / "release").glob("*") if p.is_dir())
    for part in reversed(arrived.parts):
        hit = re.search(r"(?<!\d)(\d\d)(?:_[a-z]|\.|$)", part)
        if hit and hit[1] in known:
            return hit[1]
        if part in known:
            return part
    text = arrived.content[:MAX_BYTES]
    counts = {n: len(re.findall(rb'check\(\\"' + n.encode(), text)) for n in known}
    best = max(counts, key=counts.get, default="")
    return best if counts.get(best) else ""


def collect(course: Course, paths: list[Path], assignment: str = "") -> list[Line]:
    """Take in what students sent: the latest of each, in order, and a report.

    Parameters
    ----------
    course : Course
        Whose `students.csv`, if there is one, says who is who.
    paths : list of Path
        Zips, folders and notebooks.
    assignment : str, optional
        What they belong to; by default their names and contents say it.
    """
    roster = course.root / "students.csv"
    students = read_students(roster) if roster.is_file() else []
    lines: list[Line] = []
    taken: dict[tuple[str, str], list[Arrived]] = {}
    for path in paths:
        for each in arrivals(path):
            if isinstance(each, Line):
                lines.append(each)
                continue
            line, key = sort_in(course, each, students, assignment)
            if line:
                lines.append(line)
            else:
                taken.setdefault(key, []).append(each)
    for (name, student), files in sorted(taken.items()):
        lines += take(course, name, student, files)
    return lines


def sort_in(
    course: Course, arrived: Arrived, students: list[Student], assignment: str
) -> tuple[Line | None, tuple[str, str]]:
    """Return the assignment and the student of a file, or why there are none."""
    came = shown(arrived.parts)
    name = assignment or assignment_of(course, arrived)
    if not name:
        return Line(came, "", "not matched: which assignment?"), ("", "")
    student, why = match(arrived.parts, students)
    if not student:
        return Line(came, "", f"not matched: {why}"), ("", "")
    return None, (name, student)


def take(
    course: Course, assignment: str, student: str, files: list[Arrived]
) -> list[Line]:
    """Keep all files of a student, and put the latest that can be read in order."""
    files = sorted(files, key=lambda f: (f.when, attempt(f.parts[-1]), f.parts))
    lines, done = [], False
    for each in reversed(files):
        keep(course, assignment, student, each)
        if done:
            lines.append(
                Line(shown(each.parts), student, "kept; a later one is graded")
            )
            continue
        try:
            made = in_order(course, assignment, student, each.content)
        except Refused as error:
            lines.append(Line(shown(each.parts), student, f"refused: {error}"))
            continue
        place = course.submitted(assignment, student)
        when = datetime.datetime.fromtimestamp(each.when, datetime.UTC)
        write_text(place / "timestamp.txt", when.strftime(STAMP) + "\n")
        note = "; ".join(made.notes)
        lines.append(Line(shown(each.parts), student, f"taken{note and ': ' + note}"))
        done = True
    return lines


def attempt(name: str) -> int:
    """Return which attempt a file is: Canvas writes 07_cnn-2.ipynb for the third."""
    hit = re.search(r"-(\d{1,3})\.(ipynb|zip)$", name)
    return int(hit[1]) if hit else 0


def keep(course: Course, assignment: str, student: str, arrived: Arrived) -> None:
    """Write a file as it came, under a name of ours; the same content once."""
    folder = course.root / "received" / student / assignment
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", arrived.parts[-1]).lstrip(".")[-80:]
    place = folder / (name or "notebook.ipynb")
    count = 1
    while place.exists() and place.read_bytes() != arrived.content:
        count += 1
        place = folder / f"{count}-{name}"
    if not place.exists():
        new = place.with_name(f".{place.name}.tmp")
        new.write_bytes(arrived.content)
        os.replace(new, place)


def in_order(
    course: Course, assignment: str, student: str, content: bytes
) -> Assembled:
    """Write a submission in order where nbgrader looks for it."""
    made = assembled(course, assignment, student, content)
    name = course.release(assignment).name
    write_text(course.submitted(assignment, student) / name, text_of(made))
    return made


def assembled(
    course: Course, assignment: str, student: str, content: bytes
) -> Assembled:
    """Put a submission in order, in the student's own copy of the release."""
    notebook = read_notebook(course.release(assignment))
    notebook = with_variant(notebook, course.variant(assignment, student))
    return assemble(notebook, read_submission(content))


def text_of(made: Assembled) -> str:
    """Return the text of a submission in order."""
    return nbformat.writes(made.notebook) + "\n"


def tidy(course: Course, assignment: str, student: str) -> str:
    """Put in order what lies in `submitted` already; return why that fails, or "".

    For files that came by nbgrader's exchange or by hand. What was there is kept in
    `received`.
    """
    folder = course.submitted(assignment, student)
    name = course.release(assignment).name
    found = [p for p in sorted(folder.rglob("*.ipynb")) if not p.is_dir()]
    found.sort(key=lambda path: (path.name != name, plain(path.name)))
    why = "there is no notebook"
    for path in found:
        try:
            content = read_file(path)
            arrived = Arrived((path.name,), content, path.lstat().st_mtime)
            made = text_of(assembled(course, assignment, student, content))
            if made.encode() != content or path.name != name:
                keep(course, assignment, student, arrived)
                write_text(folder / name, made)
        except Refused as error:
            why = f"{shown((path.name,))}: {error}"
            continue
        set_aside(course, assignment, student, folder, name)
        return ""
    return why


def set_aside(
    course: Course, assignment: str, student: str, folder: Path, name: str
) -> None:
    """Leave only the notebook and its time: nbgrader would follow links."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path == folder / name or (
            path.name == "timestamp.txt" and not path.is_symlink()
        ):
            continue
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            path.rmdir()
        elif path.is_file() and path.stat().st_size <= MAX_BYTES:
            keep(
                course, assignment, student, Arrived((path.name,), path.read_bytes(), 0)
            )
            path.unlink()
        else:
            path.unlink()
