"""Checkpoints: a tree of arrays in one file that is always whole.

The file is NumPy's `.npz`, with no pickle in it, so that opening a stranger's
file runs no code. `lessons.training` exports the functions.
Built in chapter 04.
"""

import json
import os
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Tree = Any
# What NumPy and zipfile raise on files that are damaged or of another kind.
DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
)
HEADER = "header"
FORMAT = "lessons checkpoint 1"
NUMBERS, OTHER_FLOATS = "biufc", "V"  # NumPy's letters for kinds of dtype.


def _leaves(tree: Tree) -> dict[str, Any]:
    """Return the leaves of a tree by the names of their places in it."""
    places = jax.tree_util.tree_leaves_with_path(tree)
    return {"tree" + jax.tree_util.keystr(path): leaf for path, leaf in places}


def _dtype(leaf: Any) -> np.dtype:
    return np.dtype(leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype)


def _storable(name: str, leaf: Any) -> np.ndarray:
    """Return what NumPy can store: bfloat16 and its kin become bytes."""
    array = np.asarray(leaf)
    if array.dtype.kind not in NUMBERS + OTHER_FLOATS:
        raise ValueError(f"expected numbers in {name}, got {array.dtype}")
    known = array.dtype.kind in NUMBERS
    return array if known else array.reshape(-1).view(np.uint8)


def save_checkpoint(
    path: str | os.PathLike, tree: Tree, about: Mapping[str, Any] | None = None
) -> None:
    """Write a tree of arrays to a file, whole or not at all.

    The bytes go to a second file in the same folder, are forced to the disk, and
    then take the name `path` in one step of the operating system. If the process
    dies at any moment, `path` holds the old content or the new.
    Built in chapter 04.

    Parameters
    ----------
    path : path
        The file, written under exactly this name. The other one is `path` with
        `.tmp` added. Missing folders are made.
    tree : tree of arrays
        Parameters, optimizer state, counters.
    about : mapping, optional
        Notes that JSON can hold, see `checkpoint_about`.

    Raises
    ------
    ValueError
        If a leaf does not hold numbers.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "params.npz")
    >>> save_checkpoint(path, {"w": jnp.array([1.0, 2.0])})
    >>> load_checkpoint(path, like={"w": jnp.zeros(2)})
    {'w': Array([1., 2.], dtype=float32)}
    """
    leaves = _leaves(tree)
    members = {name: _storable(name, leaf) for name, leaf in leaves.items()}
    kinds = {name: [str(_dtype(x)), np.shape(x)] for name, x in leaves.items()}
    header = {"format": FORMAT, "about": dict(about or {}), "leaves": kinds}
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    with open(path + ".tmp", "wb") as file:
        np.savez(file, **{HEADER: np.array(json.dumps(header))}, **members)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Force the new name to the disk, where the system can open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read(path: str | os.PathLike) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the header and the stored arrays, or refuse the file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            members = dict(file)
        header = json.loads(str(members.pop(HEADER)))
        good = header["format"] == FORMAT and set(members) == set(header["leaves"])
    except DAMAGE:
        good = False
    if not good:
        raise ValueError(f"expected a checkpoint, got another or damaged file: {path}")
    return header, members


def checkpoint_about(path: str | os.PathLike) -> dict[str, Any]:
    """Return the notes stored with a checkpoint.

    Built in chapter 04.

    Parameters
    ----------
    path : path
        A file written by `save_checkpoint` or by `fit`.

    Returns
    -------
    dict
        The notes. Those of `fit` say how many epochs are done and what identifies
        the run.

    Raises
    ------
    ValueError
        If the file is not a checkpoint or is damaged.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "params.npz")
    >>> save_checkpoint(path, jnp.zeros(2), about={"epoch": 3})
    >>> checkpoint_about(path)
    {'epoch': 3}
    """
    return _read(path)[0]["about"]


def load_checkpoint(path: str | os.PathLike, like: Tree) -> Tree:
    """Read a tree of arrays, checked against a tree of the expected form.

    Built in chapter 04.

    Parameters
    ----------
    path : path
        A file written by `save_checkpoint`.
    like : tree of arrays
        What structure, shapes and dtypes to expect, for instance freshly
        initialised parameters. `jax.eval_shape` makes one without any memory.

    Returns
    -------
    tree of arrays
        The stored numbers, to the bit. A leaf is a NumPy array where `like` has
        one, and a JAX array otherwise.

    Raises
    ------
    ValueError
        If the file is not a checkpoint or is damaged, or the first leaf that
        differs from `like` by name, shape or dtype.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "params.npz")
    >>> save_checkpoint(path, {"w": jnp.zeros((2, 3))})
    >>> try:
    ...     load_checkpoint(path, like={"w": jnp.zeros((3, 2))})
    ... except ValueError as error:
    ...     print(str(error).split(": ")[1])
    expected tree['w'] float32 of shape (3, 2), got float32 of shape (2, 3)
    """
    header, members = _read(path)
    stored, expected = header["leaves"], _leaves(like)
    for name in [*expected, *stored]:
        there = "nothing" if name not in stored else _words(*stored[name])
        leaf = expected.get(name)
        here = "nothing" if leaf is None else _words(_dtype(leaf), np.shape(leaf))
        if here != there:
            raise ValueError(f"{path}: expected {name} {here}, got {there}")

    def restore(name: str, leaf: Any) -> Any:
        array = members[name].view(_dtype(leaf)).reshape(np.shape(leaf))
        return array if isinstance(leaf, np.ndarray) else jnp.asarray(array)

    leaves = [restore(name, leaf) for name, leaf in expected.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _words(dtype: Any, shape: Any) -> str:
    return f"{dtype} of shape {tuple(shape)}"
