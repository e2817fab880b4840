"""Digit pad: the page reads digits as the package does, and drawings become digits."""

import base64
import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import traitlets
from handwriting import CASES, DIGITS

from lessons import cnn, data
from lessons.activations import relu
from lessons.widgets import DigitPad
from lessons.widgets.digit import SHAPES, choose, pack

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEST = data.load("mnist")[1]
PARAMS = jax.tree.map(
    lambda p: p + 0.1 * jnp.sin(jnp.arange(p.size, dtype=p.dtype)).reshape(p.shape),
    cnn.lenet_init(jax.random.key(3)),
)
DOT = [[[0.5, 0.5]]]
SLASH = [[[0.4, 0.8], [0.6, 0.2]]]


def numbers(params):
    """Return the numbers that the page would read from the trait."""
    return np.frombuffer(pack(params), "<f4").astype(float)


@functools.cache
def pictures():
    """Return shipped digits and random images, (n, 28, 28, 1)."""
    random = np.random.default_rng(0).uniform(size=(3, 28, 28, 1))
    return np.concatenate([TEST[0][:4], random]).astype(np.float32)


@pytest.mark.parametrize("k", range(7))
def test_logits_and_both_maps(js, k):
    x = jnp.asarray(pictures()[k : k + 1])
    got = js("cnn.js", "lenetFrom", numbers(PARAMS), np.ravel(x))
    first = relu(cnn.conv(PARAMS["conv1"], x, padding=2))
    second = relu(cnn.conv(PARAMS["conv2"], cnn.max_pool(first)))
    expected = {"first": first[0], "second": second[0]}
    for name, maps in expected.items():
        shown = np.reshape(got[name]["data"], maps.shape)
        np.testing.assert_allclose(shown, maps, atol=1e-5 * float(maps.max()))
    logits = cnn.lenet(PARAMS, x)[0]
    scale = float(abs(logits).max())
    np.testing.assert_allclose(got["logits"], logits, atol=1e-5 * scale)


@pytest.mark.parametrize("layer, rows", [(1, 28), (2, 10)])
def test_what_a_pixel_of_a_map_sees(js, layer, rows):
    ones = jax.tree.map(jnp.ones_like, PARAMS)

    def value(x, row):
        h = cnn.conv(ones["conv1"], x, padding=2)
        if layer == 2:
            h = cnn.conv(ones["conv2"], cnn.avg_pool(h))
        return h[0, row, rows // 2, 0]

    for row in (0, 1, rows // 2, rows - 1):
        slope = jax.grad(value)(jnp.ones((1, 28, 28, 1)), row)
        seen = np.flatnonzero(slope[0, :, :, 0].any(axis=1))
        assert js("cnn.js", "seenBy", layer, row) == [seen[0], seen[-1]]


# From strokes to the form of MNIST's digits.


def drawn(js, strokes):
    """Return what the page makes of strokes, (28, 28)."""
    return np.reshape(js("ink.js", "toPixels", strokes), (28, 28))


KEPT = {}


def letters(js):
    """Return all drawings in the form of digits, (n, 28, 28); made once."""
    if not KEPT:
        KEPT["all"] = np.array([drawn(js, DIGITS[d][style]) for d, style in CASES])
    return KEPT["all"]


def box(image):
    """Return top, left, bottom and right of the ink, the last two past the end."""
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def centre(image):
    """Return the centre of mass as (row, column)."""
    return np.array([(np.indices((28, 28))[k] * image).sum() for k in (0, 1)]) / (
        image.sum()
    )


def test_the_shipped_digits_have_this_form():
    top, left, bottom, right = np.transpose([box(x[:, :, 0]) for x in TEST[0]])
    longer = np.maximum(bottom - top, right - left)
    assert (longer == 20).mean() > 0.99, "the longer side is 20 pixels"
    centres = np.array([centre(x[:, :, 0]) for x in TEST[0]])
    assert abs(centres - 14).max() < 0.6, "the centre of mass is pixel 14, rounded"


def test_drawings_have_the_form_of_a_digit(js):
    for case, image in zip(CASES, letters(js), strict=True):
        top, left, bottom, right = box(image)
        # 20 pixels as the data; the soft edge may touch one more on either side.
        assert 19 <= max(bottom - top, right - left) <= 22, case
        # The data's centres are rounded to half a pixel, these are not.
        np.testing.assert_allclose(centre(image), 14, atol=0.2, err_msg=str(case))
        assert image.min() == 0 and image.max() == 1, case


def test_drawings_have_the_ink_and_the_greys_of_the_digits(js):
    images = letters(js)
    ink, grey = images.sum((1, 2)).mean(), images[images > 0]
    shipped = np.asarray(TEST[0])
    given = shipped[shipped > 0]
    assert ink == pytest.approx(shipped.sum((1, 2, 3)).mean(), rel=0.1)
    assert (grey > 0.99).mean() == pytest.approx((given > 0.99).mean(), abs=0.06)
    assert (grey < 0.5).mean() == pytest.approx((given < 0.5).mean(), abs=0.08)


def test_size_and_place_on_the_pad_do_not_matter(js):
    large = letters(js)[CASES.index((3, "round"))]
    for scale, dx, dy in [(0.3, 0.0, 0.0), (0.3, 0.7, 0.7), (0.5, 0.1, 0.4)]:
        moved = [[[x * scale + dx, y * scale + dy] for x, y in DIGITS[3]["round"][0]]]
        np.testing.assert_allclose(drawn(js, moved), large, atol=1e-6)


def test_a_stroke_at_the_border_is_the_same_stroke(js):
    middle = drawn(js, SLASH)
    for shift in (-0.4, 0.4):
        moved = [[[x + shift, y] for x, y in SLASH[0]]]
        np.testing.assert_allclose(drawn(js, moved), middle, atol=1e-6)


def test_no_ink_leaves_the_image(js):
    # All weight below, one long thin stroke up: the centre of mass is far from the box.
    heavy = [[[0.1 + 0.2 * k / 9, 0.9], [0.1, 0.9 - 0.02 * k]] for k in range(10)]
    image = drawn(js, [*heavy, [[0.2, 0.9], [0.9, 0.1]]])
    top, left, bottom, right = box(image)
    assert max(bottom - top, right - left) >= 19
    assert 0 < centre(image)[1] < 14, "as near to the centre as the border allows"


@pytest.mark.parametrize("strokes", [[], [[]], [[], []], [[["NaN", 0.5]]]])
def test_an_empty_pad_has_no_image(js, strokes):
    assert js("ink.js", "toPixels", strokes) is None


def test_a_dot_stays_a_dot_in_the_middle(js):
    image = drawn(js, DOT)
    assert image[14, 14] == 1
    assert 3 <= image.sum() <= 8
    np.testing.assert_allclose(image, image.T)
    np.testing.assert_allclose(drawn(js, [[[0.0, 1.0], [0.001, 1.0]]]), image, atol=0.1)


@pytest.mark.parametrize("strokes", [DOT, SLASH, DIGITS[8]["two rings"]])
def test_bounding_box(js, strokes):
    points = np.concatenate([np.array(s) for s in strokes])
    expected = [*points.min(0), *points.max(0)]
    assert js("ink.js", "bounds", strokes) == expected


def test_centre_of_mass(js):
    image = np.zeros((28, 28))
    image[3, 10], image[7, 10], image[7, 20] = 1.0, 0.5, 0.5
    assert js("ink.js", "centreOfMass", image.ravel()) == [12.5, 5.0]
    assert js("ink.js", "centreOfMass", np.zeros(784)) is None


def chapters_lenet():
    """Return what chapter 07 trained, as its notebook holds it for the page."""
    notebook = json.loads((ROOT / "notebooks/07_cnn.ipynb").read_text(encoding="utf-8"))
    [stored] = notebook["metadata"]["widgets"].values()
    buffers = [b for m in stored["state"].values() for b in m.get("buffers", [])]
    [text] = [b["data"] for b in buffers if b["path"] == ["weights"]]
    numbers, params = np.frombuffer(base64.b64decode(text), "<f4"), {}
    for name, layer in SHAPES.items():
        params[name] = {}
        for kind, shape in layer.items():
            own, numbers = np.split(numbers, [int(np.prod(shape))])
            params[name][kind] = jnp.asarray(own.reshape(shape))
    assert numbers.size == 0
    return params


def test_drawings_are_recognised_by_the_chapters_lenet(js):
    images = jnp.asarray(letters(js)[..., None])
    answers = cnn.lenet(chapters_lenet(), images).argmax(axis=-1)
    pairs = zip(CASES, answers.tolist(), strict=True)
    assert [(case, answer) for case, answer in pairs if case[0] != answer] == []


# The words.


def words(js, chances, label=None):
    read = {"chances": chances, "order": np.argsort(-np.array(chances)).tolist()}
    return js("digit.js", "inWords", read, label)


def test_the_answer_in_words(js):
    sure, unsure = [0.01] * 10, [0.02] * 10
    sure[8], unsure[3], unsure[8] = 0.91, 0.51, 0.33
    assert words(js, sure) == "LeNet reads an 8 (91 %)."
    assert words(js, unsure) == "LeNet is unsure: a 3 (51 %) or an 8 (33 %)."
    assert words(js, sure, 8).endswith(
        "the label 8. LeNet reads an 8 (91 %). That is right."
    )
    assert words(js, sure, 5).endswith("It misreads this digit.")


@pytest.mark.parametrize(
    "p, text",
    [
        (0.5, "50 %"),
        (0.996, "over 99 %"),
        (0.001, "under 1 %"),
        (0, "0 %"),
        (1, "100 %"),
    ],
)
def test_percents_do_not_claim_certainty(js, p, text):
    assert js("digit.js", "percent", p) == text


def test_probabilities_are_the_softmax_of_the_logits(js):
    logits = np.array([3.0, -1, 0.5, 9, 2, 2, 1, 8.5, 0, -4])
    got = js("digit.js", "reading", logits)
    np.testing.assert_allclose(got["chances"], jax.nn.softmax(logits), atol=1e-6)
    assert got["order"][:3] == [3, 7, 0]


# The Python face.


def test_weights_travel_unchanged(js):
    read = numbers(PARAMS)
    layers = js("cnn.js", "lenetLayers", read)
    for name, layer in PARAMS.items():
        for kind in "wb":
            assert layers[name][kind] == np.ravel(layer[kind]).astype(float).tolist()


def test_examples_are_chosen_by_what_lenet_reads():
    pad = DigitPad(PARAMS, (TEST[0][:40], TEST[1][:40]))
    answers = cnn.lenet(PARAMS, TEST[0][:40]).argmax(axis=-1)
    places = choose(np.asarray(TEST[1][:40]), np.asarray(answers))
    assert pad.labels == [int(TEST[1][k]) for k in places]
    assert len(places) > 0 and len(set(places.tolist())) == len(places)
    pad.example = len(places) - 1
    np.testing.assert_allclose(pad.image(), TEST[0][places[-1]], atol=1e-6)


def test_python_sees_what_the_page_drew(js):
    pad = DigitPad(PARAMS, (TEST[0][:9], TEST[1][:9]))
    assert pad.image() is None
    image = drawn(js, SLASH)
    pad.pixels = image.astype("<f4").tobytes()
    np.testing.assert_allclose(pad.image()[:, :, 0], image, atol=1e-6)


def bad_params(name, kind, shape):
    wrong = {key: dict(layer) for key, layer in PARAMS.items()}
    wrong[name][kind] = jnp.zeros(shape)
    return wrong


@pytest.mark.parametrize(
    "name, kind, shape", [("conv1", "w", (3, 3, 1, 6)), ("dense3", "b", (9,))]
)
def test_wrong_shapes_of_weights(name, kind, shape):
    expected = np.shape(PARAMS[name][kind])
    with pytest.raises(ValueError) as error:
        DigitPad(bad_params(name, kind, shape))
    assert str(error.value) == (
        f"expected {name}['{kind}'] of shape {expected}, got {shape}"
    )


def test_a_missing_layer_and_wrong_digits():
    with pytest.raises(
        ValueError, match=r"expected params with dense1\['w'\], got none"
    ):
        DigitPad({k: v for k, v in PARAMS.items() if k != "dense1"})
    with pytest.raises(ValueError, match=r"\(n, 28, 28, 1\), got \(2, 28, 28\)"):
        DigitPad(PARAMS, (np.zeros((2, 28, 28)), np.zeros(2, int)))
    with pytest.raises(ValueError, match=r"labels of shape \(2,\), got \(3,\)"):
        DigitPad(PARAMS, (np.zeros((2, 28, 28, 1)), np.zeros(3, int)))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"strokes": [[0.5, 0.5]]}, "expected strokes of points"),
        ({"strokes": [[[0.5, 1.5]]]}, "from 0 to 1"),
        ({"strokes": [[[0.5, float("nan")]]]}, "from 0 to 1"),
        ({"strokes": ["line"]}, "expected strokes of points"),
        ({"example": 99}, "expected example below"),
        ({"example": -2}, "-1"),
        ({"weights": b"1234"}, "expected 246824 bytes of weights, got 4"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    pad = DigitPad(PARAMS, (TEST[0][:9], TEST[1][:9]), strokes=SLASH)
    [(name, value)] = settings.items()
    before = getattr(pad, name)
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(pad, name, value)
    assert getattr(pad, name) == before


def test_the_still_shows_the_chosen_example():
    pad = DigitPad(PARAMS, (TEST[0][:9], TEST[1][:9]), example=1)
    left, right = pad.still().axes
    shown = np.asarray(left.images[0].get_array())
    np.testing.assert_allclose(shown, pad.image()[:, :, 0])
    heights = [bar.get_height() for bar in right.patches]
    expected = jax.nn.softmax(cnn.lenet(PARAMS, pad.image()[None])[0])
    np.testing.assert_allclose(heights, expected, atol=1e-6)
