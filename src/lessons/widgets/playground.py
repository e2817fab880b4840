"""Playground: a small network that trains in the page and draws its border."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import traitlets

from lessons import activations, data, dnn, losses, optimizers, plots
from lessons.widgets._base import LiveFigure, Number, bundle
from lessons.widgets.activation import FUNCTIONS

TASKS = ("line", "diagonal", "xor", "moons", "spirals")
STARTS = {
    "he": dnn.he_normal,
    "glorot": dnn.glorot_normal,
    "standard": dnn.standard_normal,
}
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam", "adamw")
TRAINING, HELD_OUT = 400, 200
DECAY = 0.01  # the weight decay of AdamW


def optimizer(name: str, rate: float, decay: float = DECAY) -> optimizers.Optimizer:
    """Make one of the figures' optimizers, with the package's usual settings.

    Parameters
    ----------
    name : str
        One of ``OPTIMIZERS``; momentum keeps 0.9 of the velocity.
    rate : float
    decay : float
        The weight decay of AdamW alone.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        If there is no optimizer of that name.

    Notes
    -----
    Used in chapters 03 and 04.

    Examples
    --------
    >>> rule = optimizer("momentum", 0.1)
    >>> update, _ = rule.update(jnp.array(2.0), rule.init(jnp.array(0.0)))
    >>> round(float(update), 3)
    -0.2
    """
    if name == "momentum":
        return optimizers.sgd(rate, momentum=0.9)
    if name == "adamw":
        return optimizers.adamw(rate, weight_decay=decay)
    if name not in OPTIMIZERS:
        raise ValueError(f"expected one of {OPTIMIZERS}, got {name!r}")
    return getattr(optimizers, name)(rate)


def task_points(name: str) -> tuple:
    """Take a task's points: the first 400 to train on, 200 held out.

    Parameters
    ----------
    name : str
        One of ``TASKS``.

    Returns
    -------
    training, held_out : pairs of x (n, features) and y (n,)

    Notes
    -----
    Used in chapter 03.

    Examples
    --------
    >>> (x, y), (x_held_out, _) = task_points("xor")
    >>> x.shape, y.shape, x_held_out.shape
    ((400, 2), (400,), (200, 2))
    """
    (x, y), (x_test, y_test) = data.load(name)
    return (x[:TRAINING], y[:TRAINING]), (x_test[:HELD_OUT], y_test[:HELD_OUT])


@functools.cache
def _packed_points() -> bytes:
    """Pack all tasks as float32 x0, x1, y; x1 is 0 where there is one input."""
    rows = []
    for name in TASKS:
        for x, y in task_points(name):
            x = np.pad(np.asarray(x), ((0, 0), (0, 2 - x.shape[1])))
            rows.append(np.column_stack([x, np.asarray(y)]))
    return np.concatenate(rows).astype("<f4").tobytes()


class Playground(LiveFigure):
    """Train a small network on a task of two classes and watch its border.

    Parameters
    ----------
    task : str
        One of ``TASKS``, named as in `lessons.data`.
    depth : int
        Number of hidden layers, 0 to 4; 0 is logistic regression.
    width : int
        Units in each hidden layer, 1 to 16.
    activation : str
        One of ``FUNCTIONS`` of `lessons.widgets.activation`, or ``"identity"``.
    start : str
        One of ``STARTS``: how the weights are drawn. Biases start at 0.
    optimizer : str
        One of ``OPTIMIZERS``.
    rate : float
        Learning rate, 1e-6 to 100.
    batch : int
        Examples in a step, 1 to 400, which is all of them.
    seed : int
        Which weights and which order of examples are drawn, 0 to 999.
    held_out : bool
        Whether the held-out points are drawn in place of the training points.

    Raises
    ------
    traitlets.TraitError
        If a setting is out of range or not a number.

    Notes
    -----
    Used in chapter 03.

    Examples
    --------
    >>> Playground(task="moons", depth=2)
    Playground()
    """

    _esm = bundle("playground.js")
    task = traitlets.Enum(TASKS, "xor").tag(sync=True)
    depth = traitlets.Int(1, min=0, max=4).tag(sync=True)
    width = traitlets.Int(8, min=1, max=16).tag(sync=True)
    activation = traitlets.Enum((*FUNCTIONS, "identity"), "relu").tag(sync=True)
    start = traitlets.Enum(tuple(STARTS), "he").tag(sync=True)
    optimizer = traitlets.Enum(OPTIMIZERS, "sgd").tag(sync=True)
    rate = Number(0.3, min=1e-6, max=100).tag(sync=True)
    batch = traitlets.Int(32, min=1, max=TRAINING).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=999).tag(sync=True)
    held_out = traitlets.Bool(False).tag(sync=True)
    points = traitlets.Bytes(read_only=True).tag(sync=True)

    @traitlets.default("points")
    def _points(self) -> bytes:
        return _packed_points()

    def still(self):
        """Draw the border after 400 steps on all training points."""
        (x, y), (x_held_out, y_held_out) = task_points(self.task)
        predict = self._trained(x, y)
        if x.shape[1] == 2:
            return plots.boundary(predict, x_held_out, y_held_out)
        _, ax = plots.panels(1, 1)
        _ = plots.scatter(np.column_stack([x_held_out, y_held_out]), y_held_out, ax=ax)
        grid = jnp.linspace(-1, 1, 201)
        curve = {"network": (grid, predict(grid[:, None]))}
        return plots.lines(curve, xlabel="x", ylabel="probability of class 1", ax=ax)

    def _trained(self, x, y, steps: int = 400):
        """Train as the page does, but on whole batches; give x -> probability."""
        f = getattr(activations, self.activation, lambda z: z)
        rule = optimizer(self.optimizer, self.rate)
        sizes = [x.shape[1], *[self.width] * self.depth, 1]
        params = dnn.mlp_init(jax.random.key(self.seed), sizes, STARTS[self.start])

        def loss(params):
            logits = dnn.mlp(params, x, f)[:, 0]
            return losses.binary_cross_entropy(logits, y).mean()

        def step(carry, _):
            params, state = carry
            updates, state = rule.update(jax.grad(loss)(params), state, params)
            return (optimizers.apply_updates(params, updates), state), None

        carry = (params, rule.init(params))
        (params, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, length=steps))(carry)
        return lambda x: activations.sigmoid(dnn.mlp(params, x, f)[:, 0])
