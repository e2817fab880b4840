"""Backprop stepper: values forward and derivatives back, one step at a time."""

import functools

import jax
import traitlets

from lessons import plots
from lessons.activations import relu
from lessons.widgets._base import LiveFigure, Number, bundle

# Each step of the graph with the values that it uses, in an order to compute them in.
PARENTS = {"u": "wx", "z": "ub", "a": "z", "s": "ay", "r": "w", "L": "sr"}
STEPS = 13  # six forward, the start at L, six back
_PLACES = {"w": (0, 4), "x": (0, 2.8), "b": (0, 1.4), "y": (0, 0), "r": (3, 4)}
_PLACES |= {"u": (1, 3.2), "z": (2, 2.3), "a": (3, 2.3), "s": (4, 1.2), "L": (5, 2.6)}


def forward(inputs: dict[str, float]) -> dict[str, float]:
    """Compute every value of ``L = (relu(w * x + b) - y) ** 2 + w ** 2``.

    Parameters
    ----------
    inputs : dict
        Numbers for ``w``, ``x``, ``b`` and ``y``.

    Returns
    -------
    dict
        The inputs and ``u``, ``z``, ``a``, ``s``, ``r`` and ``L``.

    Notes
    -----
    Used in chapter 02.

    Examples
    --------
    >>> float(forward({"w": 3.0, "x": 2.0, "b": -5.0, "y": 3.0})["L"])
    13.0
    """
    u = inputs["w"] * inputs["x"]
    z = u + inputs["b"]
    a = relu(z)
    s, r = (a - inputs["y"]) ** 2, inputs["w"] ** 2
    return {**inputs, "u": u, "z": z, "a": a, "s": s, "r": r, "L": s + r}


def derivatives(inputs: dict[str, float]) -> dict[str, float]:
    """Differentiate L with respect to every value of the graph, by `jax.grad`.

    A number added to one step moves that step alone, so its derivative at 0 is the
    step's own.

    Parameters
    ----------
    inputs : dict
        Numbers for ``w``, ``x``, ``b`` and ``y``.

    Returns
    -------
    dict
        One derivative for each value.

    Notes
    -----
    Used in chapter 02.

    Examples
    --------
    >>> slopes = derivatives({"w": 3.0, "x": 2.0, "b": -5.0, "y": 3.0})
    >>> float(slopes["w"]), float(slopes["z"])
    (-2.0, -4.0)
    """

    def moved(by):
        w, x, b, y = (inputs[name] + by[name] for name in "wxby")
        z = w * x + by["u"] + b + by["z"]
        s = (relu(z) + by["a"] - y) ** 2 + by["s"]
        return s + w**2 + by["r"] + by["L"]

    return jax.grad(moved)(dict.fromkeys("wxbyuzasrL", 0.0))


class BackpropStepper(LiveFigure):
    """Step through ``L = (relu(w * x + b) - y) ** 2 + w ** 2``, forward and back.

    Parameters
    ----------
    w, x, b, y : float
        The inputs, -100 to 100.
    step : int
        How far it has come: 0 nothing, 6 all values, 13 all derivatives.

    Raises
    ------
    traitlets.TraitError
        If a setting is out of range or not a number.

    Notes
    -----
    Used in chapter 02.

    Examples
    --------
    >>> BackpropStepper(b=-7.0)
    BackpropStepper()
    """

    _esm = bundle("stepper.js")
    w = Number(3.0, min=-100, max=100).tag(sync=True)
    x = Number(2.0, min=-100, max=100).tag(sync=True)
    b = Number(-5.0, min=-100, max=100).tag(sync=True)
    y = Number(3.0, min=-100, max=100).tag(sync=True)
    step = traitlets.Int(0, min=0, max=STEPS).tag(sync=True)

    def still(self):
        """Draw the graph with all values and all derivatives."""
        inputs = {name: getattr(self, name) for name in "wxby"}
        values, slopes = forward(inputs), derivatives(inputs)
        figure, axes = plots.panels(1, 1, height=4.4)
        write = functools.partial(axes.annotate, ha="center", va="center", fontsize=10)
        arrow = {"arrowstyle": "-|>", "color": "0.6", "shrinkA": 24, "shrinkB": 24}
        for name, parents in PARENTS.items():
            for parent in parents:
                write("", _PLACES[name], _PLACES[parent], arrowprops=arrow)
        for name, place in _PLACES.items():
            axes.scatter(*place, s=2300, color="white", edgecolors="0.4", zorder=2)
            texts = (
                f"→ {float(values[name]):g}",
                name,
                f"← {float(slopes[name]) + 0.0:g}",
            )
            colours = (plots.COLOURS[0], "black", plots.COLOURS[1])
            for up, text, colour in zip((13, 0, -13), texts, colours, strict=True):
                write(text, place, (0, up), textcoords="offset points", color=colour)
        axes.margins(0.12, 0.16)
        axes.axis("off")
        axes.set_title("→ value of the step      ← derivative of L")
        return figure
