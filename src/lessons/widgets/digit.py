"""Digit pad: draw a digit, and the chapter's own LeNet reads it in the page."""

from typing import Any

import jax
import numpy as np
import traitlets

from lessons import cnn, data, plots, training
from lessons.dnn import Params
from lessons.widgets._base import JS, LiveFigure, bundle

# In the order in which their numbers travel.
SHAPES = {
    "conv1": {"w": (5, 5, 1, 6), "b": (6,)},
    "conv2": {"w": (5, 5, 6, 16), "b": (16,)},
    "dense1": {"w": (400, 120), "b": (120,)},
    "dense2": {"w": (120, 84), "b": (84,)},
    "dense3": {"w": (84, 10), "b": (10,)},
}
_SIZE = 4 * sum(int(np.prod(s)) for layer in SHAPES.values() for s in layer.values())
MISREAD = 10


def pack(params: dict[str, Params]) -> bytes:
    """Write LeNet's parameters as float32, little-endian, layer by layer.

    Parameters
    ----------
    params : dict
        As made by ``lessons.cnn.lenet_init`` for ten classes.

    Returns
    -------
    bytes
        246,824 of them.

    Raises
    ------
    ValueError
        If a layer is missing or has another shape.

    Notes
    -----
    Used in chapter 07.

    Examples
    --------
    >>> len(pack(cnn.lenet_init(jax.random.key(0))))
    246824
    """
    parts = []
    for name, layer in SHAPES.items():
        for kind, shape in layer.items():
            if name not in params or kind not in params[name]:
                raise ValueError(f"expected params with {name}['{kind}'], got none")
            values = np.asarray(params[name][kind], "<f4")
            if values.shape != shape:
                raise ValueError(
                    f"expected {name}['{kind}'] of shape {shape}, got {values.shape}"
                )
            parts.append(values.tobytes())
    return b"".join(parts)


def choose(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Choose digits to show: one of each class that is read, and some that are not.

    Parameters
    ----------
    labels, answers : arrays of int of shape (n,)

    Returns
    -------
    array of int
        Where they are: at most ten read rightly, then at most ten misread.

    Notes
    -----
    Used in chapter 07.

    Examples
    --------
    >>> choose(np.array([7, 7, 2, 4]), np.array([7, 7, 2, 9])).tolist()
    [2, 0, 3]
    """
    right = labels == answers
    read = [np.flatnonzero(right & (labels == digit))[:1] for digit in range(10)]
    return np.concatenate([*read, np.flatnonzero(~right)[:MISREAD]]).astype(int)


class DigitPad(LiveFigure):
    """Let the reader draw a digit, and LeNet read it.

    Parameters
    ----------
    params : dict
        LeNet's parameters, as made by ``lessons.cnn.lenet_init``.
    digits : pair of arrays, or None
        Images (n, 28, 28, 1) and labels (n,) to choose examples from; the course's
        held-out digits if None.
    strokes : list of lists of [x, y]
        What is drawn: x to the right and y down, 0 to 1.
    example : int
        Which of the examples is shown while nothing is drawn; -1 for none.

    Raises
    ------
    ValueError
        If params or digits have another shape.
    traitlets.TraitError
        If strokes are no lists of points within the pad, or there is no such example.

    Notes
    -----
    Used in chapter 07.

    Examples
    --------
    >>> pad = DigitPad(cnn.lenet_init(jax.random.key(0)))
    >>> pad.strokes = [[[0.5, 0.1], [0.5, 0.9]]]
    >>> pad
    DigitPad()
    """

    _esm = bundle("digit.js")
    _css = LiveFigure._css + (JS / "cnn.css").read_text(encoding="utf-8")
    weights = traitlets.Bytes().tag(sync=True)
    examples = traitlets.Bytes().tag(sync=True)
    labels = traitlets.List(traitlets.Int()).tag(sync=True)
    strokes = traitlets.List().tag(sync=True)
    example = traitlets.Int(-1, min=-1).tag(sync=True)
    pixels = traitlets.Bytes().tag(sync=True)

    def __init__(
        self, params: dict[str, Params], digits: tuple | None = None, **settings: Any
    ) -> None:
        """Keep the parameters, and choose the examples."""
        images, labels = data.load("mnist")[1] if digits is None else digits
        images, labels = np.asarray(images), np.asarray(labels)
        if images.ndim != 4 or images.shape[1:] != (28, 28, 1) or len(images) == 0:
            raise ValueError(
                f"expected images of shape (n, 28, 28, 1), got {images.shape}"
            )
        if labels.shape != images.shape[:1]:
            raise ValueError(
                f"expected labels of shape {images.shape[:1]}, got {labels.shape}"
            )
        weights = pack(params)
        answers = training.predict(cnn.lenet, params, images).argmax(axis=-1)
        chosen = choose(labels, np.asarray(answers))
        grey = np.round(images[chosen] * 255).astype(np.uint8)
        self._params = params
        super().__init__(
            weights=weights,
            examples=grey.tobytes(),
            labels=labels[chosen].tolist(),
            **settings,
        )

    @traitlets.validate("weights")
    def _all_weights(self, proposal):
        got = len(proposal["value"])
        if got != _SIZE:
            raise traitlets.TraitError(f"expected {_SIZE} bytes of weights, got {got}")
        return proposal["value"]

    @traitlets.validate("strokes")
    def _points_on_the_pad(self, proposal):
        for stroke in proposal["value"]:
            points = np.asarray(stroke, float) if _is_table(stroke) else np.empty(0)
            if points.ndim != 2 or points.shape[1] != 2:
                raise traitlets.TraitError(
                    f"expected strokes of points [x, y], got {str(stroke)[:60]}"
                )
            if not ((points >= 0) & (points <= 1)).all():
                raise traitlets.TraitError("expected x and y from 0 to 1 in each point")
        return proposal["value"]

    @traitlets.validate("example")
    def _one_of_the_examples(self, proposal):
        if proposal["value"] >= len(self.labels):
            raise traitlets.TraitError(
                f"expected example below {len(self.labels)}, got {proposal['value']}"
            )
        return proposal["value"]

    def image(self) -> np.ndarray | None:
        """Return what LeNet sees in the page, (28, 28, 1); None of an empty pad."""
        if self.pixels:
            return np.frombuffer(self.pixels, "<f4").reshape(28, 28, 1)
        if self.example >= 0:
            return self._examples()[self.example]
        return None

    def _examples(self) -> np.ndarray:
        grey = np.frombuffer(self.examples, np.uint8).reshape(-1, 28, 28, 1)
        return grey.astype(np.float32) / 255

    def still(self):
        """Draw an example and LeNet's ten probabilities."""
        k = max(self.example, 0)
        digit = self._examples()[k]
        chances = jax.nn.softmax(cnn.lenet(self._params, digit[None])[0])
        figure, (left, right) = plots.panels(1, 2)
        left.imshow(digit[:, :, 0], "gray_r", vmin=0, vmax=1)
        left.set_axis_off()
        heights = {str(d): float(p) for d, p in enumerate(chances)}
        plots.bars(heights, xlabel="digit", ylabel="probability", ax=right)
        return figure


def _is_table(stroke) -> bool:
    """Tell whether a stroke is a list of pairs of numbers."""
    try:
        return np.asarray(stroke, float).size > 0
    except (TypeError, ValueError):
        return False
