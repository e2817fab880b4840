"""What a student sees: one hint, the input, and never more than the package needs."""

import functools
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import nbformat
import numpy as np
import pytest
import scipy.special
from conftest import SOURCES

from lessons import dnn
from lessons.exercises import check, numbers
from lessons.exercises.bans import banned, check_names
from lessons.exercises.base import Trial, try_answers
from lessons.exercises.local import LocalAnswers, find
from lessons.exercises.plain import (
    AnswerError,
    Key,
    Source,
    close,
    decode,
    encode,
    to_plain,
)

ABSENT = ["nbgrader", "nbformat", "IPython", "optax", "sklearn", "sacrebleu"]
# Nothing but the package and what it needs: such modules are as good as not installed.
ALONE = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
"""


def relu(x):
    return jnp.maximum(x, 0)


def relu_slope(x):
    return jnp.where(x > 0, 1.0, 0.0)


def said(capsys, *args, **options):
    """Return what a check prints."""
    check(*args, **options)
    return capsys.readouterr().out


def test_a_right_answer_is_one_line(capsys):
    out = said(capsys, "01.relu", relu, relu_slope)
    assert out == "01.relu: all 2 checks passed.\n"


def test_a_wrong_answer_gets_its_input_and_one_hint(capsys):
    out = said(capsys, "01.relu", jnp.abs, relu_slope, seed=3)
    assert out.startswith("01.relu: 1 passed, 1 failed (seed=3).")
    assert out.count("hint:") == 1
    assert "x = [" in out and "yours" in out
    assert "expected" not in out


def test_only_the_first_of_two_failures_is_explained(capsys):
    out = said(capsys, "01.relu", jnp.abs, jnp.sign)
    assert out.count("FAILED") == 2
    assert out.count("hint:") == 1


def test_the_same_seed_gives_the_same_words(capsys):
    first = said(capsys, "01.relu", jnp.abs, relu_slope, seed=5)
    assert said(capsys, "01.relu", jnp.abs, relu_slope, seed=5) == first
    assert said(capsys, "01.relu", jnp.abs, relu_slope, seed=6) != first


def test_data_are_fresh_without_a_seed(capsys):
    tries = {said(capsys, "01.relu", jnp.abs, relu_slope) for _ in range(3)}
    assert len(tries) == 3


@pytest.mark.parametrize("empty", [lambda x: ..., lambda x: None, None, ...])
def test_an_empty_answer_is_told_so(capsys, empty):
    out = said(capsys, "01.relu", empty, empty)
    assert out == "01.relu: The answer is still empty: replace the three dots.\n"


def test_an_error_is_shown_in_one_line(capsys):
    def broken(x):
        raise ValueError("weights\nand more")

    out = said(capsys, "01.softmax", broken)
    assert (
        "ValueError: weights" in out
        and "Traceback" not in out
        and "and more" not in out
    )


@pytest.mark.parametrize(
    ("id", "answers", "message"),
    [
        ("relu", (relu,), "such as '03.forward'"),
        ("99.relu", (relu,), "such as '03.forward'"),
        ("01.rule", (relu,), "expected one of"),
        ("01.relu", (relu,), "expected relu, relu_slope for 01.relu, got 1 answers"),
    ],
)
def test_a_wrong_call_says_what_is_expected(id, answers, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check(id, *answers)


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.ipynb")), ids=lambda p: p.stem)
def test_the_checks_need_nothing_but_the_package(path):
    notebook = nbformat.read(path, as_version=4)
    cells = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", [])
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n\n".join([ALONE, *cells])],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-800:]
    checks = [cell for cell in cells if cell.startswith("check(")]
    assert done.stdout.count("checks passed.") == len(checks) >= 5


def test_a_reply_that_the_check_cannot_read_is_one_more_failure():
    answers = LocalAnswers(find("01.relu"), {"relu": relu, "relu_slope": 5})
    [finding] = try_answers(lambda t: t.value("relu_slope")["w"], Trial(answers, 0))
    assert (finding.passed, finding.hint) == (False, "shape")
    assert "cannot read it" in finding.on


def test_bans_end_with_the_call():
    before = jax.nn.relu
    with banned(("jax.nn.relu",)), pytest.raises(AnswerError, match=r"jax\.nn\.relu"):
        jax.nn.relu(1.0)
    assert jax.nn.relu is before


def test_a_name_is_found_through_a_helper_a_closure_and_a_jit():
    library = jax.nn.relu

    def helper(x):
        return library(x)

    def default(x, f=library):
        return f(x)

    kept = {"f": [library], "g": functools.partial(library)}
    in_a_list, in_a_dict = kept["f"], {"g": library}
    answers = [library, helper, jax.jit(helper), lambda x: helper(x), default]
    answers += [lambda x: in_a_list[0](x), lambda x: in_a_dict["g"](x)]
    partial = kept["g"]
    answers += [lambda x: partial(x), partial, jax.jit(library), jax.vmap(library)]
    for answer in answers:
        with pytest.raises(AnswerError, match=r"jax\.nn\.relu"):
            check_names(answer, ("jax.nn.relu",))
    check_names(relu, ("jax.nn.relu",))


def test_other_names_of_a_finished_function_refuse_too():
    bans = ("lessons.activations.relu", "scipy.special.softmax")
    with banned(bans):
        for call in (dnn.relu, scipy.special.softmax):
            with pytest.raises(AnswerError, match="the answer calls"):
                call(np.zeros(2))
    assert dnn.relu(jnp.zeros(2)).shape == (2,)


class Odd:
    """An object that says it is an array."""

    def __array__(self, *args, **options):
        """Return what a check must never ask for."""
        return np.zeros(3)


@pytest.mark.parametrize(
    "value",
    [Odd(), object(), {1, 2}, 1 + 1j, np.array([None]), np.zeros(2, "M8[s]"), print],
)
def test_only_plain_values_pass(value):
    with pytest.raises(AnswerError, match="expected numbers"):
        to_plain(value)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        {"w": [np.zeros(0), 1.5, True, None, "text"]},
        (1, [2, (3,)]),
        Source("lambda p: p"),
        Key(3),
        np.float32("nan"),
    ],
)
def test_what_is_encoded_is_decoded(value):
    again = decode(encode(value))
    if isinstance(value, np.ndarray | np.floating):
        np.testing.assert_array_equal(again, value)
    elif isinstance(value, dict):
        assert again["w"][1:] == value["w"][1:]
    else:
        assert again == value and type(again) is type(value)


ARRAY = {"array": "AAAAAA==", "dtype": "<f4", "shape": [1]}


@pytest.mark.parametrize(
    "message",
    [
        None,
        5,
        [],
        {},
        {"array": "AAAA", "dtype": "<f4", "shape": [1]},
        ARRAY | {"dtype": "|O"},
        ARRAY | {"array": "AAAAAAAAAAA=", "dtype": "<c8"},
        ARRAY | {"dtype": "bad"},
        ARRAY | {"shape": [-1]},
        ARRAY | {"shape": ["1"]},
        ARRAY | {"shape": [2, 3]},
        ARRAY | {"array": "not base64!"},
        {"list": [{"list": [5]}]},
        {"dict": [1]},
        {"number": "5"},
    ],
)
def test_what_is_no_message_is_refused(message):
    with pytest.raises((ValueError, TypeError)):
        decode(message)


def test_a_nest_of_messages_has_an_end():
    message = {"number": 1}
    for _ in range(50):
        message = {"list": [message]}
    with pytest.raises(ValueError, match="encoded"):
        decode(message)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1.0, 1.0, True),
        (np.nan, np.nan, False),
        (np.nan, 1.0, False),
        (np.inf, np.inf, True),
        (np.zeros((2, 1)), np.zeros((1, 2)), False),
        (np.zeros(1), np.zeros(()), False),
        ([1, 2], (1, 2), True),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"b": 1}, False),
        (None, None, True),
        (None, 0.0, False),
        ("x", "x", True),
        ("1", 1, False),
        (1 + 1j, 1.0, False),
    ],
)
def test_close(a, b, same):
    assert close(a, b) is same


def test_each_copy_has_its_numbers():
    assert (numbers("02.table", 1, 8) == numbers("02.table", 1, 8)).all()
    assert (numbers("02.table", 1, 8) != numbers("02.table", 2, 8)).any()
    assert (numbers("02.table", 1, 8) != numbers("02.steps", 1, 8)).any()
    assert (numbers("02.table", 1, 200) != 0).all()


def test_find_knows_every_exercise_of_the_sources():
    for path in SOURCES.glob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            if hit := re.match(r'check\("(.+?)"', cell.source):
                assert find(hit[1]).id == hit[1]
