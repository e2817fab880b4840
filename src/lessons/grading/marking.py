"""Mark a submission: each exercise in a process of its own, in the sandbox."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import lessons
from lessons.exercises.base import Exercise
from lessons.exercises.plain import AnswerError
from lessons.grading.assemble import MAX_SOURCE
from lessons.grading.cells import grade_id
from lessons.grading.course import (
    Course,
    read_json,
    read_notebook,
    with_variant,
    write_json,
)
from lessons.grading.marks import (
    Chapter,
    Marked,
    chapter,
    inside_of_jax,
    mark,
    parsed,
    tree_of,
)
from lessons.grading.sandbox import Sandbox
from lessons.grading.walls import Limits, require

MAGIC = re.compile(r"^([ \t]*)[%!?].*$", re.MULTILINE)


class Cells(NamedTuple):
    """What is run for one exercise."""

    given: list[str]
    extras: list[str]
    answer: str


def cells_of(notebook: Any, word: str) -> Cells:
    """Return the cells of an assembled notebook that an exercise needs.

    Other exercises' answers are left out: an endless loop there costs nothing here.
    """
    given, extras, answer = [], [], ""
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        name = grade_id(cell)
        if name == f"{word}-check":
            break
        if cell.cell_type != "code":
            continue
        if name == word:
            # Its pieces were joined; read here, it holds up the other students.
            answer = plain_python(cell.source[:MAX_SOURCE])
        elif name and not marks.get("solution") and not marks.get("grade"):
            given.append(cell.source)
        elif not name and "setup" not in cell.metadata.get("tags", []):
            extras.append(plain_python(cell.source))
    return Cells(given, extras, answer)


def plain_python(source: str) -> str:
    """Leave out the lines that only a notebook understands: %timeit, !pip.

    In plain Python such a line may be the rest of a long one.
    """
    return source if tree_of(source) else MAGIC.sub(r"\1pass", source)


def imported(sources: list[str]) -> list[str]:
    """Return the modules that cells import."""
    names: list[str] = []
    for node in ast.walk(parsed("\n".join(sources))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return sorted(set(names))


def mark_exercise(
    course: Chapter, exercise: Exercise, cells: Cells, box: Sandbox, numbers: tuple
) -> Marked:
    """Mark one exercise; the student's own cells are tried first, then left out."""
    path = inside_of_jax(cells.answer)
    if path and exercise.forbidden:
        hint = exercise.hints["finished"]
        return Marked(
            exercise.id, False, f"{exercise.id}: it names {path[:80]}. {hint}"
        )
    own = [cell for cell in cells.extras if not inside_of_jax(cell)]
    for extras in [own, []] if own else [[]]:
        box.open()
        try:
            box.run(cells.given, [*extras, cells.answer], exercise.forbidden)
        except AnswerError as error:
            found = Marked(exercise.id, False, f"{exercise.id}: {error}.")
        else:
            found = mark(course, exercise.id, box, *numbers)
        ended = not box.alive()
        box.close()
        if found.right or not ended:
            break
    return found


def mark_notebook(
    notebook: Any,
    course: Chapter,
    numbers: tuple[int, int],
    trust: bool = False,
    limits: Limits | None = None,
    cache: Path | None = None,
    hide: tuple[Path, ...] = (),
) -> list[Marked]:
    """Mark the exercises of an assembled notebook; one without its check has no mark.

    Parameters
    ----------
    notebook : notebook
        Of `assemble`.
    course : Chapter
        The exercises with their hidden checks.
    numbers : tuple of int
        The seed and the variant of the student.
    trust : bool, default=False
        Run without a sandbox.
    limits, cache, hide
        Of `Sandbox`.
    """
    notebook = with_variant(notebook, numbers[1])
    words = {grade_id(cell) for cell in notebook.cells}
    asked = [
        each for id, each in course.exercises.items() if f"{id[3:]}-check" in words
    ]
    given = [cells_of(notebook, each.id[3:]) for each in asked]
    modules = imported([source for each in given for source in each.given])
    with Sandbox(modules, limits, trust, hide, cache) as box:
        return [
            mark_exercise(course, exercise, cells, box, numbers)
            for exercise, cells in zip(asked, given, strict=True)
        ]


def fingerprint(course: Course, assignment: str, student: str, notebook: bytes) -> str:
    """Hash what decides the marks: the answers, the checks and the numbers."""
    digest = hashlib.sha256(notebook)
    digest.update(course.source(assignment).read_bytes())
    package = Path(lessons.__file__).parent
    files = [package / "exercises" / f"{name}.py" for name in ("base", "plain", "bans")]
    files += sorted((package / "exercises").glob(f"ch{assignment}*.py"))
    for folder in (course.root, course.hidden()):
        files += sorted(folder.glob(f"ch{assignment}*.py"))
    for file in files:
        digest.update(file.read_bytes())
    seed, variant = (
        course.seed(assignment, student),
        course.variant(assignment, student),
    )
    return hashlib.sha256(f"{digest.hexdigest()} {seed} {variant}".encode()).hexdigest()


def mark_submission(
    course: Course,
    assignment: str,
    student: str,
    trust: bool = False,
    cache: Path | None = None,
) -> dict:
    """Mark one student's submission, or return the marks that are there already.

    Raises
    ------
    NoSandbox
        If it must be run, and there is neither a sandbox nor `trust`.
    """
    path = course.submitted(assignment, student) / course.release(assignment).name
    key = fingerprint(course, assignment, student, path.read_bytes())
    place = course.marks(assignment, student)
    known = read_json(place)
    if known.get("key") == key:
        return known
    if not trust:
        require()
    numbers = course.seed(assignment, student), course.variant(assignment, student)
    checks = chapter(assignment, course.hidden())
    results = mark_notebook(
        read_notebook(path),
        checks,
        numbers,
        trust,
        cache=cache,
        hide=(course.root,),
    )
    data = {"key": key, "results": {each.id: each._asdict() for each in results}}
    write_json(place, data)
    return data


def prime(course: Course, assignment: str, cache: Path) -> None:
    """Compile what the reference answers need, so that students' runs find it."""
    checks = chapter(assignment, course.hidden())
    notebook = read_notebook(course.source(assignment))
    cache.mkdir(parents=True, exist_ok=True)
    results = mark_notebook(notebook, checks, (0, 0), trust=True, cache=cache)
    if wrong := [each for each in results if not each.right]:
        raise ValueError(f"the reference does not pass: {wrong[0].says}")
