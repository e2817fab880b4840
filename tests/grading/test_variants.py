"""Numbers of their own: each student's copy is graded with that student's numbers."""

import nbformat
import pytest
from conftest import SOURCES

from lessons.grading import course as courses
from lessons.grading.cells import grade_id
from lessons.grading.cli import main
from lessons.grading.marking import mark_notebook
from lessons.grading.marks import Chapter, chapter

WORD = "table"


@pytest.fixture(scope="module")
def course(tmp_path_factory, boxed):
    """A course in which chapter 02 is released with variants to two students."""
    root = tmp_path_factory.mktemp("variants") / "dl"
    made = courses.init(root, "dl", SOURCES)
    (root / "class.csv").write_text("id\nada\ngrace\n")
    options = ["--course", str(root), "--students", str(root / "class.csv")]
    assert main(["release", "02", "--variants", *options]) == 0
    return made


def copy_of(course, student):
    """Return the notebook that a student got."""
    [path] = (course.root / "variants" / "02" / student).glob("*.ipynb")
    return nbformat.read(path, as_version=4)


def source(notebook, word):
    """Return the source of a cell."""
    [found] = [cell.source for cell in notebook.cells if grade_id(cell) == word]
    return found


def answered(course, student):
    """Return a student's copy with plain numbers for an answer, worked out by hand."""
    notebook = copy_of(course, student)
    names = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and grade_id(cell) in ("imports", "variant"):
            exec(cell.source, names)
        elif "numbers(" in cell.source and cell.cell_type == "code":
            exec(cell.source, names)
            break
    p, q, r = (float(names[name]) for name in "pqr")
    u, v = p * q, p * q - r
    lines = [f"loss = {u * v + p**2}", f"by_u = {u + v}", f"by_r = {-u}"]
    lines += [f"by_p = {(u + v) * q + 2 * p}", f"by_q = {(u + v) * p}"]
    return "\n".join(lines)


def right(course, student, answer):
    """Return whether an answer in a student's copy earns the point."""
    whole = chapter("02", course.hidden())
    id = f"02.{WORD}"
    one = Chapter({id: whole.exercises[id]}, whole.hidden)
    notebook = copy_of(course, student)
    for cell in notebook.cells:
        if grade_id(cell) == WORD:
            cell.source = answer
    numbers = course.seed("02", student), course.variant("02", student)
    [marked] = mark_notebook(notebook, one, numbers)
    return marked.right


def test_copies_differ_in_their_number_alone(course):
    ada, grace = copy_of(course, "ada"), copy_of(course, "grace")
    differing = [
        grade_id(a)
        for a, b in zip(ada.cells, grace.cells, strict=True)
        if a.source != b.source
    ]
    assert differing == ["variant"]
    assert source(ada, "variant") != source(grace, "variant")


def test_a_copy_is_the_same_when_it_is_released_again(course):
    before = copy_of(course, "ada")
    courses.release_variants(course, "02", ["ada"])
    assert copy_of(course, "ada") == before


def test_own_numbers_earn_the_point_and_a_neighbours_do_not(course):
    ada, grace = answered(course, "ada"), answered(course, "grace")
    assert ada != grace
    assert right(course, "ada", ada)
    assert right(course, "grace", grace)
    assert not right(course, "ada", grace)


def test_the_number_in_the_notebook_is_not_believed(course):
    other = f"variant = {course.variant('02', 'grace')}"
    stolen = f"{other}\n{answered(course, 'grace')}"
    assert not right(course, "ada", stolen)
