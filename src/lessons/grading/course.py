"""A course's folder: where everything lies, and what decides the marks.

source/07/07_cnn.ipynb        with solutions; hidden/ch07.py sets the marks
release/07/07_cnn.ipynb       what students get
received/ID/07/               what came in, as it came
submitted/ID/07/07_cnn.ipynb  the same in order, for nbgrader
marks/07/ID.json              what each exercise earned, and why
autograded/, feedback/, gradebook.db   nbgrader's
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from lessons.grading.cells import facts, grade_id

CONFIG = '''\
"""nbgrader's configuration: the marks come from the course's own checks.

Run by `lessons grade` and by every command of nbgrader in this folder.
"""

from lessons.grading.nbgrader_config import configure

c = get_config()  # noqa: F821
configure(c, {id!r})

# Late work, by nbgrader: uncomment one line, and give the assignment a due date with
# `lessons release 07 --due "2027-02-01 23:59 UTC"`.
# c.LateSubmissionPlugin.penalty_method = "zero"
# c.AssignLatePenalties.plugin_class = "my_module.MyPlugin"
'''
IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,79}")


class CourseError(ValueError):
    """Something that the instructor can mend; the message says how."""


class Course(NamedTuple):
    """A course's folder and its settings."""

    root: Path
    id: str
    salt: str

    def source(self, assignment: str) -> Path:
        """Return the notebook with the solutions."""
        return self.only("source", assignment)

    def release(self, assignment: str) -> Path:
        """Return the notebook that students get."""
        return self.only("release", assignment)

    def only(self, kind: str, assignment: str) -> Path:
        """Return the one notebook of an assignment, or raise CourseError."""
        known = sorted(p.name for p in (self.root / "source").glob("*") if p.is_dir())
        folder = self.root / kind / assignment
        found = sorted(folder.glob("*.ipynb"))
        if assignment not in known:
            why = f"expected one of {', '.join(known)}, got {assignment!r}"
        elif kind == "release" and not found:
            why = f"{assignment} is not released. Run: lessons release {assignment}"
        elif len(found) != 1:
            why = f"expected one notebook in {folder}, found {len(found)}"
        else:
            return found[0]
        raise CourseError(why)

    def hidden(self) -> Path:
        """Return the folder of the hidden checks."""
        return self.root / "hidden"

    def marks(self, assignment: str, student: str) -> Path:
        """Return the file of a submission's marks."""
        return self.root / "marks" / assignment / f"{student}.json"

    def submitted(self, assignment: str, student: str) -> Path:
        """Return the folder of a submission."""
        return self.root / "submitted" / student / assignment

    def students(self, assignment: str) -> list[str]:
        """Return who handed something in, in order."""
        found = (self.root / "submitted").glob(f"*/{assignment}")
        return sorted(p.parent.name for p in found if IDENT.fullmatch(p.parent.name))

    def variant(self, assignment: str, student: str) -> int:
        """Return the number of a student's copy; 0 where all have the same."""
        settings = read_json(self.root / "course.json")
        if assignment not in settings.get("variants", []):
            return 0
        return number("variant", self.id, assignment, student) % 100_000

    def seed(self, assignment: str, student: str) -> int:
        """Return what decides the data that a submission is tried on."""
        return number("seed", self.salt, assignment, student) % 2**31


def number(*words: str) -> int:
    """Turn words into a number, the same on every machine."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "big")


def exercises_folder() -> Path:
    """Return the folder of the exercises' sources beside this package.

    Raises
    ------
    CourseError
        If the package was installed from a wheel, which holds none.
    """
    folder = Path(__file__).resolve().parents[3] / "notebooks" / "exercises"
    if not (folder / "hidden").is_dir():
        raise CourseError(
            "The sources of the exercises are in the repository and in no wheel. "
            "Clone it, or name their folder: --sources PATH"
        )
    return folder


def init(root: Path, id: str, sources: Path | None = None) -> Course:
    """Make a course's folder; one that is there keeps its settings and its work.

    Parameters
    ----------
    root : Path
        Where.
    id : str
        The name of the course, such as ``"dl-2027"``.
    sources : Path, optional
        The folder of the exercises' sources.
    """
    if not IDENT.fullmatch(id):
        raise CourseError(f"expected a course name of letters and digits, got {id!r}")
    sources = sources or exercises_folder()
    notebooks = sorted(sources.glob("*.ipynb"))
    if not notebooks or not (sources / "hidden").is_dir():
        raise CourseError(f"expected notebooks and a folder 'hidden' in {sources}")
    root.mkdir(parents=True, exist_ok=True)
    # Nobody else on the machine may read solutions and marks.
    os.chmod(root, 0o700)
    # nbgrader would hand out what a run that was killed left here.
    for left in (root / "source").glob("*/.*.tmp"):
        left.unlink()
    for notebook in notebooks:
        place = root / "source" / notebook.stem[:2]
        if not list(place.glob("*.ipynb")):
            write_bytes(place / notebook.name, notebook.read_bytes())
    for name in ("hidden", "answers"):
        for file in sorted((sources / name).glob("[!_]*.*")):
            if not (root / name / file.name).exists():
                write_bytes(root / name / file.name, file.read_bytes())
    # An instructor's own practice checks, of `lessons new-exercise --sources`.
    for file in sorted(sources.glob("ch[0-9][0-9]*.py")):
        if not (root / file.name).exists():
            write_bytes(root / file.name, file.read_bytes())
    config = root / "nbgrader_config.py"
    if not config.exists():
        write_text(config, CONFIG.replace("{id!r}", repr(id)))
    if not (root / "course.json").exists():
        settings = {"id": id, "salt": secrets.token_hex(16), "variants": []}
        write_json(root / "course.json", settings)
    return load(root)


def load(root: Path) -> Course:
    """Return the course of a folder.

    Raises
    ------
    CourseError
        If the folder is none, or its settings are damaged.
    """
    if not (root / "course.json").is_file():
        raise CourseError(
            f"expected a course in {root}. Make one: lessons course init {root}"
        )
    try:
        settings = read_json(root / "course.json")
        return Course(root.resolve(), settings["id"], settings["salt"])
    except (ValueError, KeyError, TypeError):
        raise CourseError(
            f"expected an id and a salt in {root / 'course.json'}: take it from a "
            "backup, because they decide what submissions are tried on"
        ) from None


def read_json(path: Path) -> dict:
    """Read a file of our own."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_json(path: Path, data: dict) -> None:
    """Replace a file in one step."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step: it is old or new, and never half."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Do the same for a file that is no text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    new.write_bytes(content)
    os.replace(new, path)


def read_notebook(path: Path) -> Any:
    """Read a notebook of our own."""
    return nbformat.read(path, as_version=4)


def with_variant(notebook: Any, variant: int) -> Any:
    """Return a notebook whose `variant` cell names this copy's number."""
    for cell in notebook.cells:
        if grade_id(cell) == "variant":
            cell.source = f"variant = {variant}  # the number of your copy"
    return notebook


def release(course: Course, assignment: str, due: str | None = None) -> Path:
    """Write what students get, and enter the assignment into the grade book."""
    from lessons.grading.gradebook import enter_assignment

    source = read_notebook(course.source(assignment))
    if not list(facts(source)):
        raise CourseError(f"expected exercises in {course.source(assignment).name}")
    enter_assignment(course, assignment, due)
    return course.release(assignment)


def release_variants(course: Course, assignment: str, students: list[str]) -> Path:
    """Write one copy for each student, with that student's own numbers."""
    settings = read_json(course.root / "course.json")
    settings["variants"] = sorted({*settings.get("variants", []), assignment})
    write_json(course.root / "course.json", settings)
    folder = course.root / "variants" / assignment
    released = course.release(assignment)
    for student in students:
        notebook = read_notebook(released)
        copy = with_variant(notebook, course.variant(assignment, student))
        text = nbformat.writes(copy)
        write_text(folder / student / released.name, text + "\n")
    return folder
