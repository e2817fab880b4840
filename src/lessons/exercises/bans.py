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
import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from lessons.exercises.plain import AnswerError

LIBRARIES = {"jax", "lessons", "numpy", "optax", "scipy"}
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

    `lessons.dnn.*` does not stand for the `pairwise` that `lessons.dnn` uses.
    """
    if not owner.__name__.startswith("lessons."):
        # `jax.nn.tanh` is `jax.numpy.tanh`, a simpler part.
        return getattr(jax.numpy, name, None) is not value
    own = getattr(value, "__module__", None) == owner.__name__
    return own or name in getattr(owner, "__all__", ())


def refusal(path: str):
    """Return a function that takes the place of a finished one."""

    def refuse(*args, **kwargs):
        raise AnswerError(f"the answer calls {path}", "finished")

    refuse.finished = path
    return refuse


class Finished(NamedTuple):
    """A finished function, and one of the names under which it stands somewhere."""

    path: str
    owner: Any
    name: str
    function: Any


@functools.lru_cache(maxsize=32)
def finished(paths: tuple[str, ...], loaded: int) -> tuple[Finished, ...]:
    """Return the finished functions with all public names of theirs.

    `lessons.dnn` has a name for the very ReLU of `lessons.activations`. `loaded`, the
    number of modules that are here, makes a list of its own when more are imported.
    """
    listed = [(path, getattr(owner, name)) for path, owner, name in targets(paths)]
    by_id = {id(function): (path, function) for path, function in listed}
    found = []
    for module_name, module in list(sys.modules.items()):
        root = module_name.split(".")[0]
        private = "._" in module_name or module_name.startswith("lessons.exercises")
        if private or root not in LIBRARIES:
            continue
        for name, value in list(vars(module).items()):
            path, function = by_id.get(id(value), ("", None))
            if path and function is value:
                found.append(Finished(path, module, name, value))
    return tuple(found)


@contextlib.contextmanager
def banned(paths: tuple[str, ...]) -> Iterator[None]:
    """Let every finished function refuse for a while."""
    found = finished(paths, len(sys.modules))
    try:
        for each in found:
            setattr(each.owner, each.name, refusal(each.path))
        yield
    finally:
        for each in found:
            setattr(each.owner, each.name, each.function)


def check_names(answer: Any, paths: tuple[str, ...]) -> None:
    """Refuse an answer that is a finished function, or whose code names one.

    Raises
    ------
    AnswerError
        With the hint ``"finished"``.
    """
    known = {
        id(part): each.path
        for each in finished(paths, len(sys.modules))
        for part in layers(each.function)
    }
    for each in reached(answer):
        path = getattr(each, "finished", None) or known.get(id(each))
        if isinstance(path, str):
            raise AnswerError(f"the answer calls {path}", "finished")
        if isinstance(each, types.ModuleType) and "._src" in each.__name__:
            raise AnswerError(f"the answer calls {each.__name__}", "finished")


def layers(function: Any) -> Iterator[Any]:
    """Yield a function and what it wraps: jax.nn.relu is a jit, and vmap looks inside.

    >>> [each.__name__ for each in layers(functools.wraps(abs)(lambda x: x))]
    ['abs', 'abs']
    """
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def reached(answer: Any) -> Iterator[Any]:
    """Yield the answer and what its code reaches by name, through its own helpers."""
    seen: set[int] = set()
    waiting = parts(answer)
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        # What jit, vmap and partial were given: a function, or a finished one.
        function = getattr(each, "__wrapped__", each)
        if function is not each:
            waiting.append(function)
        if not isinstance(function, types.FunctionType):
            continue
        # Helpers of the student's own module are followed, those of libraries not.
        home = {getattr(answer, "__module__", None), "__main__"}
        module = function.__module__ or ""
        if module not in home or module.split(".")[0] in LIBRARIES:
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
