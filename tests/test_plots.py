"""Figures: what is drawn equals what was given, and a notebook shows it once."""

import base64
import inspect

import matplotlib
import matplotlib.colors
import nbclient
import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure

from lessons import plots

X = np.linspace(-2, 3, 7)
POINTS = np.array([[0.0, 1.0], [2.0, -1.0], [1.0, 3.0], [-1.0, 0.5], [0.5, 0.5]])
LABELS = np.array([2, 0, 2, 0, 5])
TEXT = {"xlabel": "time (s)", "ylabel": "loss (nats)", "title": "Falling"}


def only(figure):
    """The only axes of a figure."""
    assert isinstance(figure, Figure)
    (axes,) = figure.axes
    return axes


def texts(axes):
    return axes.get_xlabel(), axes.get_ylabel(), axes.get_title()


def legend(axes):
    found = axes.get_legend()
    return None if found is None else [text.get_text() for text in found.get_texts()]


def rgb(colour):
    return matplotlib.colors.to_hex(colour).upper()


# Style


def test_use_style_sets_the_readers_defaults():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        plots.use_style()
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
        assert cycle == list(plots.COLOURS)
        assert matplotlib.rcParams["figure.constrained_layout.use"]
        for name in ("font.size", "legend.fontsize", "axes.labelsize"):
            assert matplotlib.rcParams[name] >= 11
        assert not matplotlib.rcParams["axes.spines.right"]
        assert not matplotlib.rcParams["axes.spines.top"]
        assert matplotlib.rcParams["axes.grid"]
        assert matplotlib.rcParams["axes.axisbelow"] is True
        assert matplotlib.rcParams["grid.alpha"] == 0.3
        assert matplotlib.rcParams["lines.linewidth"] == 2.0
        assert matplotlib.rcParams["savefig.dpi"] == "figure"


def test_colours_are_okabe_and_itos():
    assert set(plots.COLOURS) == {
        "#000000",
        "#E69F00",
        "#56B4E9",
        "#009E73",
        "#F0E442",
        "#0072B2",
        "#D55E00",
        "#CC79A7",
    }
    assert len(plots.MARKERS) == len(set(plots.MARKERS)) == 8


EXAMPLES = {
    "lines": lambda: plots.lines({"a": (X, X**2), "b": (X, X)}, **TEXT),
    "scatter": lambda: plots.scatter(POINTS, LABELS, **TEXT),
    "boundary": lambda: plots.boundary(lambda p: p[:, 0], POINTS, LABELS % 2, **TEXT),
    "images": lambda: plots.images(np.eye(4)[None], ["true 1"], title="Digits"),
    "histograms": lambda: plots.histograms({"layer 1": X}, xlabel="activation"),
    "heatmap": lambda: plots.heatmap(np.eye(3), **TEXT),
    "confusion": lambda: plots.confusion(np.eye(3, dtype=int)),
    "bars": lambda: plots.bars({"a": 1.0, "b": 2.0}, **TEXT),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_figure_is_readable_small_and_repeatable(name):
    with matplotlib.rc_context({"font.size": 3, "axes.labelsize": 3, "figure.dpi": 50}):
        figure = EXAMPLES[name]()
    assert figure.get_size_inches()[0] == 7
    assert figure.dpi == 120
    shown = figure.findobj(matplotlib.text.Text)
    assert min(text.get_fontsize() for text in shown if text.get_text()) >= 11
    content = figure._repr_png_()
    assert content == plots.png(EXAMPLES[name]())
    assert len(content) < 60_000
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20], "big") == 840
    assert b"matplotlib" not in content


def test_a_png_has_the_dots_per_inch_of_its_figure():
    figure = plots.lines({"a": X}, **TEXT)
    figure.set_dpi(60)
    with matplotlib.rc_context({"savefig.dpi": 200}):
        content = plots.png(figure)
    assert int.from_bytes(content[16:20], "big") == 420


def test_every_figure_function_is_tried():
    public = {
        name
        for name, f in inspect.getmembers(plots, inspect.isfunction)
        if f.__module__ == plots.__name__ and not name.startswith("_")
    }
    assert public == {*EXAMPLES, "use_style", "png", "panels"}


# Curves


def test_lines_draw_the_data():
    figure = plots.lines({"square": (X, X**2), "self": (list(X), list(X))}, **TEXT)
    axes = only(figure)
    assert texts(axes) == ("time (s)", "loss (nats)", "Falling")
    assert legend(axes) == ["square", "self"]
    for line, y in zip(axes.get_lines(), (X**2, X), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), X)
        np.testing.assert_array_equal(line.get_ydata(), y)
    assert [rgb(line.get_color()) for line in axes.get_lines()] == [
        "#0072B2",
        "#D55E00",
    ]
    assert [line.get_linestyle() for line in axes.get_lines()] == ["-", "--"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")
    assert figure.get_size_inches().tolist() == [7, 4]


def test_lines_count_epochs_from_1():
    (line,) = only(plots.lines({"loss": [0.9, 0.4, 0.2]}, **TEXT)).get_lines()
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata().tolist() == [0.9, 0.4, 0.2]
    # Two numbers are a curve of two epochs, not a pair of curves.
    (line,) = only(plots.lines({"loss": [0.9, 0.4]}, **TEXT)).get_lines()
    assert line.get_ydata().tolist() == [0.9, 0.4]


def test_one_curve_needs_no_legend():
    assert legend(only(plots.lines({"a": X}, **TEXT))) is None
    marked = only(plots.lines({"a": X}, marks={"best": 3.0}, **TEXT))
    assert legend(marked) == ["a", "best"]


def test_many_curves_stay_apart():
    curves = {str(i): X + i for i in range(9)}
    drawn = only(plots.lines(curves, **TEXT)).get_lines()
    looks = {(line.get_color(), line.get_linestyle()) for line in drawn[:8]}
    assert len(looks) == 8
    assert drawn[8].get_color() == drawn[0].get_color()


def test_marks_are_vertical_and_labelled():
    axes = only(plots.lines({"a": X, "b": X}, marks={"p": 1.5, "q": 4.0}, **TEXT))
    for line, x, i in zip(axes.get_lines()[2:], (1.5, 4.0), (2, 3), strict=True):
        assert line.get_xdata() == [x, x]
        assert line.get_linestyle() == ":"
        assert line.get_color() == plots.COLOURS[i]
    assert legend(axes) == ["a", "b", "p", "q"]


@pytest.mark.parametrize("logx", [False, True])
@pytest.mark.parametrize("logy", [False, True])
def test_log_axes(logx, logy):
    axes = only(plots.lines({"a": [1, 10]}, logx=logx, logy=logy, **TEXT))
    assert axes.get_xscale() == ("log" if logx else "linear")
    assert axes.get_yscale() == ("log" if logy else "linear")


@pytest.mark.parametrize(
    "curves, message",
    [
        ({}, "at least one curve, got none"),
        ({"a": (X, X[1:])}, r"shape \(n,\) for 'a', got \(7,\) and \(6,\)"),
        ({"a": (X, X[:, None])}, r"for 'a', got \(7,\) and \(7, 1\)"),
        ({"b": np.ones((3, 2))}, r"for 'b', got \(3,\) and \(3, 2\)"),
        ({"b": (np.ones((3, 2)), np.ones((3, 2)))}, r"got \(3, 2\) and \(3, 2\)"),
    ],
)
def test_lines_refuse(curves, message):
    with pytest.raises(ValueError, match=message):
        plots.lines(curves, **TEXT)


@pytest.mark.parametrize("f", [plots.lines, plots.heatmap, plots.bars])
def test_axes_must_be_labelled(f):
    with pytest.raises(TypeError, match="xlabel"):
        f({"a": [1.0]}, ylabel="y")
    with pytest.raises(TypeError, match="ylabel"):
        f({"a": [1.0]}, xlabel="x")


# Panels


def test_panels_are_drawn_into():
    figure, axes = plots.panels(2, 3, sharey=True)
    assert axes.shape == (2, 3)
    assert figure.get_size_inches().tolist() == [7, 6]
    assert plots.lines({"a": X}, ax=axes[0, 1], **TEXT) is figure
    assert plots.scatter(POINTS, ax=axes[1, 0]) is figure
    assert plots.heatmap(np.eye(2), ax=axes[1, 1], **TEXT) is figure
    assert plots.confusion(np.eye(2), ax=axes[1, 2]) is figure
    assert plots.bars({"a": 1}, ax=axes[0, 0], **TEXT) is figure
    assert plots.boundary(lambda p: p[:, 0], POINTS, LABELS, ax=axes[0, 2]) is figure
    assert len(axes[0, 1].get_lines()) == 1
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_panels_defaults():
    figure, axes = plots.panels()
    assert axes.shape == (2,)
    assert figure.get_size_inches().tolist() == [7, 3]
    assert plots.panels(3, 1, height=2.0)[0].get_size_inches().tolist() == [7, 6]


# Points


def test_scatter_draws_each_class():
    axes = only(plots.scatter(POINTS, LABELS, **TEXT))
    assert texts(axes) == ("time (s)", "loss (nats)", "Falling")
    assert legend(axes) == ["class 0", "class 2", "class 5"]
    for i, (cloud, k) in enumerate(zip(axes.collections, (0, 2, 5), strict=True)):
        np.testing.assert_array_equal(cloud.get_offsets(), POINTS[k == LABELS])
        assert rgb(cloud.get_facecolor()[0]) == plots.COLOURS[i]
        assert rgb(cloud.get_edgecolor()[0]) == "#FFFFFF"
        assert cloud.get_sizes().tolist() == [22]
        assert cloud.get_linewidths().tolist() == [0.5]
    outlines = {len(cloud.get_paths()[0].vertices) for cloud in axes.collections}
    assert len(outlines) == 3  # circle, square, triangle


def test_scatter_without_labels():
    axes = only(plots.scatter(POINTS))
    (cloud,) = axes.collections
    np.testing.assert_array_equal(cloud.get_offsets(), POINTS)
    assert legend(axes) is None
    assert texts(axes) == ("x0", "x1", "")


@pytest.mark.parametrize(
    "x, y, message",
    [
        (X, None, r"x of shape \(n, 2\), got \(7,\)"),
        (np.ones((4, 3)), None, r"x of shape \(n, 2\), got \(4, 3\)"),
        (np.ones((0, 2)), None, r"x of shape \(n, 2\), got \(0, 2\)"),
        (POINTS, LABELS[:, None], r"y of shape \(5,\), got \(5, 1\)"),
        (POINTS, LABELS[1:], r"y of shape \(5,\), got \(4,\)"),
    ],
)
def test_points_are_checked(x, y, message):
    with pytest.raises(ValueError, match=message):
        plots.scatter(x, y)
    with pytest.raises(ValueError, match=message):
        plots.boundary(lambda p: p[:, 0], x, y)


def contour_levels(axes):
    """The levels of the filled contours and of the line."""
    filled, line = axes.collections[:2]
    return filled.levels, line


def test_boundary_draws_where_f_meets_the_level():
    seen = []

    def f(points):
        seen.append(points)
        return 0.2 + 0.3 * points[:, 0]  # is 0.5 where x0 is 1

    axes = only(plots.boundary(f, POINTS, LABELS % 2, **TEXT))
    (grid,) = seen
    assert (grid.shape, grid.dtype) == ((150 * 150, 2), np.float32)
    span = np.ptp(POINTS, axis=0)
    np.testing.assert_allclose(
        grid.min(axis=0), POINTS.min(axis=0) - 0.1 * span, atol=2e-3
    )
    np.testing.assert_allclose(
        grid.max(axis=0), POINTS.max(axis=0) + 0.1 * span, atol=2e-3
    )
    levels, line = contour_levels(axes)
    np.testing.assert_allclose(line.get_paths()[0].vertices[:, 0], 1, atol=1e-4)
    assert rgb(line.get_edgecolor()[0]) == "#000000"
    # White lies on the boundary, however far the values reach to each side.
    assert levels.mean() == pytest.approx(0.5)
    assert len(levels) == 13
    reach = np.abs(f(grid) - 0.5).max()
    assert levels[-1] == pytest.approx(0.5 + reach, abs=1e-6)
    assert len(axes.collections) == 4
    assert legend(axes) == ["class 0", "class 1"]
    assert texts(axes) == ("time (s)", "loss (nats)", "Falling")


def test_boundary_follows_both_axes_and_the_level():
    axes = only(
        plots.boundary(
            lambda p: p[:, 1] - 0.5 * p[:, 0], POINTS, LABELS, level=-0.25, points=40
        )
    )
    vertices = contour_levels(axes)[1].get_paths()[0].vertices
    assert len(vertices) > 20
    np.testing.assert_allclose(vertices[:, 1] - 0.5 * vertices[:, 0], -0.25, atol=1e-4)
    assert texts(axes) == ("x0", "x1", "")


def test_boundary_colours_follow_the_classes():
    axes = only(plots.boundary(lambda p: p[:, 0], POINTS, LABELS % 2))
    colours = axes.collections[0].get_cmap()
    assert [rgb(colours(v)) for v in (0.0, 1.0)] == ["#0072B2", "#D55E00"]
    assert min(colours(0.5)[:3]) > 0.98


def test_boundary_stands_a_constant_model_and_one_point():
    axes = only(plots.boundary(lambda p: p[:, 0] * 0 + 0.5, POINTS[:1], [1]))
    assert len(axes.collections) >= 2


def test_boundary_refuses_a_column():
    with pytest.raises(
        ValueError, match=r"f to give shape \(22500,\), got \(22500, 1\)"
    ):
        plots.boundary(lambda p: p[:, :1], POINTS, LABELS)


# Images


@pytest.mark.parametrize("shape", [(5, 6, 4), (5, 6, 4, 1), (5, 6, 4, 3)])
def test_images_draw_the_pixels(shape):
    pixels = np.random.default_rng(0).random(shape)
    names = [f"true {i}" for i in range(5)]
    figure = plots.images(pixels, names, columns=3, title="Wrong ones")
    assert len(figure.axes) == 5
    assert [axes.get_title() for axes in figure.axes] == names
    assert figure.get_suptitle() == "Wrong ones"
    for i, axes in enumerate(figure.axes):
        (image,) = axes.images
        np.testing.assert_array_equal(
            np.squeeze(image.get_array()), np.squeeze(pixels[i])
        )
        assert not axes.axison
        place = axes.get_subplotspec()
        assert (place.rowspan.start, place.colspan.start) == divmod(i, 3)
        if shape[3:] != (3,):
            assert image.get_clim() == (0, 1)
            assert rgb(image.cmap(0.0)) == "#FFFFFF"
            assert rgb(image.cmap(1.0)) == "#000000"


def test_images_size_and_defaults():
    figure = plots.images(np.zeros((9, 10, 10)))
    assert [axes.get_subplotspec().colspan.start for axes in figure.axes][-2:] == [7, 0]
    assert figure.get_size_inches()[1] == pytest.approx(2 * (7 / 8 + 0.05), abs=0.06)
    assert all(axes.get_title() == "" for axes in figure.axes)
    few = plots.images(np.zeros((2, 10, 20)), ["a", "b"], title="t", vmin=-1, vmax=2)
    assert few.get_size_inches()[1] == pytest.approx(7 / 4 + 0.32 + 0.4, abs=0.06)
    assert few.axes[0].images[0].get_clim() == (-1, 2)


@pytest.mark.parametrize(
    "images, titles, message",
    [
        (np.zeros((4, 4)), None, r"channels last or none, got \(4, 4\)"),
        (np.zeros((2, 4, 4, 2)), None, r"got \(2, 4, 4, 2\)"),
        (np.zeros((2, 4, 4, 3, 1)), None, r"got \(2, 4, 4, 3, 1\)"),
        (np.zeros((0, 4, 4)), None, r"got \(0, 4, 4\)"),
        (np.zeros((2, 4, 4)), ["a"], "expected 2 titles, got 1"),
    ],
)
def test_images_refuse(images, titles, message):
    with pytest.raises(ValueError, match=message):
        plots.images(images, titles)


# Histograms, tables, bars


def test_histograms_share_their_range():
    rng = np.random.default_rng(0)
    groups = {f"layer {i}": rng.normal(size=(20, 5)) * i for i in range(1, 6)}
    figure = plots.histograms(groups, xlabel="activation", title="By layer", bins=12)
    assert [axes.get_title() for axes in figure.axes] == list(groups)
    everything = np.concatenate([values.ravel() for values in groups.values()])
    edges = np.linspace(everything.min(), everything.max(), 13)
    for axes, values in zip(figure.axes, groups.values(), strict=True):
        heights = [bar.get_height() for bar in axes.patches]
        np.testing.assert_array_equal(heights, np.histogram(values, edges)[0])
        np.testing.assert_allclose([bar.get_x() for bar in axes.patches], edges[:-1])
        assert rgb(axes.patches[0].get_facecolor()) == plots.COLOURS[0]
        assert axes.get_xlim() == figure.axes[0].get_xlim()
        assert axes.get_ylim() == figure.axes[0].get_ylim()
    assert figure.get_supxlabel() == "activation"
    assert figure.get_supylabel() == "count"
    assert figure.get_suptitle() == "By layer"
    assert figure.get_size_inches()[1] == 5.2
    # The lowest histogram of every column carries the numbers of its axis.
    ticks = [axes.xaxis.get_major_ticks()[0] for axes in figure.axes]
    numbered = [tick.label1.get_visible() for tick in ticks]
    assert numbered == [False, False, True, True, True]


def test_histograms_layout_and_defaults():
    figure = plots.histograms({"a": X, "b": X}, xlabel="x", ylabel="share", columns=1)
    assert [axes.get_subplotspec().rowspan.start for axes in figure.axes] == [0, 1]
    assert figure.get_supylabel() == "share"
    assert figure.get_suptitle() == ""
    signature = inspect.signature(plots.histograms).parameters
    assert (signature["bins"].default, signature["columns"].default) == (50, 3)
    with pytest.raises(ValueError, match="at least one group, got none"):
        plots.histograms({}, xlabel="x")


def test_heatmap_writes_its_numbers():
    values = np.array([[0.0, 1.5, 3.0], [10.0, -2.25, 0.125]])
    axes = only(plots.heatmap(values, yticks=["a", "b"], **TEXT))
    assert texts(axes) == ("time (s)", "loss (nats)", "Falling")
    np.testing.assert_array_equal(axes.images[0].get_array(), values)
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {
        (column, row): f"{values[row, column]:.2f}"
        for row in range(2)
        for column in range(3)
    }
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2"]
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert (colours["10.00"], colours["-2.25"]) == ("black", "white")


def test_heatmap_digits():
    assert (
        plots.heatmap([[0.126]], digits=1, **TEXT).axes[0].texts[0].get_text() == "0.1"
    )
    figure = plots.heatmap(np.eye(3), digits=None, **TEXT)
    assert len(figure.axes) == 2  # the second is the colour bar
    assert not figure.axes[0].texts


@pytest.mark.parametrize(
    "value, colour", [(0.0, "white"), (0.4, "white"), (0.7, "black")]
)
def test_numbers_contrast_with_their_colour(value, colour):
    axes = only(plots.heatmap([[0.0, value, 1.0]], **TEXT))
    assert axes.texts[1].get_color() == colour


@pytest.mark.parametrize(
    "values, options, message",
    [
        (np.ones(3), {}, r"shape \(rows, columns\), got \(3,\)"),
        (np.ones((2, 3)), {"xticks": "ab"}, "expected 3 names, got 2"),
        (np.ones((2, 3)), {"yticks": "abc"}, "expected 2 names, got 3"),
    ],
)
def test_heatmap_refuses(values, options, message):
    with pytest.raises(ValueError, match=message):
        plots.heatmap(values, **options, **TEXT)


def test_confusion_says_which_axis_is_true():
    matrix = np.array([[5, 1], [2, 7]])
    figure = plots.confusion(matrix, classes=["cat", "dog"], title="Pets")
    axes = only(figure)
    assert texts(axes) == ("predicted class", "true class", "Pets")
    np.testing.assert_array_equal(axes.images[0].get_array(), matrix)
    assert [text.get_text() for text in axes.texts] == ["5", "1", "2", "7"]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["cat", "dog"]
    assert figure.get_size_inches().tolist() == [7, 5]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # row 0 is at the top


@pytest.mark.parametrize("shape", [(2, 3), (4,), (2, 2, 2)])
def test_confusion_refuses(shape):
    with pytest.raises(ValueError, match=r"matrix of shape \(K, K\), got \("):
        plots.confusion(np.ones(shape))


def test_bars_draw_heights_and_intervals():
    axes = only(
        plots.bars(
            {"SGD": 0.9, "Adam": 0.96},
            errors={"Adam": (0.95, 0.98), "SGD": (0.85, 0.91)},
            **TEXT,
        )
    )
    assert texts(axes) == ("time (s)", "loss (nats)", "Falling")
    assert [bar.get_height() for bar in axes.patches] == [0.9, 0.96]
    assert rgb(axes.patches[0].get_facecolor()) == plots.COLOURS[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.6, 0.6])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["SGD", "Adam"]
    ends = [path.vertices[:, 1] for path in axes.collections[0].get_paths()]
    np.testing.assert_allclose(ends, [(0.85, 0.91), (0.95, 0.98)])
    assert axes.get_yscale() == "linear"


def test_bars_without_intervals_and_with_numbers_for_labels():
    axes = only(plots.bars({16: 1.0, 256: 100.0}, logy=True, **TEXT))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "256"]
    assert axes.get_yscale() == "log"
    assert not axes.collections


@pytest.mark.parametrize(
    "heights, errors, message",
    [
        ({}, None, "at least one bar, got none"),
        ({"a": 1.0}, {"b": (0, 1)}, r"errors for \['a'\], got \['b'\]"),
        ({"a": 1.0, "b": 2.0}, {"a": (0, 1)}, r"errors for \['a', 'b'\], got \['a'\]"),
        ({"a": 1.0}, {"a": (1.1, 2.0)}, "interval of 'a' to hold 1.0"),
        ({"a": 1.0}, {"a": (0.0, 0.9)}, "interval of 'a' to hold 1.0"),
    ],
)
def test_bars_refuse(heights, errors, message):
    with pytest.raises(ValueError, match=message):
        plots.bars(heights, errors=errors, **TEXT)


# In a notebook

DRAW = 'plots.lines({"a": [1, 2, 3]}, xlabel="epoch", ylabel="loss (nats)")'


@pytest.mark.parametrize(
    "start",
    [
        "from lessons import plots",
        "import matplotlib.pyplot\nfrom lessons import plots\nplots.use_style()",
    ],
)
def test_a_kernel_shows_a_figure_exactly_once(start):
    cells = [start, DRAW, f"_ = {DRAW}", f"display({DRAW})"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
    )
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert [len(shown) for shown in outputs] == [0, 1, 0, 1]
    expected = plots.png(
        plots.lines({"a": [1, 2, 3]}, xlabel="epoch", ylabel="loss (nats)")
    )
    for shown in (outputs[1][0], outputs[3][0]):
        assert set(shown.data) == {"text/plain", "image/png"}
        assert shown.data["text/plain"] == "<Figure size 840x480 with 1 Axes>"
        assert base64.b64decode(shown.data["image/png"]) == expected
