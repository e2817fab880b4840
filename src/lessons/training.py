"""Training: one loop for every model of the course.

The compiled unit is one epoch: shuffle, then scan over the steps. A Python loop
over epochs does what needs Python: progress, validation, early stopping and
checkpoints. Built in chapter 04.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm.auto import tqdm

from lessons._batching import as_arrays, whole_number
from lessons._epochs import check_data, compiled_epoch
from lessons._progress import progress_bar
from lessons._runs import Plan, Run, identity, resume
from lessons.checkpoints import checkpoint_about, load_checkpoint, save_checkpoint
from lessons.evaluation import evaluate, predict
from lessons.optimizers import Optimizer
from lessons.sweeps import Sweep, sweep

__all__ = [
    "Fit",
    "NonFiniteLoss",
    "Sweep",
    "checkpoint_about",
    "evaluate",
    "fit",
    "load_checkpoint",
    "predict",
    "save_checkpoint",
    "sweep",
]

Tree = Any
Loss = Callable[..., jax.Array]


class Fit(NamedTuple):
    """What training gives back.

    `params` and `state` belong together: those of the best epoch with `patience`,
    those of the last epoch without. `curves` maps names to arrays: one number per
    epoch in `train`, `validation` and each metric, one per step in `steps` (mean
    loss of the mini-batch) and `gradient_norm`. `best_epoch` counts from 1 and is
    None without validation. `epochs` is how many were run.
    """

    params: Tree
    state: Tree
    curves: dict[str, np.ndarray]
    best_epoch: int | None
    epochs: int


class NonFiniteLoss(ArithmeticError):
    """Raised when a loss or a parameter becomes NaN or infinite.

    `epoch` counts from 1 and is the epoch in which it happened. `fit` is the `Fit`
    of the epochs before, with the last good parameters.
    """

    def __init__(self, message: str, epoch: int, fit: Fit):
        """Keep what was trained before."""
        super().__init__(message)
        self.epoch = epoch
        self.fit = fit


def fit(
    loss: Loss,
    params: Tree,
    data: Tree,
    optimizer: Optimizer,
    *,
    key: jax.Array,
    epochs: int,
    batch_size: int,
    validation: Tree = None,
    metrics: Mapping[str, Callable] | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Fit:
    """Minimise the mean loss over the data with mini-batches.

    Every epoch shuffles the data anew and goes through each example once. Each
    step follows the gradient of the mean loss of its mini-batch, so the last,
    smaller batch takes the mean of fewer examples. The epoch is compiled once.
    The same arguments give the same bits on the same machine.
    Built in chapter 04.

    Parameters
    ----------
    loss : function
        `loss(params, batch, key=None)` returns one number per example, shape
        (B,). `fit` passes a new key at every step (for dropout or augmentation),
        and no key in validation. `batch` is a tree like `data`. In the last
        batch some examples may be repeated to fill it up; they do not count.
    params : tree of arrays
        Where to start.
    data : tree of arrays
        Equal leading axes of length n, usually `(x, y)`.
    optimizer : Optimizer
        From `lessons.optimizers` or Optax.
    key : array
        From `jax.random.key`. Epoch i, counted from 0, uses `fold_in(key, i)`.
    epochs : int
        How often to go through the data, at most.
    batch_size : int
        Examples per step, at most n.
    validation : tree of arrays, optional
        Held-out data of the same form: its mean loss is taken after each epoch.
    metrics : mapping of names to functions, optional
        Further `f(params, batch)` with one number per example, whose means over
        the validation data become curves.
    patience : int, optional
        Early stopping: end after this many epochs in a row without a new lowest
        validation loss, and give back the parameters of the lowest one.
    checkpoint : path, optional
        File written after each epoch. If it exists, training goes on from it and
        ends in the same bits as if it had never stopped. `epochs` may be raised;
        a file of other arguments is refused and left alone.
    progress : bool, optional
        Whether to show a bar. Default: in a terminal or a notebook, unless the
        environment sets `TQDM_DISABLE=1`.

    Returns
    -------
    Fit
        Parameters, optimizer state and curves.

    Raises
    ------
    ValueError
        If there is no data, lengths differ, the batch is larger than the data, a
        number is under 1, an argument is missing that another needs, the loss has
        another shape, or the checkpoint belongs to other arguments.
    NonFiniteLoss
        If the loss of an epoch, its validation or its parameters are not finite.
        The error carries the fit up to the epoch before. So does the checkpoint.

    Examples
    --------
    Fit `y = 2 x`; the loss sees a batch `(x, y)` and returns a number for each.

    >>> import jax.numpy as jnp
    >>> from lessons import optimizers
    >>> x = jnp.linspace(-1.0, 1.0, 10)
    >>> def loss(w, batch, key=None):
    ...     x, y = batch
    ...     return (w * x - y) ** 2
    >>> result = fit(
    ...     loss, 0.0, (x, 2 * x), optimizers.sgd(0.5),
    ...     key=jax.random.key(0), epochs=30, batch_size=4,
    ... )
    >>> round(float(result.params), 3)
    2.0
    """
    epochs = whole_number("epochs", epochs)
    plan = _checked_plan(
        loss, optimizer, batch_size, data, key, validation, metrics, patience
    )
    run, about = _start(plan, params), {}
    if checkpoint is not None:
        about = identity(plan, run)
        if os.path.exists(checkpoint):
            run = resume(checkpoint, plan, run, about, epochs)
    with progress_bar(epochs, _epochs_done(run), progress) as bar:
        while _epochs_done(run) < epochs and not _out_of_patience(plan, run):
            run = _one_more(plan, run)
            if checkpoint is not None:
                notes = {**about, "epochs done": _epochs_done(run)}
                save_checkpoint(checkpoint, run, notes)
            _show(bar, run)
    return _result(plan, run)


def _checked_plan(
    loss: Loss,
    optimizer: Optimizer,
    batch_size: int,
    data: Tree,
    key: jax.Array,
    validation: Tree,
    metrics: Mapping[str, Callable] | None,
    patience: int | None,
) -> Plan:
    """Refuse arguments that cannot work, each with its reason."""
    check_data(data, validation, batch_size, key)
    metrics = dict(metrics or {})
    if validation is None and metrics:
        raise ValueError("expected validation data for the metrics, got None")
    if validation is None and patience is not None:
        raise ValueError("expected validation data for patience, got None")
    if patience is not None:
        whole_number("patience", patience)
    taken = {"train", "steps", "gradient_norm", "validation"} & set(metrics)
    if taken:
        raise ValueError(f"expected other names for metrics than {sorted(taken)}")
    return Plan(
        loss=loss,
        optimizer=optimizer,
        batch_size=int(batch_size),
        data=as_arrays(data),
        key=key,
        validation=None if validation is None else as_arrays(validation),
        metrics=metrics,
        patience=patience,
    )


def _start(plan: Plan, params: Tree) -> Run:
    params = as_arrays(params)
    state = as_arrays(plan.optimizer.init(params))
    names = ["train", "steps", "gradient_norm"]
    names += [] if plan.validation is None else ["validation", *plan.metrics]
    curves = {name: np.zeros(0, np.float32) for name in names}
    best = None if plan.patience is None else (params, state)
    return Run(params, state, best, curves)


def _epochs_done(run: Run) -> int:
    return len(run.curves["train"])


def _best_epoch(run: Run) -> int | None:
    """Return the epoch of the first lowest validation loss, counted from 1."""
    losses = run.curves.get("validation")
    return None if losses is None or not len(losses) else int(np.argmin(losses)) + 1


def _out_of_patience(plan: Plan, run: Run) -> bool:
    if plan.patience is None or not _epochs_done(run):
        return False
    return _epochs_done(run) - _best_epoch(run) >= plan.patience


def _one_more(plan: Plan, run: Run) -> Run:
    """Train for one epoch, or raise and leave the run as it was."""
    key = jax.random.fold_in(plan.key, _epochs_done(run))
    params, state, points = compiled_epoch(
        plan.loss, plan.optimizer, plan.batch_size, run.params, run.state,
        plan.data, key,
    )  # fmt: skip
    if plan.validation is not None:
        for name, f in {"validation": plan.loss, **plan.metrics}.items():
            points[name] = evaluate(
                f, params, plan.validation, batch_size=plan.batch_size
            )
    points = {name: np.atleast_1d(np.float32(x)) for name, x in points.items()}
    _check_finite(plan, run, params, points)
    curves = {name: np.append(run.curves[name], points[name]) for name in run.curves}
    new = Run(params, state, run.best, curves)
    if plan.patience is not None and _best_epoch(new) == _epochs_done(new):
        new = new._replace(best=(params, state))
    return new


def _check_finite(plan: Plan, run: Run, params: Tree, points: Mapping) -> None:
    """Raise, with the run before this epoch, if training went wrong in it."""
    epoch = _epochs_done(run) + 1
    bad_steps = np.flatnonzero(~np.isfinite(points["steps"]))
    if len(bad_steps):
        what = f"the loss is {points['steps'][bad_steps[0]]} at step {bad_steps[0] + 1}"
    # By NumPy, which compiles nothing for each new shape.
    elif not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
        what = "a parameter is not finite after the last step"
    elif not np.isfinite(points.get("validation", 0)).all():
        what = f"the validation loss is {points['validation'][0]} at the end"
    else:
        return
    message = f"in epoch {epoch} {what}; this error's .fit is the state before it"
    raise NonFiniteLoss(message, epoch, _result(plan, run))


def _result(plan: Plan, run: Run) -> Fit:
    params, state = (run.params, run.state) if run.best is None else run.best
    return Fit(params, state, run.curves, _best_epoch(run), _epochs_done(run))


def _show(bar: tqdm, run: Run) -> None:
    last = {name: float(run.curves[name][-1]) for name in run.curves}
    shown = {
        name: f"{last[name]:.4f}" for name in ("train", "validation") if name in last
    }
    bar.set_postfix(shown)
    bar.update()
