"""The check that a student runs: `check("03.forward", forward)`."""

from __future__ import annotations

import importlib
import os
import re
import textwrap
from typing import Any

import jax
import numpy as np

from lessons.exercises.bans import banned, check_names
from lessons.exercises.base import Exercise, Finding, Trial, try_answers
from lessons.exercises.plain import AnswerError, to_answer, to_plain

# Taken now: an exercise may forbid jax.grad to the answer.
TRANSFORMS = {
    "": lambda function: function,
    "grad": jax.grad,
    "jit": jax.jit,
    "vmap": jax.vmap,
}


class LocalAnswers:
    """Answers in this process."""

    def __init__(self, exercise: Exercise, values: dict[str, Any]) -> None:
        self.values = values
        self.forbidden = exercise.forbidden

    def call(self, name: str, args: tuple, transform: str = "") -> Any:
        """Call an answer under the exercise's bans and return plain values."""
        return call(name, self.values[name], args, transform, self.forbidden)

    def value(self, name: str) -> Any:
        """Return an answer that is a value."""
        return None if self.values[name] is ... else to_plain(self.values[name])


def call(
    name: str, function: Any, args: tuple, transform: str, forbidden: tuple[str, ...]
) -> Any:
    """Call a student's function under bans and return plain values.

    Raises
    ------
    AnswerError
        If it is no function, stops with an error, calls a finished function, or
        returns anything but numbers.
    """
    if function is None or function is ...:
        raise AnswerError(f"{name} is empty", "unanswered")
    if not callable(function):
        kind = type(function).__name__
        raise AnswerError(f"expected {name} to be a function, got {kind}")
    check_names(function, forbidden)
    arguments = [to_answer(each) for each in args]
    try:
        with banned(forbidden):
            return to_plain(TRANSFORMS[transform](function)(*arguments))
    except AnswerError:
        raise
    except NotImplementedError:
        raise AnswerError("it is not implemented yet", "unanswered") from None
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise AnswerError(f"{type(error).__name__}: {first[:300]}") from None


def find(id: str) -> Exercise:
    """Return the exercise of this id.

    Parameters
    ----------
    id : str
        Such as ``"03.forward"``.

    Raises
    ------
    ValueError
        If there is none, with the ids of the chapter.
    """
    chapter = re.match(r"(\d\d)\.", id)
    try:
        module = importlib.import_module(f"lessons.exercises.ch{chapter[1]}")
    except (ImportError, TypeError):
        raise ValueError(
            f"expected an exercise such as '03.forward', got {id!r}"
        ) from None
    known = exercises_of(module)
    if id not in known:
        raise ValueError(f"expected one of {sorted(known)}, got {id!r}")
    return known[id]


def exercises_of(module: Any) -> dict[str, Exercise]:
    """Return the exercises that a module of a chapter defines, by id."""
    found = [each for each in vars(module).values() if isinstance(each, Exercise)]
    return {each.id: each for each in found}


def check(id: str, *answers: Any, variant: int = 0, seed: int | None = None) -> None:
    """Try an answer on fresh random data and print what passed, what failed and why.

    Try as often as you like: nothing is counted and nothing is sent anywhere.

    Parameters
    ----------
    id : str
        The exercise, such as ``"01.relu"``.
    *answers
        Your functions or values, in the order that the exercise names.
    variant : int
        The number of your own copy of the exercise, where it has one.
    seed : int, optional
        Repeats the data of an earlier try.

    Raises
    ------
    ValueError
        If there is no such exercise, or the number of answers is wrong.

    Examples
    --------
    >>> check("01.gain", lambda a: 2 / (1 + a**2))
    01.gain: all 3 checks passed.
    """
    exercise = find(id)
    if len(answers) != len(exercise.names):
        raise ValueError(
            f"expected {', '.join(exercise.names)} for {id}, got {len(answers)} answers"
        )
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
    here = LocalAnswers(exercise, dict(zip(exercise.names, answers, strict=True)))
    findings = try_answers(exercise.practice, Trial(here, seed, variant))
    print(report(exercise, findings, seed))


def report(exercise: Exercise, findings: list[Finding], seed: int) -> str:
    """Write what a student reads after a try: at most one failure with its hint."""
    failed = [each for each in findings if not each.passed]
    if not failed:
        return f"{exercise.id}: all {len(findings)} checks passed."
    if failed[0].hint == "unanswered":
        return f"{exercise.id}: {exercise.hints['unanswered']}"
    good = len(findings) - len(failed)
    lines = [f"{exercise.id}: {good} passed, {len(failed)} failed (seed={seed})."]
    for each in findings:
        lines.append(f"  {'passed' if each.passed else 'FAILED'}  {each.what}")
        if each is failed[0]:
            lines += explained(exercise, each)
    return "\n".join(lines)


def explained(exercise: Exercise, finding: Finding) -> list[str]:
    """Write the input and the one hint of a failure."""
    text = exercise.hints.get(finding.hint, "")
    hint = f"hint: {text}" if text else ""
    wide = textwrap.wrap(hint, 80) if hint else []
    return ["          " + line for line in [*finding.on.splitlines(), *wide]]


def numbers(id: str, variant: int, *shape: int, low: int = -4, high: int = 4):
    """Draw the whole numbers of a student's own copy of an exercise, none of them 0.

    Parameters
    ----------
    id : str
        The exercise.
    variant : int
        The number of the copy.
    *shape : int
        The shape of the array.
    low, high : int
        The range, both ends in it.

    Returns
    -------
    array of float, of the shape

    Examples
    --------
    >>> bool((numbers("02.table", 7, 4) == numbers("02.table", 7, 4)).all())
    True
    """
    rng = np.random.default_rng([variant, *id.encode()])
    choices = [n for n in range(low, high + 1) if n]
    return rng.choice(choices, size=shape).astype(np.float32)
