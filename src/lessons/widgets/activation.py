"""Activation explorer: a function, its derivative, and fifty layers of it."""

import jax.numpy as jnp
import traitlets

from lessons import activations, plots
from lessons.widgets._base import LiveFigure, Number, bundle

FUNCTIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu")


class ActivationExplorer(LiveFigure):
    """Show an activation function, its derivative, and a signal through 50 layers.

    Parameters
    ----------
    function : str
        One of ``FUNCTIONS``, named as in `lessons.activations`.
    x : float
        Where value and derivative are read, -8 to 8.
    gain : float
        Standard deviation of the weights times the square root of the width, 0.2 to 3.
    seed : int
        Which weights are drawn, 0 to 999.

    Raises
    ------
    traitlets.TraitError
        If a setting is out of range.

    Notes
    -----
    Used in chapter 01.

    Examples
    --------
    >>> ActivationExplorer(function="tanh", gain=1.0)
    ActivationExplorer()
    """

    _esm = bundle("activation.js")
    function = traitlets.Enum(FUNCTIONS, "sigmoid").tag(sync=True)
    x = Number(1.0, min=-8, max=8).tag(sync=True)
    gain = Number(1.0, min=0.2, max=3).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=999).tag(sync=True)

    def still(self):
        """Draw the function and its derivative."""
        x = jnp.linspace(-8, 8, 321)
        value = getattr(activations, self.function)(x)
        slope = getattr(activations, f"{self.function}_grad")(x)
        curves = {"value": (x, value), "derivative": (x, slope)}
        return plots.lines(curves, xlabel="x", ylabel="value, derivative")
