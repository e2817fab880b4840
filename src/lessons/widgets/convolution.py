"""Convolution explorer: a kernel slides over an image, one place at a time."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import traitlets
from jax import Array

from lessons import cnn, plots
from lessons.dnn import Params
from lessons.widgets._base import JS, LiveFigure, Number, bundle

_THIRD = 1 / 3
HAND_MADE = {
    "2 x 2, change to the right": [[-1, 1], [-1, 1]],
    "3 x 3, edges across": [[-_THIRD, 0, _THIRD]] * 3,
    "3 x 3, edges down": [[-_THIRD] * 3, [0, 0, 0], [_THIRD] * 3],
    "3 x 3, blur": [[1 / 9] * 3] * 3,
}
LARGEST_IMAGE, LARGEST_KERNEL = 32, 7


def _shapes() -> dict[str, np.ndarray]:
    """Return simple images: the chapter's dark half, a square and a diagonal."""
    half = np.zeros((4, 4))
    half[:, 2:] = 1
    square = np.zeros((7, 7))
    square[2:5, 2:5] = 1
    return {
        "dark half, 4 x 4": half,
        "square, 7 x 7": square,
        "slash, 7 x 7": np.eye(7),
    }


class ConvolutionExplorer(LiveFigure):
    """Slide a kernel over an image and show each product, the sum and the output.

    Parameters
    ----------
    conv : dict or None
        A convolution of one channel, such as LeNet's first: ``w`` of shape (height,
        width, 1, c_out) and ``b`` of shape (c_out,). Its kernels can be chosen beside
        the ones made by hand.
    images : dict of arrays, or None
        More images to choose from, by name: (rows, columns), 0 to 1, at most 32 x 32.
    picture : str
        Which image, by its name.
    kernel : list of lists of float
        The numbers that slide, at most 7 x 7.
    bias : float
    stride : int
        1 to 3.
    padding : int
        0 to 2.
    dilation : int
        1 or 2.
    place : int
        Where the window is, counted over the output row by row.

    Raises
    ------
    ValueError
        If conv or an image has another shape.
    traitlets.TraitError
        If a setting is out of range, or the kernel is no table of numbers.

    Notes
    -----
    Used in chapter 07.

    Examples
    --------
    >>> explorer = ConvolutionExplorer(stride=2, padding=1)
    >>> explorer.kernel = [[0, 1], [1, 0]]
    >>> explorer.output().shape
    (3, 3)
    """

    _esm = bundle("convolution.js")
    _css = LiveFigure._css + (JS / "cnn.css").read_text(encoding="utf-8")
    pictures = traitlets.Dict().tag(sync=True)
    filters = traitlets.List().tag(sync=True)
    picture = traitlets.Unicode().tag(sync=True)
    kernel = traitlets.List().tag(sync=True)
    bias = Number(0.0, min=-1000, max=1000).tag(sync=True)
    stride = traitlets.Int(1, min=1, max=3).tag(sync=True)
    padding = traitlets.Int(0, min=0, max=2).tag(sync=True)
    dilation = traitlets.Int(1, min=1, max=2).tag(sync=True)
    place = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        conv: Params | None = None,
        images: Mapping[str, Array] | None = None,
        **settings: Any,
    ) -> None:
        """Collect images and kernels; begin with the first that were given."""
        given = {name: _grey(name, image) for name, image in (images or {}).items()}
        own = {name: _grey(name, image) for name, image in _shapes().items()}
        learned = [] if conv is None else _learned(conv)
        made = [{"name": n, "kernel": k, "bias": 0.0} for n, k in HAND_MADE.items()]
        first = (learned or made)[0]
        start = {"kernel": first["kernel"], "bias": first["bias"]}
        if "kernel" in settings:
            start = {"bias": 0.0}
        pictures, filters = {**given, **own}, [*learned, *made]
        super().__init__(
            pictures=pictures,
            filters=filters,
            **{"picture": next(iter(pictures)), **start, **settings},
        )

    @traitlets.validate("picture")
    def _one_of_the_pictures(self, proposal):
        if proposal["value"] not in self.pictures:
            raise traitlets.TraitError(
                f"expected picture in {list(self.pictures)}, got {proposal['value']!r}"
            )
        return proposal["value"]

    @traitlets.validate("kernel")
    def _a_table_of_numbers(self, proposal):
        value = proposal["value"]
        try:
            table = np.asarray(value, float)
        except (TypeError, ValueError):
            table = np.empty(0)
        if table.ndim != 2 or not 1 <= min(table.shape) <= max(table.shape) <= (
            LARGEST_KERNEL
        ):
            raise traitlets.TraitError(
                f"expected kernel as rows of numbers, at most {LARGEST_KERNEL} x "
                f"{LARGEST_KERNEL}, got {str(value)[:60]}"
            )
        if not (abs(table) <= 1000).all():
            raise traitlets.TraitError("expected numbers from -1000 to 1000 in kernel")
        return table.tolist()

    def image(self) -> np.ndarray:
        """Return the chosen image, (rows, columns), 0 to 1."""
        return np.asarray(self.pictures[self.picture], np.float32) / 255

    def output(self) -> Array:
        """Return what the page fills in: ``lessons.cnn.conv`` with these settings.

        Returns
        -------
        array of shape (out_rows, out_columns)

        Raises
        ------
        ValueError
            If the kernel is larger than the padded image.
        """
        w = jnp.asarray(self.kernel, jnp.float32)[:, :, None, None]
        params = {"w": w, "b": jnp.asarray([self.bias], jnp.float32)}
        steps = {n: getattr(self, n) for n in ("stride", "padding", "dilation")}
        return cnn.conv(params, self.image()[None, :, :, None], **steps)[0, :, :, 0]

    def still(self):
        """Draw the image and its output."""
        out = np.asarray(self.output())
        figure, (left, right) = plots.panels(1, 2)
        left.imshow(self.image(), "gray_r", vmin=0, vmax=1)
        reach = max(float(abs(out).max()), 1e-9)
        right.imshow(out, "RdBu", vmin=-reach, vmax=reach)
        for axes, title, shown in [
            (left, "image", self.image()),
            (right, "output", out),
        ]:
            axes.set_title(f"{title}, {shown.shape[0]} x {shown.shape[1]}")
            axes.set_axis_off()
        return figure


def _grey(name: str, image: Array) -> list[list[int]]:
    """Write an image as rows of grey levels, 0 to 255."""
    image = np.asarray(image)
    if image.ndim != 2 or not 1 <= min(image.shape) <= max(image.shape) <= (
        LARGEST_IMAGE
    ):
        raise ValueError(
            f"expected image {name!r} of shape (rows, columns), at most "
            f"{LARGEST_IMAGE} each, got {image.shape}"
        )
    if not ((image >= 0) & (image <= 1)).all():
        raise ValueError(
            f"expected image {name!r} from 0 to 1, got {image.min()} to {image.max()}"
        )
    return np.round(image * 255).astype(int).tolist()


def _learned(conv: Params) -> list[dict[str, Any]]:
    """Write a layer's kernels as settings of the explorer."""
    w, b = np.asarray(conv["w"], float), np.asarray(conv["b"], float)
    if w.ndim != 4 or w.shape[2] != 1 or max(w.shape[:2]) > LARGEST_KERNEL:
        raise ValueError(
            f"expected w of shape (height, width, 1, c_out), at most {LARGEST_KERNEL} "
            f"high and wide, got {w.shape}"
        )
    if b.shape != w.shape[3:]:
        raise ValueError(f"expected b of shape {w.shape[3:]}, got {b.shape}")
    size = f"{w.shape[0]} x {w.shape[1]}"
    return [
        {
            "name": f"{size}, learned {k}",
            "kernel": w[:, :, 0, k].tolist(),
            "bias": float(b[k]),
        }
        for k in range(len(b))
    ]
