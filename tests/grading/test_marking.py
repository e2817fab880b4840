"""What marking costs the grader, and which exercises it marks."""

import shutil
import time

import nbformat
import numpy as np
import pytest
from conftest import ASSIGNMENT, SOURCES, solved

from lessons.exercises import ch03, ch04_clinics
from lessons.exercises.base import Finding, Trial
from lessons.exercises.plain import AnswerError, Key, Source, decode, shown
from lessons.grading import course as courses
from lessons.grading.assemble import MAX_SOURCE
from lessons.grading.cells import grade_id
from lessons.grading.marking import (
    cells_of,
    fingerprint,
    mark_notebook,
    plain_python,
)
from lessons.grading.marks import MAX_SAYS, chapter, inside_of_jax, verdict

OWN = """
from lessons.exercises.base import exercise

@exercise("{id}", "twice", hints={{}})
def twice(t):
    t.equal("the values", t.call("twice", 1), 2)
"""


@pytest.mark.parametrize(
    "code",
    ["\n" * MAX_SOURCE, " " * MAX_SOURCE, "\n".join(["a" + ".a" * 900] * 110)],
    ids=["blank lines", "blanks", "long names"],
)
def test_a_long_answer_is_read_in_no_time(code):
    began = time.process_time()
    assert inside_of_jax(plain_python(code)) is None
    # A quadratic reader takes minutes.
    assert time.process_time() - began < 10


def test_a_line_that_only_looks_like_a_magic_stays():
    source = "x = (7\n    % 4)"
    assert plain_python(source) == source
    assert plain_python("%timeit x\ny = 1") == "pass\ny = 1"


def test_a_cell_of_ones_own_lends_no_private_part_of_a_library(checks, cache):
    notebook = solved(relu="def relu(x):\n    return top(x, 0)\n\n\nrelu_slope = relu")
    lent = "from jax._src.numpy.ufuncs import maximum as top"
    notebook.cells.insert(2, nbformat.v4.new_code_cell(lent))
    found = mark_notebook(notebook, checks, (1, 0), cache=cache)
    [relu] = [each for each in found if each.id == "01.relu"]
    assert not relu.right and "NameError" in relu.says


def test_an_answer_of_many_pieces_has_an_end():
    notebook = solved(relu="\n" * (3 * MAX_SOURCE))
    assert len(cells_of(notebook, "relu").answer) <= MAX_SOURCE


class Given:
    """Answers that reply with one value."""

    def __init__(self, value):
        """Keep the value."""
        self._value = value

    def value(self, name):
        """Return it, whatever is asked for."""
        return self._value


def wide(h):
    """Return a network of two layers with h units, in small numbers."""
    first = {"w": np.zeros((2, h), "i1"), "b": np.zeros(h, "i1")}
    return [first, {"w": np.zeros((h, 1), "i1"), "b": np.zeros(1, "i1")}]


def test_a_network_of_any_width_is_not_computed():
    assert ch03.two_layers(wide(1000))
    trial = Trial(Given(wide(1001)), seed=0)
    ch03.maximum.practice(trial)
    assert [each.hint for each in trial.findings] == ["shapes"]


def test_a_part_has_no_more_rows_than_the_whole():
    rows = [np.zeros((31, 3), "i1"), np.arange(31)]
    with pytest.raises(AnswerError, match="31") as caught:
        ch04_clinics.part(rows)
    assert caught.value.hint == "shape"


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("(1f4,f4", [0]), ("O", [0]), ("i1", [0]), ("|i1", [0, 10**6, 10**6])],
)
def test_an_array_that_would_harm_the_reader_is_refused(dtype, shape):
    with pytest.raises(ValueError, match="expected a"):
        decode({"array": "", "dtype": dtype, "shape": shape})


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        Source("x" * 10**6),
        Key(10**4000),
        10**4000,
        list(range(10**5)),
        {f"{n}": n for n in range(10**5)},
        {"x" * 10**6: 1},
        np.zeros((2,) * 16, "i1"),
    ],
    ids=["text", "source", "key", "number", "list", "dict", "name", "axes"],
)
def test_what_is_shown_is_short(value):
    assert len(shown(value)) < 400


def test_a_nest_is_shown_in_no_time():
    nest = 0
    for _ in range(8):
        nest = [nest] * 6
    assert len(shown(nest)) < 20_000


def test_a_short_value_is_shown_whole():
    assert shown([1, "two", {"a": [None]}]) == "[1, 'two', {'a': [None]}]"


def test_a_long_verdict_is_cut_and_keeps_its_hint():
    exercise = ch03.maximum
    long = Finding("the shapes", False, "x" * 10**6, "shapes")
    text = verdict(exercise, [long])
    assert len(text) <= MAX_SAYS
    assert "Two dicts" in text
    assert len(verdict(exercise, [long._replace(on="\n" * 10**6)])) <= MAX_SAYS


def test_an_exercise_that_the_notebook_lacks_is_not_marked(checks, cache):
    notebook = solved()
    notebook.cells = [
        cell for cell in notebook.cells if not grade_id(cell).startswith("relu")
    ]
    marked = mark_notebook(notebook, checks, (1, 0), cache=cache)
    assert [(each.id, each.right) for each in marked] == [("01.clinic", True)]


@pytest.fixture
def own(tmp_path):
    """Return a folder with exercises of an instructor's own."""
    shutil.copytree(SOURCES / "hidden", tmp_path / "hidden")
    (tmp_path / "hidden" / "ch66.py").touch()
    for number in (ASSIGNMENT, "66"):
        text = OWN.format(id=f"{number}.twice")
        (tmp_path / f"ch{number}.py").write_text(text)
    return tmp_path


def test_an_instructors_own_exercises_are_loaded(own):
    more = chapter(ASSIGNMENT, own / "hidden").exercises
    assert set(more) - set(chapter(ASSIGNMENT, SOURCES / "hidden").exercises) == {
        "01.twice"
    }
    assert list(chapter("66", own / "hidden").exercises) == ["66.twice"]


def test_an_instructors_own_check_decides_the_mark(released, own):
    course = courses.load(released.root)._replace(root=own)
    shutil.copytree(released.root / "source", own / "source")
    shutil.copy(released.root / "course.json", own)
    before = fingerprint(course, ASSIGNMENT, "ada", b"")
    (own / f"ch{ASSIGNMENT}.py").write_text("# another check\n")
    assert fingerprint(course, ASSIGNMENT, "ada", b"") != before
