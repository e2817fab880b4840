"""Optimizer race: five rules from one start on a map of a loss surface."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import traitlets

from lessons import optimizers, plots
from lessons.widgets._base import LiveFigure, bundle
from lessons.widgets.playground import OPTIMIZERS, optimizer

DECAY = 0.1  # of AdamW, strong enough to be seen
LOW, HIGH, REACH = 1e-6, 100.0, 10.0  # what rates and places may be


def bowl(w):
    """Give half of ``w0 ** 2 + 25 * w1 ** 2``, the valley of chapter 04.

    Examples
    --------
    >>> float(bowl(jnp.array([4.0, 1.0])))
    20.5
    """
    return (w[0] ** 2 + 25 * w[1] ** 2) / 2


def saddle(w):
    """Give ``(w0 ** 2 - w1 ** 2) / 2 + w1 ** 4 / 16``: flat at 0, lowest at (0, ±2).

    Examples
    --------
    >>> float(saddle(jnp.array([0.0, 2.0])))
    -1.0
    """
    return (w[0] ** 2 - w[1] ** 2) / 2 + w[1] ** 4 / 16


def valley(w):
    """Give ``(1 - w0) ** 2 + 10 * (w1 - w0 ** 2) ** 2``: Rosenbrock's, less steep.

    Examples
    --------
    >>> float(valley(jnp.array([1.0, 1.0])))
    0.0
    """
    return (1 - w[0]) ** 2 + 10 * (w[1] - w[0] ** 2) ** 2


def two(w):
    """Give ``(w0 ** 2 - 4) ** 2 / 16 + w0 / 5 + w1 ** 2``: two minima, the left lower.

    Examples
    --------
    >>> bool(two(jnp.array([-2.0, 0.0])) < two(jnp.array([2.0, 0.0])))
    True
    """
    return (w[0] ** 2 - 4) ** 2 / 16 + w[0] / 5 + w[1] ** 2


SURFACES = {"bowl": bowl, "saddle": saddle, "valley": valley, "two": two}
# A start and rates, picked by hand, with which each surface shows its point.
PRESETS = {
    "bowl": ([-4.0, 1.0], [0.02, 0.02, 0.1, 0.3, 0.3]),
    "saddle": ([-2.5, 0.02], [0.1, 0.05, 0.05, 0.1, 0.1]),
    "valley": ([-1.5, 2.0], [0.01, 0.003, 0.05, 0.1, 0.1]),
    "two": ([3.2, 1.2], [0.05, 0.05, 0.05, 0.2, 0.2]),
}
PRESETS = {
    name: {"start": start, "rates": dict(zip(OPTIMIZERS, rates, strict=True))}
    for name, (start, rates) in PRESETS.items()
}


def descend(surface: str, rule: str, rate: float, start, steps: int, decay=DECAY):
    """Follow one rule down a surface.

    Parameters
    ----------
    surface : str
        One of ``SURFACES``.
    rule : str
        One of ``OPTIMIZERS``.
    rate : float
    start : two numbers
    steps : int
    decay : float
        The weight decay of AdamW alone.

    Returns
    -------
    array of shape (steps + 1, 2)
        The start, then where each step leads.

    Notes
    -----
    Used in chapter 04.

    Examples
    --------
    >>> [round(float(v), 2) for v in descend("bowl", "sgd", 0.03, [4.0, 1.0], 1)[-1]]
    [3.88, 0.25]
    """
    chosen = optimizer(rule, rate, decay)
    slope = jax.grad(SURFACES[surface])

    def step(carry, _):
        w, state = carry
        updates, state = chosen.update(slope(w), state, w)
        w = optimizers.apply_updates(w, updates)
        return (w, state), w

    w = jnp.asarray(start, float)
    _, path = jax.lax.scan(step, (w, chosen.init(w)), length=steps)
    return jnp.concatenate([w[None], path])


class OptimizerRace(LiveFigure):
    """Run five optimizers side by side on a map of a loss surface.

    Another surface brings its own start and rates.

    Parameters
    ----------
    surface : str
        One of ``SURFACES``.
    start : two numbers
        Where all of them begin, each -10 to 10. Default: the surface's own.
    rates : dict
        The learning rate of each of ``OPTIMIZERS``, 1e-6 to 100. Default: the
        surface's own.
    steps : int
        1 to 500.

    Raises
    ------
    traitlets.TraitError
        If a setting is out of range or not a number.

    Notes
    -----
    Used in chapter 04.

    Examples
    --------
    >>> race = OptimizerRace(surface="saddle", steps=100)
    >>> race.surface = "two"
    >>> race.start
    [3.2, 1.2]
    """

    _esm = bundle("race.js")
    surface = traitlets.Enum(tuple(SURFACES), "bowl").tag(sync=True)
    start = traitlets.List(traitlets.Float()).tag(sync=True)
    rates = traitlets.Dict().tag(sync=True)
    steps = traitlets.Int(60, min=1, max=500).tag(sync=True)
    presets = traitlets.Dict(PRESETS, read_only=True).tag(sync=True)

    def __init__(self, **settings: Any) -> None:
        """Take the settings; only a later change of the surface overrides them."""
        super().__init__(**settings)
        self.observe(self._take_preset, "surface")

    def _take_preset(self, _: Any) -> None:
        """Go to the start of the surface, with its rates."""
        self.start = self._start()
        self.rates = self._rates()

    @traitlets.default("start")
    def _start(self):
        return list(PRESETS[self.surface]["start"])

    @traitlets.default("rates")
    def _rates(self):
        return dict(PRESETS[self.surface]["rates"])

    @traitlets.validate("start")
    def _check_start(self, proposal):
        """Refuse a start that is no place, or far away."""
        place = proposal["value"]
        if len(place) != 2 or not all(-REACH <= v <= REACH for v in place):
            raise traitlets.TraitError(
                f"expected a start of two numbers from -10 to 10, got {place}"
            )
        return place

    @traitlets.validate("rates")
    def _check_rates(self, proposal):
        """Refuse a missing or surplus optimizer, and a rate out of range."""
        rates = proposal["value"]
        if set(rates) != set(OPTIMIZERS):
            raise traitlets.TraitError(
                f"expected a rate for each of {OPTIMIZERS}, got {sorted(rates)}"
            )
        for name, rate in rates.items():
            if not (isinstance(rate, (int, float)) and LOW <= rate <= HIGH):
                raise traitlets.TraitError(
                    f"expected a rate from 1e-6 to 100 for {name}, got {rate!r}"
                )
        return rates

    def still(self):
        """Draw the paths in the plane, and the loss against the steps."""
        figure, (left, right) = plots.panels(1, 2, height=3.6)
        f, names = SURFACES[self.surface], dict(zip(OPTIMIZERS, _SPOKEN, strict=True))
        paths = {
            names[rule]: descend(self.surface, rule, rate, self.start, self.steps)
            for rule, rate in self.rates.items()
        }
        tracks = {name: tuple(path.T) for name, path in paths.items()}
        _ = plots.lines(tracks, xlabel="w0", ylabel="w1", ax=left)
        count = np.arange(self.steps + 1)
        falls = {name: (count, jax.vmap(f)(path)) for name, path in paths.items()}
        _ = plots.lines(falls, xlabel="step", ylabel="loss", ax=right)
        return figure


_SPOKEN = ("SGD", "momentum", "RMSProp", "Adam", "AdamW")
