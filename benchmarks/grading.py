"""How long a class of 30 waits for its marks and pages: `python benchmarks/grading.py`.

Thirty ordinary submissions of one chapter, right and wrong in turn, are graded from
nothing on two jobs. It writes `benchmarks/grading.json`.
"""

import json
import platform
import random
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import nbformat

from lessons.grading import course as courses
from lessons.grading import feedback, grade
from lessons.grading.cells import grade_id

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "notebooks" / "exercises"
CHAPTER, CLASS, JOBS = "01", 30, 2


def submission(number: int):
    """Return a submission: reference, right and wrong answers as they come."""
    [path] = SOURCES.glob(f"{CHAPTER}_*.ipynb")
    table = tomllib.loads((SOURCES / "answers" / f"{CHAPTER}.toml").read_text())
    notebook = nbformat.read(path, as_version=4)
    rng = random.Random(number)
    for cell in notebook.cells:
        known = table.get(f"{CHAPTER}.{grade_id(cell)}")
        if known and cell.cell_type == "code":
            kind = rng.choice(["reference", "right", "wrong"])
            if kind != "reference":
                cell.source += "\n\n" + rng.choice(known[kind])["code"]
    return notebook


def hand_in(course: courses.Course) -> None:
    """Write the submissions of the class."""
    name = course.release(CHAPTER).name
    for number in range(CLASS):
        folder = course.submitted(CHAPTER, f"student{number:02d}")
        folder.mkdir(parents=True)
        nbformat.write(submission(number), folder / name)


def main() -> int:
    """Grade the class, write its pages and store the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        course = courses.init(Path(folder) / "class", "class", SOURCES)
        courses.release(course, CHAPTER)
        hand_in(course)
        began = time.perf_counter()
        done = grade.grade(course, CHAPTER, JOBS)
        marked = time.perf_counter()
        feedback.feedback(course, CHAPTER, JOBS)
        ended = time.perf_counter()
    assert len(done.marks) == CLASS
    exercises = len(next(iter(done.marks.values()))["results"])
    result = {
        "submissions": CLASS,
        "exercises": exercises,
        "jobs": JOBS,
        "machine": platform.processor() or platform.machine(),
        "marks": round(marked - began, 1),
        "pages": round(ended - marked, 1),
    }
    text = json.dumps(result, indent=1) + "\n"
    (HERE / "grading.json").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
