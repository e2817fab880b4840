"""Figures of the course: the only place that imports matplotlib.

Each function gives a matplotlib Figure that pyplot does not know. A notebook shows
it once, when it is the last expression of a cell. `panels` makes several axes at
once; pass one of them as `ax` to draw into it.
"""

import functools
import io
import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito (2008): eight colours that colour-blind readers tell apart, the
# yellow last because it is faint on white.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
    "#F0E442",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", "--", "-.", ":")

_STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 12,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 13,
    "figure.constrained_layout.use": True,
    "figure.dpi": 120,
    "figure.facecolor": "white",
    "figure.titlesize": 14,
    "font.size": 12,
    "grid.alpha": 0.3,
    "image.cmap": "cividis",
    "legend.fontsize": 11,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.8,
    "lines.linewidth": 2.0,
    "savefig.dpi": "figure",
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
}
_WIDTH = 7.0  # inches, so that the text stays readable on a telephone


def _styled(draw):
    """Run a drawing function in the course's style, whatever the reader set."""

    @functools.wraps(draw)
    def styled(*args, **kwargs):
        with matplotlib.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return styled


def use_style() -> None:
    """Make the course's style the default for the reader's own figures.

    The functions of this module use it in any case.

    Notes
    -----
    Used from chapter 01 on. The colours are Okabe and Ito's (2008).

    Examples
    --------
    >>> use_style()
    >>> matplotlib.rcParams["font.size"]
    12.0
    """
    matplotlib.rcParams.update(_STYLE)


def png(figure) -> bytes:
    """Draw a figure as a PNG; equal figures, made anew, give equal bytes.

    Parameters
    ----------
    figure : Figure

    Returns
    -------
    bytes

    Notes
    -----
    Neither a date nor matplotlib's version is written into the file, and at most 256
    colours are. Notebooks call this to show what the functions here return.

    Examples
    --------
    >>> png(lines({"a": ([0, 1], [0, 1])}, xlabel="x", ylabel="y"))[1:4]
    b'PNG'
    """
    drawn, stored = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(drawn, format="png", dpi=figure.dpi)
    # A palette of its own 256 colours halves the bytes, which readers pay for.
    picture = Image.open(drawn).convert("RGB")
    picture = picture.quantize(256, dither=Image.Dither.NONE)
    picture.save(stored, format="png", dpi=(figure.dpi, figure.dpi), optimize=True)
    return stored.getvalue()


@_styled
def panels(rows: int = 1, columns: int = 2, *, height: float = 3.0, **kwargs):
    """Make a figure with several axes, to pass to other functions as `ax`.

    Parameters
    ----------
    rows, columns : number of axes down and across
    height : inches a row; the width is 7 inches
    kwargs : for `Figure.subplots`, such as `sharex=True`

    Returns
    -------
    figure : Figure
    axes : array of Axes, (columns,), (rows,) or (rows, columns)

    Notes
    -----
    Used from chapter 01 on.

    Examples
    --------
    >>> figure, (left, right) = panels(1, 2)
    >>> figure
    <Figure size 840x360 with 2 Axes>
    """
    figure = _figure(height * rows)
    return figure, figure.subplots(rows, columns, **kwargs)


@_styled
def lines(
    curves: dict,
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    logx: bool = False,
    logy: bool = False,
    marks: dict | None = None,
    ax=None,
) -> Figure:
    """Draw labelled curves.

    Parameters
    ----------
    curves : {label: (x, y)} or {label: y}; x and y of shape (n,). With y alone, x
        counts 1, 2, 3, as epochs do
    xlabel, ylabel : what the axes show, with the unit
    title : above the axes
    logx, logy : logarithmic axes
    marks : {label: x}, vertical dotted lines, or None
    ax : Axes to draw into, or None for a new figure

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there is no curve, or x and y of one have different shapes.

    Notes
    -----
    Lines differ in dash as well as in colour. Used from chapter 01 on.

    Examples
    --------
    >>> lines({"square": ([0, 1, 2], [0, 1, 4])}, xlabel="x", ylabel="y")
    <Figure size 840x480 with 1 Axes>
    """
    if not curves:
        raise ValueError("expected at least one curve, got none")
    axes = _axes(ax)
    for i, (label, curve) in enumerate(curves.items()):
        x, y = _curve(label, curve)
        axes.plot(x, y, color=_colour(i), linestyle=_dash(i), label=label)
    for i, (label, x) in enumerate((marks or {}).items()):
        axes.axvline(x, color=_colour(len(curves) + i), linestyle=":", label=label)
    if logx:
        axes.set_xscale("log")
    if logy:
        axes.set_yscale("log")
    if len(curves) > 1 or marks:
        axes.legend()
    return _finish(axes, xlabel, ylabel, title)


@_styled
def scatter(
    x, y=None, *, xlabel: str = "x0", ylabel: str = "x1", title: str = "", ax=None
) -> Figure:
    """Draw points of two features, their classes by colour and marker.

    Parameters
    ----------
    x : (n, 2)
    y : (n,) integer labels, or None for one class without a legend
    xlabel, ylabel, title : text of the axes
    ax : Axes to draw into, or None for a new figure

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a shape is not as above.

    Notes
    -----
    Used in chapter 03.

    Examples
    --------
    >>> scatter([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    <Figure size 840x480 with 1 Axes>
    """
    x, y = _points(x, y)
    axes = _axes(ax)
    classes = [None] if y is None else np.unique(y).tolist()
    for i, label in enumerate(classes):
        part = x if y is None else x[y == label]
        axes.scatter(
            part[:, 0],
            part[:, 1],
            s=22,
            color=_colour(i),
            marker=MARKERS[i % len(MARKERS)],
            edgecolors="white",
            linewidths=0.5,
            label=None if label is None else f"class {label}",
        )
    if y is not None:
        axes.legend()
    return _finish(axes, xlabel, ylabel, title)


@_styled
def boundary(
    f,
    x,
    y,
    *,
    level: float = 0.5,
    xlabel: str = "x0",
    ylabel: str = "x1",
    title: str = "",
    points: int = 150,
    ax=None,
) -> Figure:
    """Draw a two-class model's value over the plane, its boundary and the points.

    Parameters
    ----------
    f : function of (m, 2) float32 points; gives (m,), a probability of class 1
    x : (n, 2)
    y : (n,) integer labels
    level : value of f on the boundary: 0.5 of a probability, 0 of a logit
    xlabel, ylabel, title : text of the axes
    points : grid points along each axis
    ax : Axes to draw into, or None for a new figure

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a shape is not as above.

    Notes
    -----
    Used in chapter 03.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> boundary(lambda x: x[:, 0], x, [0, 1])
    <Figure size 840x480 with 1 Axes>
    """
    x, y = _points(x, y)
    margin = 0.1 * np.ptp(x, axis=0) + 1e-3
    low, high = x.min(axis=0) - margin, x.max(axis=0) + margin
    across, up = (np.linspace(low[i], high[i], points) for i in range(2))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    values = np.asarray(f(grid.astype(np.float32)), np.float64)
    if values.shape != (len(grid),):
        raise ValueError(f"expected f to give shape ({len(grid)},), got {values.shape}")
    values = values.reshape(points, points)
    axes = _axes(ax)
    reach = np.abs(values - level).max() + 1e-9
    shades = np.linspace(level - reach, level + reach, 13)
    axes.contourf(across, up, values, shades, cmap=_two_sided(), alpha=0.5)
    axes.contour(across, up, values, [level], colors="black", linewidths=1.5)
    figure = scatter(x, y, xlabel=xlabel, ylabel=ylabel, title=title, ax=axes)
    axes.grid(False)
    return figure


@_styled
def images(
    images, titles=None, *, columns: int = 8, title: str = "", vmin=0.0, vmax=1.0
) -> Figure:
    """Draw images in a grid, each with an optional line above it.

    Parameters
    ----------
    images : (n, height, width), (n, height, width, 1) or (n, height, width, 3)
    titles : n texts such as "true 3, predicted 5", or None
    columns : images a row
    title : above the figure
    vmin, vmax : the values drawn white and black (grey images only)

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a shape is not as above, or there are not n titles.

    Notes
    -----
    Ink is drawn dark on white. Used from chapter 04 on.

    Examples
    --------
    >>> import numpy as np
    >>> images(np.zeros((3, 4, 4, 1)), ["a", "b", "c"])
    <Figure size 840x324 with 3 Axes>
    """
    shown = np.asarray(images)
    grey = shown.ndim == 3 or (shown.ndim == 4 and shown.shape[3] == 1)
    if (not grey and (shown.ndim != 4 or shown.shape[3] != 3)) or len(shown) == 0:
        raise ValueError(
            "expected images of shape (n, height, width), with 1 or 3 channels last "
            f"or none, got {shown.shape}"
        )
    n, high, wide = shown.shape[:3]
    if titles is not None and len(titles) != n:
        raise ValueError(f"expected {n} titles, got {len(titles)}")
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    text_height = 0.32 if titles is not None else 0.05
    cell = _WIDTH / columns * high / wide + text_height
    figure = _figure(rows * cell + (0.4 if title else 0))
    for i, image in enumerate(shown.reshape(n, high, wide, -1)):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(
            image.squeeze(-1) if grey else image, "gray_r", vmin=vmin, vmax=vmax
        )
        axes.set_axis_off()
        if titles is not None:
            axes.set_title(str(titles[i]), fontsize=11)
    if title:
        figure.suptitle(title)
    return figure


@_styled
def histograms(
    groups: dict,
    *,
    xlabel: str,
    ylabel: str = "count",
    title: str = "",
    bins: int = 50,
    columns: int = 3,
) -> Figure:
    """Draw one histogram for each group, over one range: values by layer.

    Parameters
    ----------
    groups : {label: values}, values of any shape, finite; the label is the title
        of its axes
    xlabel, ylabel : what the axes show, with the unit
    title : above the figure
    bins : number of bars over the range that all groups share
    columns : histograms a row

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there is no group.

    Notes
    -----
    Used from chapter 01 on.

    Examples
    --------
    >>> histograms({"layer 1": [0, 1], "layer 2": [1, 2]}, xlabel="activation")
    <Figure size 840x312 with 2 Axes>
    """
    if not groups:
        raise ValueError("expected at least one group, got none")
    columns = min(columns, len(groups))
    rows = math.ceil(len(groups) / columns)
    figure = _figure(2.6 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    flat = {label: np.ravel(values) for label, values in groups.items()}
    edges = np.histogram_bin_edges(np.concatenate([*flat.values()]), bins)
    for axes, (label, values) in zip(grid.flat, flat.items(), strict=False):
        axes.hist(values, edges, color=COLOURS[0])
        axes.set_title(label)
    for axes in grid.flat[len(groups) :]:
        axes.remove()
    for axes in grid.flat[max(len(groups) - columns, 0) : len(groups)]:
        axes.xaxis.set_tick_params(labelbottom=True)
    figure.supxlabel(xlabel, fontsize=12)
    figure.supylabel(ylabel, fontsize=12)
    if title:
        figure.suptitle(title)
    return figure


@_styled
def heatmap(
    values,
    *,
    xlabel: str,
    ylabel: str,
    xticks=None,
    yticks=None,
    title: str = "",
    digits: int | None = 2,
    ax=None,
) -> Figure:
    """Draw a table of numbers as colours, with the numbers written in.

    Parameters
    ----------
    values : (rows, columns); row 0 is at the top
    xlabel, ylabel : what columns and rows are
    xticks, yticks : names of the columns and rows, or None to count from 0
    title : above the axes
    digits : decimals of the numbers, or None to write none and show a colour bar
    ax : Axes to draw into, or None for a new figure

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If values is not a table, or the names do not fit it.

    Notes
    -----
    Used from chapter 02 on.

    Examples
    --------
    >>> heatmap([[1.0, 2.0]], xlabel="column", ylabel="row")
    <Figure size 840x480 with 1 Axes>
    """
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(
            f"expected values of shape (rows, columns), got {values.shape}"
        )
    axes = _axes(ax)
    image = axes.imshow(values, aspect="auto")
    axes.grid(False)
    for axis, names, count in zip(
        (axes.yaxis, axes.xaxis), (yticks, xticks), values.shape, strict=True
    ):
        names = range(count) if names is None else names
        if len(names) != count:
            raise ValueError(f"expected {count} names, got {len(names)}")
        axis.set_ticks(range(count), [str(name) for name in names])
    if digits is None:
        axes.figure.colorbar(image, ax=axes)
    else:
        _write_numbers(axes, image, digits)
    return _finish(axes, xlabel, ylabel, title)


@_styled
def confusion(matrix, *, classes=None, title: str = "", ax=None) -> Figure:
    """Draw a confusion matrix, the true class down and the predicted one across.

    Parameters
    ----------
    matrix : (K, K) counts, as `metrics.confusion_matrix` gives them
    classes : K names, or None to count from 0
    title : above the axes
    ax : Axes to draw into, or None for a new figure

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If the matrix is not square, or there are not K names.

    Notes
    -----
    Used from chapter 04 on.

    Examples
    --------
    >>> confusion([[3, 1], [0, 4]])
    <Figure size 840x600 with 1 Axes>
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"expected a matrix of shape (K, K), got {matrix.shape}")
    return heatmap(
        matrix,
        xlabel="predicted class",
        ylabel="true class",
        xticks=classes,
        yticks=classes,
        title=title,
        digits=0,
        ax=_axes(None, height=5.0) if ax is None else ax,
    )


@_styled
def bars(
    heights: dict,
    *,
    xlabel: str,
    ylabel: str,
    errors: dict | None = None,
    title: str = "",
    logy: bool = False,
    ax=None,
) -> Figure:
    """Draw a bar for each label.

    Parameters
    ----------
    heights : {label: height}
    xlabel, ylabel : what the axes show, with the unit
    errors : {label: (low, high)}, the ends of an interval around each height, or
        None
    title : above the axes
    logy : logarithmic heights
    ax : Axes to draw into, or None for a new figure

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there is no bar, errors has other labels than heights, or an interval
        does not hold its height.

    Notes
    -----
    Used from chapter 03 on.

    Examples
    --------
    >>> bars({"SGD": 0.91, "Adam": 0.96}, xlabel="optimizer", ylabel="accuracy")
    <Figure size 840x480 with 1 Axes>
    """
    if not heights:
        raise ValueError("expected at least one bar, got none")
    axes = _axes(ax)
    names = [str(label) for label in heights]
    values = np.asarray([float(height) for height in heights.values()])
    axes.bar(names, values, color=COLOURS[0], width=0.6)
    if errors is not None:
        reach = _reach(heights, errors)
        axes.errorbar(names, values, reach, fmt="none", ecolor="black", capsize=5)
    if logy:
        axes.set_yscale("log")
    axes.grid(False, axis="x")
    return _finish(axes, xlabel, ylabel, title)


def _figure(height):
    """Make a figure that pyplot does not know, so that nothing shows it twice."""
    figure = Figure(figsize=(_WIDTH, round(height, 1)))
    # Notebooks look for this method; without pyplot none registers a formatter.
    figure._repr_png_ = functools.partial(png, figure)
    return figure


def _axes(ax, height=4.0):
    return _figure(height).subplots() if ax is None else ax


def _finish(axes, xlabel, ylabel, title):
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return axes.figure


def _colour(i):
    return COLOURS[i % len(COLOURS)]


def _dash(i):
    return _DASHES[i % len(_DASHES)]


def _two_sided():
    """Blue for class 0, white on the boundary, vermilion for class 1."""
    return matplotlib.colors.LinearSegmentedColormap.from_list(
        "two_sided", [COLOURS[0], "white", COLOURS[1]]
    )


def _curve(label, curve):
    """Give x and y of one curve; x counts from 1 where only y was given."""
    pair = isinstance(curve, (tuple, list)) and len(curve) == 2 and np.ndim(curve[0])
    y = np.asarray(curve[1] if pair else curve)
    x = np.asarray(curve[0]) if pair else np.arange(1, len(y) + 1)
    if x.shape != y.shape or y.ndim != 1:
        raise ValueError(
            f"expected x and y of shape (n,) for {label!r}, got {x.shape} and {y.shape}"
        )
    return x, y


def _points(x, y):
    """Refuse points that can not be drawn, or labels that do not belong to them."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != 2 or len(x) == 0:
        raise ValueError(f"expected x of shape (n, 2), got {x.shape}")
    if y is not None:
        y = np.asarray(y)
        if y.shape != x.shape[:1]:
            raise ValueError(f"expected y of shape {x.shape[:1]}, got {y.shape}")
    return x, y


def _reach(heights, errors):
    """How far each interval reaches below and above its height: (2, bars)."""
    if set(errors) != set(heights):
        raise ValueError(f"expected errors for {list(heights)}, got {list(errors)}")
    for label, height in heights.items():
        low, high = errors[label]
        if not low <= height <= high:
            raise ValueError(
                f"expected the interval of {label!r} to hold {height}, "
                f"got {low} to {high}"
            )
    return np.array(
        [[h - errors[k][0], errors[k][1] - h] for k, h in heights.items()]
    ).T


def _write_numbers(axes, image, digits):
    """Write each value on its colour: white on dark, black on light."""
    values = image.get_array()
    for (row, column), value in np.ndenumerate(values):
        shade = image.cmap(image.norm(value))
        light = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2] > 0.5
        axes.text(
            column,
            row,
            f"{value:.{digits}f}",
            ha="center",
            va="center",
            color="black" if light else "white",
        )
