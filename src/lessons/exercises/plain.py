"""Plain values: what may pass between an answer and its check, and how it is compared.

A plain value is a NumPy array of numbers, a text, None, or a list or dictionary of
plain values. Nothing else crosses, so nothing that a student's class defines is ever
asked: no pickles, no `__array__`, no `__eq__`.
"""

from __future__ import annotations

import base64
import itertools
import math
import re
from typing import Any, NamedTuple

import numpy as np

MAX_BYTES = 3_000_000
DEPTH = 12
KINDS = "biuf"
# Nothing else is given to np.dtype, which reads a small language.
NUMBERS = re.compile(r"\|b1|[<>|][iuf][1248]")
SHOWN_ITEMS, SHOWN_TEXT, SHOWN_DEPTH = 6, 200, 4


class AnswerError(Exception):
    """An answer that cannot be had: it is missing, stops, or gives no plain value."""

    def __init__(self, message: str, hint: str = "raises", on: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.on = on


class Source(NamedTuple):
    """A function that is an argument: an expression with `jax`, `jnp` and `np`."""

    code: str


class Key(NamedTuple):
    """A random key that is an argument: `jax.random.key(seed)`."""

    seed: int


def to_answer(value: Any) -> Any:
    """Turn an argument of a check into what the student's function gets."""
    import jax

    if isinstance(value, Source):
        return eval(value.code, {"jax": jax, "jnp": jax.numpy, "np": np})
    if isinstance(value, Key):
        return jax.random.key(value.seed)
    if isinstance(value, dict):
        return {name: to_answer(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(to_answer, value))
    if isinstance(value, np.ndarray):
        return jax.numpy.asarray(value)
    return value


def to_plain(value: Any, depth: int = 0) -> Any:
    """Turn what a student's function returned into a plain value.

    Raises
    ------
    AnswerError
        If it holds anything else, is nested too deeply or is too large.
    """
    import jax

    if depth > DEPTH:
        raise AnswerError(f"it returned values nested more than {DEPTH} deep", "kind")
    if value is ...:  # the three dots of an answer that is not written yet
        return None
    if value is None or type(value) is str:
        return value
    if isinstance(value, dict):
        return {str(name): to_plain(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each, depth + 1) for each in value]
    if isinstance(value, bool | int | float | np.ndarray | np.generic | jax.Array):
        array = np.array(value, subok=False)
        if array.dtype.name == "bfloat16":
            array = array.astype(np.float32)
        if array.dtype.kind in KINDS and array.nbytes <= MAX_BYTES:
            return array
        kind = f"an array of {array.dtype} with {array.nbytes} bytes"
    else:
        kind = type(value).__name__
    raise AnswerError(
        f"expected numbers in arrays, lists or dictionaries, got {kind}", "kind"
    )


def encode(value: Any) -> Any:
    """Write a plain value, a `Source` or a `Key` as JSON has it."""
    if value is None or isinstance(value, str):
        return {"text": value}
    if isinstance(value, Source):
        return {"source": value.code}
    if isinstance(value, Key):
        return {"key": value.seed}
    if isinstance(value, dict):
        return {"dict": {name: encode(each) for name, each in value.items()}}
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [*map(encode, value)]}
    if isinstance(value, bool | int | float):
        return {"number": value}
    array = np.asarray(value)
    text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"array": text, "dtype": array.dtype.str, "shape": list(array.shape)}


def decode(message: Any, depth: int = 0) -> Any:
    """Read what `encode` wrote; a message that is anything else is refused.

    Raises
    ------
    ValueError
        If it is not such a message. The sender is not trusted.
    """
    if not isinstance(message, dict) or depth > DEPTH + 1:
        raise ValueError("expected an encoded value")
    match message:
        case {"text": None | str() as text}:
            return text
        case {"number": bool() | int() | float() as number}:
            return number
        case {"source": str() as code}:
            return Source(code)
        case {"key": int() as seed}:
            return Key(seed)
        case {"dict": dict() as items}:
            return {name: decode(each, depth + 1) for name, each in items.items()}
        case {"list": list() as items}:
            return [decode(each, depth + 1) for each in items]
        case {"tuple": list() as items}:
            return tuple(decode(each, depth + 1) for each in items)
        case {"array": str() as text, "dtype": str() as name, "shape": list() as shape}:
            return decode_array(text, name, shape)
    raise ValueError("expected an encoded value")


def decode_array(text: str, name: str, shape: list) -> np.ndarray:
    """Read an array of numbers; its size must be that of its shape."""
    if not NUMBERS.fullmatch(name):
        raise ValueError("expected a dtype of numbers")
    sizes = [n for n in shape if type(n) is int and n >= 0]
    # An empty axis counts as one: what is summed over it has the other axes' size.
    if len(sizes) != len(shape) or math.prod(max(1, n) for n in sizes) > MAX_BYTES:
        raise ValueError("expected a shape")
    content = base64.b64decode(text, validate=True)
    return np.frombuffer(content, np.dtype(name)).reshape(sizes)


def close(a: Any, b: Any, rtol: float = 1e-4, atol: float = 1e-5) -> bool:
    """Return whether two plain values agree in structure, shapes and numbers.

    NaN agrees with nothing; an infinite number with itself.
    """
    if isinstance(b, dict):
        same = isinstance(a, dict) and a.keys() == b.keys()
        return same and all(close(a[name], b[name], rtol, atol) for name in b)
    if isinstance(b, list | tuple):
        same = isinstance(a, list | tuple) and len(a) == len(b)
        return same and all(close(x, y, rtol, atol) for x, y in zip(a, b, strict=True))
    if b is None or isinstance(b, str):
        return type(a) is type(b) and a == b
    if isinstance(a, list | tuple):
        a = stacked(a)
    if a is None or isinstance(a, str | dict | list | tuple):
        return False
    left, right = np.asarray(a), np.asarray(b)
    if left.shape != right.shape or left.dtype.kind not in KINDS:
        return False
    return bool(np.allclose(left.astype(float), right.astype(float), rtol, atol))


def stacked(values: list | tuple) -> Any:
    """Join equal rows into an array; a student may write one as a list of numbers.

    Examples
    --------
    >>> stacked([[1, 2, 3], [4, 5, 6]]).shape
    (2, 3)
    """
    rows = [stacked(row) if isinstance(row, list | tuple) else row for row in values]
    numbers = not any(row is None or isinstance(row, str | dict | list) for row in rows)
    alike = len({np.shape(row) for row in rows}) == 1 if numbers else False
    return np.array(rows) if alike else list(values)


def shape_of(value: Any) -> Any:
    """Return a shape, or the shapes of the parts."""
    if isinstance(value, dict):
        return {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shape_of(each) for each in value]
    return None if value is None or isinstance(value, str) else np.shape(value)


def shown(value: Any, depth: int = 0) -> str:
    """Write a value shortly, for a student to read: the first of what is long."""
    if isinstance(value, Source):
        return cut(value.code)
    if isinstance(value, Key):
        return cut(f"jax.random.key({value.seed})")
    if isinstance(value, dict | list | tuple) and depth == SHOWN_DEPTH:
        return "..."
    if isinstance(value, dict):
        first = itertools.islice(value.items(), SHOWN_ITEMS)
        parts = [f"{cut(repr(name))}: {shown(each, depth + 1)}" for name, each in first]
        return "{" + ", ".join(parts + ["..."] * (len(value) > SHOWN_ITEMS)) + "}"
    if isinstance(value, list | tuple):
        parts = [shown(each, depth + 1) for each in value[:SHOWN_ITEMS]]
        return "[" + ", ".join(parts + ["..."] * (len(value) > SHOWN_ITEMS)) + "]"
    if value is None or isinstance(value, str | bool | int):
        return cut(repr(value))
    array = np.asarray(value)
    if array.ndim > SHOWN_DEPTH:
        return f"an array of shape {array.shape}"
    text = np.array2string(
        array, precision=4, suppress_small=False, threshold=12, edgeitems=2
    )
    return " ".join(text.split())


def cut(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}..."
