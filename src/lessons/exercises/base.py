"""What an exercise is, and how an answer to it is tried.

A check is a function of a `Trial`. It asks the answer for values, compares them, and
knows what a wrong answer looks like, so that a failure comes with a hint. The same
check runs in a student's notebook, where the answer is a function beside it, and in
grading, where the answer lives in another process and only arrays cross the pipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from lessons.exercises.plain import AnswerError, close, shape_of, shown

DEFAULT_HINTS = {
    "unanswered": "The answer is still empty: replace the three dots.",
    "raises": "The answer stops with an error on this input.",
    "undefined": "The cell of the answer does not get as far as this name.",
    "kind": "Return arrays, numbers, lists or dictionaries of them, and nothing else.",
    "ended": "An endless loop, or too much memory?",
    "finished": "The exercise asks you to write this yourself, from simpler parts.",
    "shape": "The shape is not the expected one.",
    "nan": "The result is not a finite number here.",
}


class Finding(NamedTuple):
    """One thing that was looked at; `hint` is the name of a hint, or empty."""

    what: str
    passed: bool
    on: str = ""
    hint: str = ""


class Answers(Protocol):
    """Where the answers are: in this process, or behind a pipe."""

    def call(self, name: str, args: tuple, transform: str) -> Any:
        """Call a function of the answer; raise AnswerError where that fails."""

    def value(self, name: str) -> Any:
        """Return a variable of the answer; raise AnswerError where there is none."""


class Trial:
    """One try of an answer: it asks, compares and keeps the findings.

    Parameters
    ----------
    answers : Answers
        Where to ask.
    seed : int
        Decides the random inputs, `rng`.
    variant : int
        The number that decides a student's own data; 0 where all have the same.
    """

    def __init__(self, answers: Answers, seed: int, variant: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.variant = variant
        self.findings: list[Finding] = []
        self._answers = answers

    def normal(self, *shape: int) -> np.ndarray:
        """Draw a float32 array of standard normal numbers."""
        return self.rng.normal(size=shape).astype(np.float32)

    def call(
        self, name: str, *args: Any, transform: str = "", otherwise: str = "raises"
    ) -> Any:
        """Call the student's function and return plain NumPy values.

        Parameters
        ----------
        name : str
            The function's name.
        *args
            Arrays, numbers, text, lists and dictionaries of them, `Source` for a
            function and `Key` for a random key.
        transform : {"", "grad", "jit", "vmap"}
            What `jax` does to the function first.
        otherwise : str
            The hint for an answer that stops with an error here.
        """
        try:
            result = self._answers.call(name, args, transform)
        except AnswerError as error:
            slip = str(error).startswith(("NameError", "AttributeError"))
            hint = otherwise if error.hint == "raises" and not slip else error.hint
            raise AnswerError(f"{error}", hint, on=shown_call(name, args)) from None
        if result is None:
            raise AnswerError("it returned None", "unanswered", shown_call(name, args))
        return result

    def value(self, name: str) -> Any:
        """Return the student's variable as plain NumPy values."""
        result = self._answers.value(name)
        if result is None:
            raise AnswerError(f"{name} is None", "unanswered")
        return result

    def equal(
        self,
        what: str,
        got: Any,
        expected: Any,
        *,
        mistakes: Mapping[str, Any] | None = None,
        otherwise: str = "",
        on: str = "",
        rtol: float = 1e-4,
        atol: float = 1e-5,
    ) -> bool:
        """Compare with the right value; name the mistake that gives the same as `got`.

        Parameters
        ----------
        what : str
            What is looked at, in words: "the values at negative numbers".
        got, expected : array, number, list or dict
            The answer's value and the right one. NaN equals nothing.
        mistakes : dict of str to value
            What each known mistake would give here, by the name of its hint. One
            that is equal to `expected` on this input is passed over.
        otherwise : str
            The hint for any other wrong value.
        on : str
            The input, in words, for the student.
        rtol, atol : float
            The tolerances.
        """
        if close(got, expected, rtol, atol):
            self.findings.append(Finding(what, True))
            return True
        hint = otherwise
        for name, value in (mistakes or {}).items():
            distinct = not close(value, expected, rtol, atol)
            if distinct and close(got, value, rtol, atol):
                hint = name
                break
        else:
            if shape_of(got) != shape_of(expected):
                hint = otherwise or "shape"
                on = f"{on}\nexpected shape {shape_of(expected)}, got {shape_of(got)}"
            elif not finite(got) and finite(expected):
                hint = otherwise or "nan"
        place = f"{on}\nyours  {shown(got)}".strip()
        self.findings.append(Finding(what, False, place, hint))
        return False

    def true(self, what: str, passed: Any, *, hint: str = "", on: str = "") -> bool:
        """Keep a finding about a property that holds or does not."""
        passed = bool(passed)
        self.findings.append(Finding(what, passed, "" if passed else on, hint))
        return passed


Check = Callable[[Trial], None]


class Exercise(NamedTuple):
    """An exercise that is checked by a program."""

    id: str
    names: tuple[str, ...]
    practice: Check
    hints: Mapping[str, str]
    forbidden: tuple[str, ...] = ()


def exercise(
    id: str, *names: str, hints: Mapping[str, str], forbidden: tuple[str, ...] = ()
) -> Callable[[Check], Exercise]:
    """Make an exercise of the practice check that follows.

    Parameters
    ----------
    id : str
        The chapter and a word: ``"03.forward"``.
    *names : str
        The functions or variables that the student writes, in the order in which
        `check` gets them.
    hints : dict of str to str
        What to tell a student, by the name that the checks use.
    forbidden : tuple of str
        Finished functions that the exercise asks the student to write, such as
        ``"jax.nn.relu"``.
    """

    def make(practice: Check) -> Exercise:
        return Exercise(id, names, practice, {**DEFAULT_HINTS, **hints}, forbidden)

    return make


def try_answers(check: Check, trial: Trial) -> list[Finding]:
    """Run a check; an answer that stops with an error is one more finding.

    So is one that the check cannot read, such as a number where it takes a part of a
    list: no reply of one answer may stop the marking of the others.
    """
    try:
        check(trial)
    except AnswerError as error:
        place = f"{error.on}\n{error}".strip()
        trial.findings.append(Finding("it runs", False, place, error.hint))
    except Exception as error:
        place = f"the check cannot read it: {type(error).__name__}"
        trial.findings.append(Finding("its form", False, place, "shape"))
    return trial.findings


def passed(findings: list[Finding]) -> bool:
    """Return whether something was looked at and all of it was right."""
    return bool(findings) and all(finding.passed for finding in findings)


def finite(value: Any) -> bool:
    """Return whether a plain value holds finite numbers alone."""
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    array = np.asarray(value)
    return array.dtype.kind in "biuf" and bool(np.isfinite(array).all())


def shown_call(name: str, args: tuple) -> str:
    """Write a call for the student, its arrays shortened."""
    return f"{name}({', '.join(map(shown, args))})"
