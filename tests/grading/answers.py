"""The known answers to each exercise, right and wrong, and how one is tried."""

import functools
import tomllib

import jax
import jax.numpy as jnp
import nbformat
import numpy as np
from conftest import SOURCES as FOLDER

from lessons.exercises.base import Trial, try_answers
from lessons.exercises.local import LocalAnswers
from lessons.grading.cells import grade_id
from lessons.grading.marks import chapter, hidden_trial

NOTEBOOKS = {path.stem[:2]: path for path in sorted(FOLDER.glob("*.ipynb"))}
COMPLETE = [n for n in NOTEBOOKS if (FOLDER / "answers" / f"{n}.toml").is_file()]
COURSE = {number: chapter(number, FOLDER / "hidden") for number in COMPLETE}
IDS = [id for each in COURSE.values() for id in each.exercises]
SEEDS = range(3)


@functools.cache
def read(number):
    """Return the source notebook of a chapter."""
    return nbformat.read(NOTEBOOKS[number], as_version=4)


@functools.cache
def tables(number):
    """Return the answers of a chapter's exercises."""
    return tomllib.loads((FOLDER / "answers" / f"{number}.toml").read_text())


def table(id):
    """Return the right and the wrong answers of an exercise."""
    return tables(id[:2])[id]


def given_code(id):
    """Return the source's code cells before the answer that set no exercise."""
    for cell in read(id[:2]).cells:
        if grade_id(cell) == id[3:]:
            return
        marks = cell.metadata.get("nbgrader", {})
        free = not marks.get("solution") and not marks.get("grade")
        if cell.cell_type == "code" and marks and free:
            yield cell.source


def reference(id):
    """Return the solution in the source notebook."""
    [cell] = [cell for cell in read(id[:2]).cells if grade_id(cell) == id[3:]]
    return cell.source


@functools.lru_cache(maxsize=4)
def compiled(id, code, variant):
    """Run an answer once for all seeds, where its copies do not differ."""
    return namespace(id, code, variant)


def namespace(id, code, variant=0):
    """Run the given cells, the reference and then an answer, in a student's copy."""
    names = {"__name__": "__main__", "jax": jax, "jnp": jnp, "np": np}
    for source in [*given_code(id), reference(id), code]:
        exec(source.replace("variant = 0", f"variant = {variant}"), names)
    return names


def submitted(id, code, seed):
    """Return an answer as a check gets it, in the student's copy for this seed."""
    exercise = COURSE[id[:2]].exercises[id]
    copies = any("variant = 0" in source for source in given_code(id))
    names = compiled(id, code, seed if copies else 0)
    return LocalAnswers(exercise, {name: names[name] for name in exercise.names})


def practised(id, answers, seed):
    """Return the findings of the check that students have."""
    practice = COURSE[id[:2]].exercises[id].practice
    return try_answers(practice, Trial(answers, seed, variant=seed))


def marked(id, answers, seed):
    """Return the findings of the check that no student has."""
    return hidden_trial(COURSE[id[:2]], id, answers, seed, variant=seed)
