"""What sets a mark: the practice check, then a hidden check with its own reference.

The hidden checks stand beside the sources of the exercises, one file a chapter. They
are NumPy alone and run outside the sandbox, on plain values that the answer returned.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from lessons.exercises.base import (
    Answers,
    Check,
    Exercise,
    Finding,
    Trial,
    passed,
    try_answers,
)
from lessons.exercises.local import exercises_of, explained

MAX_SAYS = 2000


class Marked(NamedTuple):
    """The result of one exercise of one submission."""

    id: str
    right: bool
    says: str


class Hidden(NamedTuple):
    """A hidden check, and the exercise that it belongs to."""

    id: str
    check: Check


def hidden(id: str) -> Callable[[Check], Hidden]:
    """Make a hidden check of the function that follows.

    Parameters
    ----------
    id : str
        The exercise, such as ``"03.forward"``.
    """
    return lambda check: Hidden(id, check)


class Chapter(NamedTuple):
    """The exercises of a chapter and their hidden checks."""

    exercises: dict[str, Exercise]
    hidden: dict[str, Check]


def chapter(number: str, folder: Path) -> Chapter:
    """Load a chapter's exercises and hidden checks.

    An instructor's own practice checks lie beside the folder, as `lessons new-exercise`
    writes them; they come on top of the package's.

    Parameters
    ----------
    number : str
        Two digits: ``"03"``.
    folder : Path
        The folder of the hidden checks, with `ch03.py` in it.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    file = folder / f"ch{number}.py"
    if not file.is_file():
        raise ValueError(f"expected hidden checks in {file.name}, found no such file")
    found = [each for each in vars(loaded(file)).values() if isinstance(each, Hidden)]
    exercises: dict[str, Exercise] = {}
    name = f"lessons.exercises.ch{number}"
    if importlib.util.find_spec(name):
        exercises |= exercises_of(importlib.import_module(name))
    own = folder.parent / f"ch{number}.py"
    if own.is_file():
        exercises |= exercises_of(loaded(own))
    return Chapter(exercises, {each.id: each.check for each in found})


def loaded(file: Path) -> ModuleType:
    """Run a file of checks and return its module."""
    name = f"{file.parent.name}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mark(course: Chapter, id: str, answers: Answers, seed: int, variant: int) -> Marked:
    """Try an answer with the practice check, then with the hidden one.

    Parameters
    ----------
    course : Chapter
        Where the exercise stands.
    id : str
        The exercise.
    answers : Answers
        The student's functions and values.
    seed, variant : int
        The numbers that decide the data.
    """
    exercise = course.exercises[id]
    findings = try_answers(exercise.practice, Trial(answers, seed, variant))
    if passed(findings):
        findings += hidden_trial(course, id, answers, seed, variant)
    return Marked(id, passed(findings), verdict(exercise, findings))


def hidden_trial(
    course: Chapter, id: str, answers: Answers, seed: int, variant: int
) -> list[Finding]:
    """Try an answer with the hidden check alone, where the exercise has one."""
    if id not in course.hidden:
        return []
    return try_answers(course.hidden[id], Trial(answers, seed + 1, variant))


def verdict(exercise: Exercise, findings: list[Finding]) -> str:
    """Write the result in words: what passed, the first failure and its hint."""
    failed = next((each for each in findings if not each.passed), None)
    if failed is None:
        return f"{exercise.id}: all {len(findings)} checks passed."
    # Cut twice: a long place must not push out the hint.
    kept = failed._replace(on=failed.on[: MAX_SAYS // 2])
    lines = [f"{exercise.id}: failed at: {failed.what}", *explained(exercise, kept)]
    return "\n".join(lines)[:MAX_SAYS]


def inside_of_jax(code: str) -> str | None:
    """Return the private part of a library that a source names, or None.

    There the finished functions stand under other names. The source is read, not run.

    Parameters
    ----------
    code : str
        The student's cell.
    """
    return next((name for name in dotted_names(code) if "._src" in name), None)


# Before 3.11.8 and 3.12.2 two threads that parse at once fail with "AST constructor
# recursion depth mismatch": they count the depth of both trees in one place.
PARSER = threading.Lock()


def parsed(code: str) -> ast.Module:
    """Parse a source, one thread at a time."""
    with PARSER:
        return ast.parse(code)


def tree_of(code: str) -> ast.Module | None:
    """Parse what a student wrote; None if it is no plain Python."""
    try:
        return parsed(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def dotted_names(code: str) -> list[str]:
    """Return the full names that a source of plain Python uses, imports resolved."""
    tree = tree_of(code)
    nodes = list(ast.walk(tree)) if tree else []
    known: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name if alias.asname else alias.name.split(".")[0]
                known[alias.asname or root] = root
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    # a.b is within a.b.c: to write each of them out would take quadratic time.
    within = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    named = [node for node in nodes if isinstance(node, ast.Attribute | ast.Name)]
    found = [full_name(node, known) for node in named if id(node) not in within]
    return [*known.values(), *filter(None, found)]


def full_name(node: ast.AST, known: dict[str, str]) -> str:
    """Write an attribute's name in full, from its module on."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([known.get(node.id, node.id), *reversed(parts)])
