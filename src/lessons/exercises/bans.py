"""Finished functions that an exercise asks the student to write.

While an answer runs, each of them refuses to be called; a name that the answer's code
refers to is looked up as well, because it may have been imported before. This teaches
an honest student; a dishonest one can copy the function's text, and no program can
tell that from writing it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import types
from collections.abc import Iterator
from typing import Any

from lessons.exercises.plain import AnswerError

DIFFERENTIATION = (
    *("jax.grad", "jax.value_and_grad", "jax.vjp", "jax.jvp", "jax.linearize"),
    *("jax.jacobian", "jax.jacrev", "jax.jacfwd", "jax.hessian"),
)


def target(path: str) -> tuple[Any, str] | None:
    """Return the owner and the name of a function written `module.name`, if here."""
    module, _, name = path.rpartition(".")
    try:
        owner = importlib.import_module(module)
    except ImportError:
        return None
    return (owner, name) if hasattr(owner, name) else None


def targets(paths: tuple[str, ...]) -> Iterator[tuple[str, Any, str]]:
    """Yield each finished function that is here: its path, its owner, its name.

    A path that ends in ``.*`` stands for all functions of a module.
    """
    for path in paths:
        module, _, name = path.rpartition(".")
        if name == "*":
            try:
                owner = importlib.import_module(module)
            except ImportError:  # Optax, say, where the package stands alone
                continue
            for each, value in list(vars(owner).items()):
                public = callable(value) and not each.startswith("_")
                if public and belongs(owner, each, value):
                    yield f"{module}.{each}", owner, each
        elif place := target(path):
            yield path, *place


def belongs(owner: Any, name: str, value: Any) -> bool:
    """Return whether a function is a module's own, not one that it only uses.

    `lessons.dnn` uses `relu` and `pairwise`; an answer may use them too.
    """
    if not owner.__name__.startswith("lessons."):
        return True
    own = getattr(value, "__module__", None) == owner.__name__
    return own or name in getattr(owner, "__all__", ())


def refusal(path: str):
    """Return a function that takes the place of a finished one."""

    def refuse(*args, **kwargs):
        raise AnswerError(f"the answer calls {path}", "finished")

    refuse.finished = path
    return refuse


@contextlib.contextmanager
def banned(paths: tuple[str, ...]) -> Iterator[None]:
    """Let every finished function refuse for a while."""
    found = list(targets(paths))
    kept = [(owner, name, getattr(owner, name)) for _, owner, name in found]
    try:
        for path, owner, name in found:
            setattr(owner, name, refusal(path))
        yield
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)


def check_names(answer: Any, paths: tuple[str, ...]) -> None:
    """Refuse an answer that is a finished function, or whose code names one.

    Raises
    ------
    AnswerError
        With the hint ``"finished"``.
    """
    finished = {id(getattr(owner, n)): path for path, owner, n in targets(paths)}
    for each in reached(answer):
        path = getattr(each, "finished", None) or finished.get(id(each))
        if isinstance(path, str):
            raise AnswerError(f"the answer calls {path}", "finished")
        if isinstance(each, types.ModuleType) and "._src" in each.__name__:
            raise AnswerError(f"the answer calls {each.__name__}", "finished")


def reached(answer: Any) -> Iterator[Any]:
    """Yield the answer and what its code reaches by name, through its own helpers."""
    seen: set[int] = set()
    waiting = [answer]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        function = getattr(each, "__wrapped__", each)
        if not isinstance(function, types.FunctionType):
            continue
        if function is not each:
            waiting.append(function)
        # Helpers of the student's own module are followed, those of libraries not.
        if function.__module__ not in {getattr(answer, "__module__", None), "__main__"}:
            continue
        waiting += [part for each in named(function) for part in parts(each)]


def named(function: types.FunctionType) -> list[Any]:
    """Return what a function's code names, in its globals, cells and defaults."""
    codes, names = [function.__code__], set()
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    held = [c.cell_contents for c in function.__closure__ or () if not empty(c)]
    held += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return held + [function.__globals__[n] for n in names if n in function.__globals__]


def parts(value: Any) -> list[Any]:
    """Return what a container of a few things holds; another value is itself."""
    if isinstance(value, functools.partial):
        return [value.func, *value.args]
    if type(value) is dict:
        value = list(value.values())
    return list(value[:100]) if type(value) in (list, tuple) else [value]


def empty(cell: types.CellType) -> bool:
    """Return whether a closure's cell has no content yet."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False
