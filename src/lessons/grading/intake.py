"""`lessons collect`: say whose each file is, keep it, and put the latest in order."""

from __future__ import annotations

import datetime
import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import nbformat

from lessons.grading.arrivals import Arrived, Line, arrivals, shown
from lessons.grading.assemble import (
    Assembled,
    Refused,
    assemble,
    read_file,
    read_submission,
)
from lessons.grading.course import (
    Course,
    read_notebook,
    with_variant,
    write_bytes,
    write_text,
)
from lessons.grading.roster import listed, plain

STAMP = "%Y-%m-%d %H:%M:%S UTC"
# Of one student's files for an assignment; each takes a moment.
MAX_TRIED = 6


class Kept(NamedTuple):
    """A notebook that lies in `received`."""

    parts: tuple[str, ...]
    place: Path
    when: float


def assignment_of(course: Course, arrived: Arrived) -> str:
    """Return which assignment a file belongs to, or an empty text."""
    known = sorted(p.name for p in (course.root / "release").glob("*") if p.is_dir())
    for part in reversed(arrived.parts):
        hit = re.search(r"(?<!\d)(\d\d)(?:_[a-z]|\.|$)", part)
        if hit and hit[1] in known:
            return hit[1]
        if part in known:
            return part
    counts = {
        n: len(re.findall(rb'check\(\\"' + n.encode(), arrived.content)) for n in known
    }
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
    if assignment:
        course.release(assignment)
    lines: list[Line] = []
    taken: dict[tuple[str, str], list[Kept]] = {}
    for each in arrivals(paths, listed(course)):
        if isinstance(each, Line):
            lines.append(each)
        elif name := assignment or assignment_of(course, each):
            folder = received(course, name, each.student)
            place = keep(folder, each.parts[-1], each.content)
            kept = Kept(each.parts, place, each.when)
            taken.setdefault((name, each.student), []).append(kept)
        else:
            why = "not matched: which assignment?"
            lines.append(Line(shown(each.parts), each.student, why))
    for (name, student), files in sorted(taken.items()):
        lines += take(course, name, student, files)
    return lines


def take(
    course: Course, assignment: str, student: str, files: list[Kept]
) -> list[Line]:
    """Put the latest file of a student that can be read in order."""
    files = sorted(
        files, key=lambda f: (f.when, attempt(f.parts), f.parts), reverse=True
    )
    before = in_order_since(course, assignment, student)
    lines, done = [], ""
    for count, each in enumerate(files):
        came = shown(each.parts)
        if int(each.when) < before:
            done = done or "a later one was taken before"
        elif count >= MAX_TRIED:
            done = done or f"only the latest {MAX_TRIED} are tried"
        if done:
            lines.append(Line(came, student, f"kept; {done}"))
            continue
        try:
            made = in_order(course, assignment, student, each)
        except (Refused, OSError) as error:
            lines.append(Line(came, student, f"refused: {error}"))
            continue
        note = "; ".join(made.notes)
        lines.append(Line(came, student, f"taken{note and ': ' + note}"))
        done = "a later one is graded"
    return lines


def in_order_since(course: Course, assignment: str, student: str) -> float:
    """Return when what is in order now was sent; 0 if there is nothing or no time."""
    folder = course.submitted(assignment, student)
    try:
        with (folder / "timestamp.txt").open("rb") as file:
            text = file.read(19).decode()
        when = datetime.datetime.strptime(text, STAMP.removesuffix(" UTC"))
    except (OSError, ValueError):
        return 0
    there = (folder / course.release(assignment).name).is_file()
    return when.replace(tzinfo=datetime.UTC).timestamp() if there else 0


def attempt(parts: tuple[str, ...]) -> int:
    """Return which attempt a file is: Canvas writes 07_cnn-2.ipynb for the third."""
    sent = next(part for part in parts if part.lower().endswith((".ipynb", ".zip")))
    hit = re.search(r"-(\d{1,3})\.\w+$", sent)
    return int(hit[1]) if hit else 0


def received(course: Course, assignment: str, student: str) -> Path:
    """Return the folder of what came in, as it came."""
    return course.root / "received" / student / assignment


def keep(folder: Path, name: str, content: bytes) -> Path:
    """Write a file as it came, under a name of ours, and return its place."""
    place = place_for(folder, name, len(content), content)
    if not place.exists():
        write_bytes(place, content)
    return place


def place_for(folder: Path, name: str, size: int, content: bytes) -> Path:
    """Return where to keep a file: its content says it, so the same is kept once."""
    mark = hashlib.sha256(b"%d " % size + content).hexdigest()[:12]
    name = re.sub(r"^[0-9a-f]{12}-", "", re.sub(r"[^A-Za-z0-9._-]", "_", name))
    return folder / f"{mark}-{name[-80:]}"


def in_order(course: Course, assignment: str, student: str, kept: Kept) -> Assembled:
    """Write a submission in order, and its time, where nbgrader looks for them."""
    made = assembled(course, assignment, student, kept.place.read_bytes())
    folder = course.submitted(assignment, student)
    write_text(folder / course.release(assignment).name, text_of(made))
    when = datetime.datetime.fromtimestamp(kept.when, datetime.UTC)
    write_text(folder / "timestamp.txt", when.strftime(STAMP) + "\n")
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
    try:
        return put_in_order(course, assignment, student)
    # Too many folders in each other end the walk with a RecursionError.
    except (OSError, RecursionError) as error:
        return f"its files cannot be put in order: {error}"


def put_in_order(course: Course, assignment: str, student: str) -> str:
    """Do what `tidy` says, and stop at the first file that cannot be moved or read."""
    folder = course.submitted(assignment, student)
    name = course.release(assignment).name
    found = [p for p in sorted(folder.rglob("*.ipynb")) if not p.is_dir()]
    found.sort(key=lambda path: (path.name != name, plain(path.name)))
    why = "there is no notebook"
    for path in found[:MAX_TRIED]:
        try:
            content = read_file(path)
            made = text_of(assembled(course, assignment, student, content))
        except Refused as error:
            why = f"{shown((path.name,))}: {error}"
            continue
        if made.encode() != content or path != folder / name:
            keep(received(course, assignment, student), path.name, content)
            write_text(folder / name, made)
        set_aside(folder, name, received(course, assignment, student))
        return ""
    return why


def set_aside(folder: Path, name: str, target: Path) -> None:
    """Leave only the notebook and its time: nbgrader would follow links."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        ordinary = path.is_file() and not path.is_symlink()
        if ordinary and path in (folder / name, folder / "timestamp.txt"):
            continue
        if ordinary:
            content = read_file(path)
            size = path.stat().st_size
            os.replace(path, place_for(target, path.name, size, content))
        elif path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
