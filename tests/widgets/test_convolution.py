"""Convolution explorer: the page's numbers are the package's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import traitlets

from lessons import cnn
from lessons.widgets import ConvolutionExplorer

RNG = np.random.default_rng(5)
# Sizes of image and kernel, channels in and out, stride, padding, dilation.
TABLE = [
    ((4, 4), (2, 2), 1, 1, 1, 0, 1),
    ((7, 6), (3, 2), 1, 1, 1, 1, 1),
    ((7, 9), (3, 3), 1, 2, 2, 1, 1),
    ((9, 8), (3, 3), 2, 1, 3, 2, 1),
    ((11, 9), (3, 2), 4, 5, 2, 2, 2),
    ((9, 7), (1, 3), 2, 3, 1, 0, 2),
    ((28, 28), (5, 5), 1, 6, 1, 2, 1),
    ((28, 28), (5, 5), 1, 1, 3, 1, 2),
    ((5, 5), (5, 5), 1, 1, 3, 0, 1),
]
EXPLORER = ConvolutionExplorer()
CONV1 = cnn.conv_init(jax.random.key(1), (5, 5), 1, 6)
CONV1["b"] = jnp.arange(6.0) / 7


def settings(explorer):
    """Return what the page works with."""
    names = ["kernel", "bias", "stride", "padding", "dilation"]
    grey = explorer.pictures[explorer.picture]
    return {"grey": grey, **{name: getattr(explorer, name) for name in names}}


@pytest.mark.parametrize("image, kernel, c_in, c_out, stride, padding, dilation", TABLE)
def test_convolution(js, image, kernel, c_in, c_out, stride, padding, dilation):
    x, b = RNG.normal(size=(*image, c_in)), RNG.normal(size=c_out)
    w = RNG.normal(size=(*kernel, c_in, c_out))
    steps = {"stride": stride, "padding": padding, "dilation": dilation}
    layer = {"size": w.shape, "w": w.ravel(), "b": b}
    flat = {"rows": image[0], "columns": image[1], "channels": c_in, "data": x.ravel()}
    got = js("cnn.js", "convolve", layer, flat, steps)
    params = {"w": jnp.asarray(w, jnp.float32), "b": jnp.asarray(b, jnp.float32)}
    expected = cnn.conv(params, jnp.asarray(x[None], jnp.float32), **steps)[0]
    assert (got["rows"], got["columns"], got["channels"]) == expected.shape
    shown = np.reshape(got["data"], expected.shape)
    np.testing.assert_allclose(shown, expected, atol=1e-5 * float(abs(expected).max()))


@pytest.mark.parametrize("window", [2, 3])
def test_pooling(js, window):
    x = RNG.normal(size=(6, 12, 3)).astype(np.float32)
    flat = {"rows": 6, "columns": 12, "channels": 3, "data": x.ravel()}
    got = js("cnn.js", "maxPool", flat, window)
    expected = cnn.max_pool(jnp.asarray(x[None]), window)[0]
    np.testing.assert_allclose(np.reshape(got["data"], expected.shape), expected)


@pytest.mark.parametrize("size, kernel, stride, padding, dilation", [
    (28, 5, 1, 0, 1), (28, 5, 1, 2, 1), (28, 3, 2, 1, 1), (28, 3, 1, 0, 2),
    (7, 3, 3, 2, 2), (4, 2, 3, 0, 1), (5, 5, 1, 0, 1),
])  # fmt: skip
def test_sizes_and_the_formula(js, size, kernel, stride, padding, dilation):
    expected = cnn.conv_size(size, kernel, stride, padding, dilation)
    numbers = (size, kernel, stride, padding, dilation)
    assert js("cnn.js", "convSize", *numbers) == expected
    written = js("sliding.js", "sizeFormula", *numbers)
    sum_, result = written.split(" = ")
    inside = sum_.strip("⌊").replace("⌋", "").replace("·", "*").replace("−", "-")
    assert eval(inside.replace("/", "//")) == expected == int(result)


def test_a_kernel_that_does_not_fit_is_said_in_words(js):
    explorer = ConvolutionExplorer(CONV1)
    assert explorer.picture.startswith("dark half"), "4 x 4, smaller than 5 x 5"
    got = js("sliding.js", "answers", settings(explorer))
    assert got["data"] == []
    assert "reaches over 5 pixels" in got["why"] and "has 4." in got["why"]
    assert "no place" in js("sliding.js", "sizeFormula", 4, 5, 1, 0, 1)
    with pytest.raises(ValueError, match="within 4 pixels, got 5"):
        explorer.output()
    explorer.padding = 1
    assert js("sliding.js", "answers", settings(explorer))["why"] == ""


@pytest.mark.parametrize("steps", [
    {}, {"stride": 2, "padding": 1}, {"padding": 2, "dilation": 2}, {"bias": 0.75},
])  # fmt: skip
def test_windows_products_and_sums(js, steps):
    image = RNG.uniform(size=(6, 8))
    kernel = [[1.5, -2.0, 0.25], [0.5, 3.0, -1.0]]
    explorer = ConvolutionExplorer(None, {"mine": image}, kernel=kernel, **steps)
    out = np.asarray(explorer.output())
    whole = js("sliding.js", "answers", settings(explorer))
    np.testing.assert_allclose(np.reshape(whole["data"], out.shape), out, atol=1e-5)
    for row, column in [(0, 0), (1, 2), (out.shape[0] - 1, out.shape[1] - 1)]:
        at = js("sliding.js", "windowAt", settings(explorer), row, column)
        products = np.array(at["pixels"]) * kernel
        np.testing.assert_allclose(at["products"], products, atol=1e-12)
        assert at["sum"] == pytest.approx(float(out[row, column]), abs=1e-5)


def test_the_layers_kernels_come_first_and_unchanged():
    explorer = ConvolutionExplorer(CONV1)
    assert len(explorer.filters) == 6 + len(EXPLORER.filters)
    for k in range(6):
        kernel = np.asarray(CONV1["w"][:, :, 0, k], float).tolist()
        assert explorer.filters[k]["kernel"] == kernel
        assert explorer.filters[k]["bias"] == float(CONV1["b"][k])
    assert explorer.kernel == explorer.filters[0]["kernel"]
    assert explorer.bias == explorer.filters[0]["bias"]
    assert ConvolutionExplorer(CONV1, kernel=[[1]]).bias == 0


def test_it_opens_with_the_chapters_example():
    np.testing.assert_array_equal(EXPLORER.output(), [[0, 2, 0]] * 3)


@pytest.mark.parametrize(
    "conv, message",
    [
        ({"w": jnp.zeros((5, 5, 2, 6)), "b": jnp.zeros(6)}, r"got \(5, 5, 2, 6\)"),
        ({"w": jnp.zeros((9, 9, 1, 6)), "b": jnp.zeros(6)}, r"got \(9, 9, 1, 6\)"),
        ({"w": jnp.zeros((5, 5, 1, 6)), "b": jnp.zeros(5)}, r"\(6,\), got \(5,\)"),
    ],
)
def test_wrong_layers(conv, message):
    with pytest.raises(ValueError, match=message):
        ConvolutionExplorer(conv)


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((4, 4, 1)), r"\(rows, columns\), at most 32 each, got \(4, 4, 1\)"),
        (np.zeros((33, 4)), r"got \(33, 4\)"),
        (np.full((4, 4), 2.0), "from 0 to 1, got 2.0 to 2.0"),
        (np.full((4, 4), np.nan), "from 0 to 1, got nan"),
    ],
)
def test_wrong_images(image, message):
    with pytest.raises(ValueError, match=message):
        ConvolutionExplorer(None, {"x": image})


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("kernel", [[1, 2], [3]], "expected kernel as rows of numbers"),
        ("kernel", [1, 2], "expected kernel as rows of numbers"),
        ("kernel", [], "expected kernel as rows of numbers"),
        ("kernel", [["a"]], "expected kernel as rows of numbers"),
        ("kernel", [[0] * 8] * 8, "at most 7 x 7"),
        ("kernel", [[float("nan")]], "from -1000 to 1000"),
        ("picture", "none", "expected picture in"),
        ("stride", 0, "1"),
        ("stride", 4, "3"),
        ("padding", 3, "2"),
        ("dilation", 3, "2"),
        ("place", -1, "0"),
        ("bias", float("nan"), "nan"),
    ],
)
def test_impossible_settings_are_refused(name, value, message):
    before = getattr(EXPLORER, name)
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(EXPLORER, name, value)
    assert getattr(EXPLORER, name) == before


def test_the_still_shows_image_and_output():
    explorer = ConvolutionExplorer(stride=2, padding=1)
    left, right = explorer.still().axes
    np.testing.assert_allclose(left.images[0].get_array(), explorer.image())
    np.testing.assert_allclose(right.images[0].get_array(), explorer.output())
