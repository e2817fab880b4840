"""What a run of `fit` is made of, and how a stored run is known again."""

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from lessons._batching import length
from lessons._epochs import compiled_epoch
from lessons.checkpoints import checkpoint_about, load_checkpoint
from lessons.optimizers import Optimizer

Tree = Any
Loss = Callable[..., jax.Array]


class Run(NamedTuple):
    """Everything that changes from epoch to epoch, and so the checkpoint."""

    params: Tree
    state: Tree
    best: tuple[Tree, Tree] | None
    curves: dict[str, np.ndarray]


class Plan(NamedTuple):
    """Everything that stays: the arguments of `fit`."""

    loss: Loss
    optimizer: Optimizer
    batch_size: int
    data: Tree
    key: jax.Array
    validation: Tree
    metrics: dict[str, Callable]
    patience: int | None


def identity(plan: Plan, run: Run) -> dict[str, str]:
    """Return what makes this run this run, as words to compare and to show.

    The program is the lowered text of the epoch. It holds the loss, the
    optimizer with its constants and its schedule, and every shape. It is lowered
    for one platform, so that a run may move to another.
    """
    program = compiled_epoch.trace(
        plan.loss, plan.optimizer, plan.batch_size, run.params, run.state,
        plan.data, plan.key,
    ).lower(lowering_platforms=("cpu",)).as_text()  # fmt: skip
    return {
        "batch size": str(plan.batch_size),
        "key": str(jax.random.key_data(plan.key).tolist()),
        "patience": str(plan.patience),
        "metrics": str(sorted(plan.metrics)),
        "data": _digest(plan.data),
        "validation data": _digest(plan.validation),
        "starting parameters": _digest(run.params),
        "optimizer state": _digest(run.state),
        "jax": jax.__version__,
        "program (loss, optimizer, schedule)": _sha(program.encode()),
    }


def _sha(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def _digest(tree: Tree) -> str:
    """Return shapes, dtypes and a hash of the content, in words."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    shapes = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves)
    return f"{shapes} sha256 {_sha(*(leaf.tobytes() for leaf in leaves))}"


def resume(
    path: str | os.PathLike, plan: Plan, run: Run, about: Mapping, epochs: int
) -> Run:
    """Return the run stored in the file, or refuse it if it is another's."""
    stored = checkpoint_about(path)
    for name, value in about.items():
        if stored.get(name) != value:
            raise ValueError(
                f"{path} belongs to another run: expected {name} {value}, got "
                f"{stored.get(name, 'nothing')}. The file is left as it is: give "
                "another path, or remove it to start again."
            )
    done = stored["epochs done"]
    if done > epochs:
        raise ValueError(f"{path} has {done} epochs done, expected {epochs} or fewer")
    steps = done * -(-length(plan.data) // plan.batch_size)
    per_step = {"steps", "gradient_norm"}
    curves = {
        name: np.empty(steps if name in per_step else done, np.float32)
        for name in run.curves
    }
    return load_checkpoint(path, like=run._replace(curves=curves))
