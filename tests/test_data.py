"""Data sets by name, their parts and batches."""

import hashlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons import data

TOYS = ["line", "diagonal", "xor", "moons", "circles", "spirals"]
TEXTS = ["pride_and_prejudice", "jfk_weather"]
TEXTS += ["sentiment_en", "sentiment_zh", "verses_en_es"]
SHIPPED = ["mnist", "fashion_mnist", *TEXTS]
KEY = jax.random.key(7)


@pytest.fixture(scope="module")
def mnist():
    return data.load("mnist")


# Loading

# White is 1, or on a GPU, whose division rounds otherwise, 0.99999994.
NEAR = 1e-7


def test_mnist_parts(mnist):
    for (x, y), n in zip(mnist, (8000, 2000), strict=True):
        assert (x.shape, x.dtype) == ((n, 28, 28, 1), jnp.float32)
        assert (y.shape, y.dtype) == ((n,), jnp.int32)
        assert float(x.min()) == 0
        assert 1 - NEAR < float(x.max()) <= 1
        assert np.bincount(y).min() > 0.08 * n
        assert set(y.tolist()) == set(range(10))
    assert mnist.train is mnist[0]
    assert mnist.test is mnist[1]


def test_mnist_parts_share_no_image(mnist):
    assert data.overlap(mnist.train[0], mnist.test[0]) == 0


def test_mnist_is_the_file(mnist):
    file = np.load(pathlib.Path(data.__file__).parent / "datasets/mnist_10k.npz")
    for part in ("train", "test"):
        x, y = getattr(mnist, part)
        np.testing.assert_array_equal(
            np.round(np.asarray(x)[..., 0] * 255), file[f"x_{part}"]
        )
        np.testing.assert_array_equal(y, file[f"y_{part}"])


def test_notes_beside_the_file_hold():
    folder = pathlib.Path(data.__file__).parent / "datasets"
    files = {path.name for path in folder.iterdir() if path.suffix != ".about"}
    assert {path.stem for path in folder.glob("*.about")} == files
    for name in files:
        note = (folder / f"{name}.about").read_text("utf-8")
        fields = dict(line.split(": ", 1) for line in note.splitlines())
        assert fields["file"] == name
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == fields["sha256"]


def test_fashion_mnist():
    train, test = data.load("fashion_mnist")
    for (x, y), n in ((train, 8000), (test, 2000)):
        assert (x.shape, x.dtype) == ((n, 28, 28, 1), jnp.float32)
        assert float(x.min()) == 0
        assert 1 - NEAR < float(x.max()) <= 1
        assert (y.shape, y.dtype) == ((n,), jnp.int32)
        assert np.bincount(y, minlength=10).min() > 0.08 * n
    assert data.overlap(train[0], test[0]) == 0


def test_pride_and_prejudice_is_cut_at_a_chapter():
    train, test = data.load("pride_and_prejudice")
    assert train.startswith("PRIDE AND PREJUDICE\n\nBy Jane Austen\n")
    assert test.startswith("Chapter 56\n")
    assert train.endswith("\n")
    assert train.count("\nChapter ") == 55
    assert test.count("\nChapter ") == 5
    assert len(test) / len(train + test) == pytest.approx(0.1, abs=0.002)


def test_jfk_weather_is_in_order_and_whole():
    (hours, values), (late, values_late) = data.load("jfk_weather")
    assert len(hours) == len(values) == 6965
    assert len(late) == len(values_late) == 1741
    assert hours.dtype == np.int32
    assert values.dtype == np.float32
    every = np.concatenate([hours, late])
    assert (every[0], every[-1]) == (0, 8729)
    assert (np.diff(every) > 0).all()
    assert values.shape[1:] == values_late.shape[1:] == (6,)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values[0], [39.02, 26.06, 59.37, 12.65858, 0, 10])
    # Means over the year, from the file: column by column in the order promised.
    means = np.concatenate([values, values_late]).mean(axis=0)
    expected = [54.472, 41.857, 65.205, 11.467, 0.003985, 9.178]
    np.testing.assert_allclose(means, expected, rtol=1e-3)


@pytest.mark.parametrize(
    "name, rows, praise", [("sentiment_en", 10566, 0.496), ("sentiment_zh", 10000, 0.5)]
)
def test_sentiment(name, rows, praise):
    (texts, y), (texts_test, y_test) = data.load(name)
    assert isinstance(texts, tuple)
    assert (len(texts), len(texts_test)) == (rows - 2000, 2000)
    assert len(set(texts) | set(texts_test)) == rows
    for part, labels in ((texts, y), (texts_test, y_test)):
        assert labels.shape == (len(part),)
        assert labels.dtype == np.int32
        assert set(labels.tolist()) == {0, 1}
        assert labels.mean() == pytest.approx(praise, abs=0.02)
    assert texts == data.load(name).train[0]


def test_sentiment_labels_belong_to_their_texts():
    (texts, y), (texts_test, y_test) = data.load("sentiment_en")
    found = dict(zip(texts + texts_test, np.concatenate([y, y_test]), strict=True))
    assert found["Effective but too tepid biopic"] == 0
    assert found["This is a film well worth seeing, talking and singing heads and all."]
    texts, y = data.load("sentiment_zh").train
    good = [label for text, label in zip(texts, y, strict=True) if "非常满意" in text]
    assert np.mean(good) > 0.8


def test_verses_share_no_text():
    train, test = data.load("verses_en_es")
    assert (len(train[0]), len(train[1])) == (7434, 7434)
    assert (len(test[0]), len(test[1])) == (500, 500)
    for side in (0, 1):
        assert not set(train[side]) & set(test[side])
    place = train[0].index(
        "The book of the genealogy of Jesus Christ, the son of David, the son of "
        "Abraham."
    )
    assert train[1][place].startswith("LIBRO de la generación de Jesucristo")


def test_a_file_that_is_not_installed_is_named(monkeypatch):
    entry = data._SHIPPED["sentiment_zh"]._replace(file="reviews.tsv.gz")
    monkeypatch.setitem(data._SHIPPED, "sentiment_zh", entry)
    with pytest.raises(FileNotFoundError, match=r"goes without reviews\.tsv\.gz"):
        data.load("sentiment_zh")


@pytest.mark.parametrize("name", SHIPPED[1:])
def test_what_has_no_full_set_says_so(name):
    with pytest.raises(ValueError, match=f"{name} has no full set: what is shipped"):
        data.load(name, full=True)


@pytest.mark.parametrize("name", TOYS)
def test_toys_load(name):
    train, test = data.load(name)
    features = 1 if name == "line" else 2
    for (x, y), n in ((train, 800), (test, 200)):
        assert (x.shape, x.dtype) == ((n, features), jnp.float32)
        assert (y.shape, y.dtype) == ((n,), jnp.int32)
        assert set(y.tolist()) == {0, 1}
    assert data.overlap(train[0], test[0]) == 0
    np.testing.assert_array_equal(data.load(name).train[0], train[0])


@pytest.mark.parametrize(
    "name, noise", [("line", 0.0), ("moons", 0.1), ("circles", 0.05), ("spirals", 0.02)]
)
def test_toys_load_with_their_noise(name, noise):
    x, y = getattr(data, name)(jax.random.key(0), 1000, noise)
    train, test = data.load(name)
    np.testing.assert_array_equal(train[0], x[:800])
    np.testing.assert_array_equal(train[1], y[:800])
    np.testing.assert_array_equal(test[0], x[800:])
    np.testing.assert_array_equal(test[1], y[800:])


def test_names_are_known_and_described():
    assert data.names() == [*SHIPPED, *TOYS]
    for name in data.names():
        about = data.about(name)
        assert all(isinstance(field, str) and field for field in about)
        for field in ("title", "source", "licence", "citation"):
            assert f"{field}: {getattr(about, field)}" in repr(about)
            assert f"{field}: " in str(about)


def test_about_mnist():
    about = data.about("mnist")
    assert "LeCun" in about.citation
    assert "CC BY-SA" in about.licence
    assert "mnist 1.1.0" in about.source
    assert "uint8" in about.conversion
    assert "lessons.data.moons" in data.about("moons").source


@pytest.mark.parametrize("f", [data.load, data.about])
def test_unknown_names_list_the_known(f):
    with pytest.raises(ValueError, match=r"'cifar'.*mnist, .*line, .*spirals"):
        f("cifar")


@pytest.mark.parametrize("name", TOYS)
def test_toys_have_no_full_set(name):
    with pytest.raises(ValueError, match=rf"{name} is generated.*data\.{name}\(key, n"):
        data.load(name, full=True)


def test_everything_public_is_listed():
    assert all(hasattr(data, name) for name in data.__all__)
    assert data.__all__ == sorted(data.__all__)


# Parts and batches


# Few sizes, because each compiles a permutation of its own.
@given(n=st.sampled_from([2, 3, 17]), count=st.integers(1, 16), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_split_is_disjoint_and_complete(n, count, seed):
    count = min(count, n - 1)
    rows = np.arange(n)
    rest, part = data.split(jax.random.key(seed), (rows, -rows), count)
    assert len(part[0]) == count
    assert sorted([*rest[0], *part[0]]) == rows.tolist()
    for x, y in (rest, part):
        np.testing.assert_array_equal(x, -y)


def test_split_fraction_and_key():
    rows = jnp.arange(50)
    rest, part = data.split(KEY, rows, 0.3)
    assert (len(rest), len(part)) == (35, 15)
    np.testing.assert_array_equal(data.split(KEY, rows, 15)[1], part)
    assert not np.array_equal(data.split(jax.random.key(8), rows, 15)[1], part)
    assert not np.array_equal(part, rows[:15])
    assert not np.array_equal(part, rows[-15:])
    assert len(data.split(KEY, rows, 0.25)[1]) == 12  # 12.5 rounds to even


def test_split_draws_every_row_equally_often():
    counts = np.zeros(10)
    for seed in range(300):
        counts[data.split(jax.random.key(seed), np.arange(10), 3)[1]] += 1
    assert counts.sum() == 900
    assert counts.min() > 60 and counts.max() < 120


@pytest.mark.parametrize("count", [1, 5, 12, 33])
def test_split_stratified(count):
    labels = np.repeat([3, 5, 9], [6, 15, 19])
    rows = np.arange(40)
    rest, part = data.split(KEY, (rows, labels), count, stratify=labels)
    assert len(part[0]) == count
    assert sorted([*rest[0], *part[0]]) == rows.tolist()
    for k, size in ((3, 6), (5, 15), (9, 19)):
        assert abs((part[1] == k).sum() - count * size / 40) < 1
    again = data.split(jax.random.key(8), (rows, labels), count, stratify=labels)
    assert not np.array_equal(again[1][0], part[0])


def test_a_stratified_split_sorts_by_class_and_keeps_the_random_order_inside():
    labels = np.asarray(jax.random.randint(jax.random.key(1), (500,), 0, 3))
    order = jax.random.permutation(KEY, 500).tolist()
    ranked = sorted(order, key=lambda row: labels[row])
    picks = sorted(ranked[int((i + 0.5) * 500 / 60)] for i in range(60))
    rest, part = data.split(KEY, np.arange(500), 60, stratify=labels.tolist())
    assert part.tolist() == picks
    assert rest.tolist() == sorted(set(range(500)) - set(picks))


@pytest.mark.parametrize(
    "part, stratify, message",
    [
        (0, None, "both parts to have rows, got 0 of 5"),
        (5, None, "both parts to have rows, got 5 of 5"),
        (-1, None, "both parts to have rows, got -1 of 5"),
        (1.0, None, "both parts to have rows, got 5 of 5"),
        (0.01, None, "both parts to have rows, got 0 of 5"),
        (2, np.zeros(4), r"expected labels of shape \(5,\), got \(4,\)"),
        (2, np.zeros((5, 1)), r"expected labels of shape \(5,\), got \(5, 1\)"),
    ],
)
def test_split_refuses(part, stratify, message):
    with pytest.raises(ValueError, match=message):
        data.split(KEY, np.arange(5), part, stratify)


@pytest.mark.parametrize(
    "f", [lambda d: data.split(KEY, d, 1), lambda d: data.batches(d, 1)]
)
@pytest.mark.parametrize(
    "rows, message",
    [
        (
            (np.ones(3), np.ones(4)),
            r"one leading length, got shapes \[\(3,\), \(4,\)\]",
        ),
        ((np.ones(3), 1.0), r"one leading length, got shapes \[\(3,\), \(\)\]"),
        ((), r"one leading length, got shapes \[\]"),
        ((np.ones((0, 2)),), r"at least one row, got shapes \[\(0, 2\)\]"),
    ],
)
def test_rows_must_match(f, rows, message):
    with pytest.raises(ValueError, match=message):
        f(rows)


@pytest.mark.parametrize("n, size", [(7, 3), (6, 3), (1, 4), (3, 3), (3, 1)])
def test_batches_hold_every_row_once(n, size):
    rows = {"x": jnp.arange(2 * n).reshape(n, 2), "y": jnp.arange(n)}
    plain = list(data.batches(rows, size))
    assert [len(b["y"]) for b in plain] == [min(size, n - i) for i in range(0, n, size)]
    np.testing.assert_array_equal(np.concatenate([b["y"] for b in plain]), rows["y"])
    mixed = list(data.batches(rows, size, KEY))
    order = np.concatenate([b["y"] for b in mixed])
    assert sorted(order.tolist()) == list(range(n))
    np.testing.assert_array_equal(
        np.concatenate([b["x"] for b in mixed]), np.asarray(rows["x"])[order]
    )


def test_batches_shuffle_by_key():
    def order(key):
        return np.concatenate(list(data.batches(np.arange(30), 4, key))).tolist()

    assert order(KEY) == order(KEY) != order(jax.random.key(8))
    assert order(KEY) != list(range(30))


def test_batches_refuse_at_once():
    with pytest.raises(ValueError, match="batch size of at least 1, got 0"):
        data.batches(np.arange(3), 0)


@given(
    a=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    b=st.lists(st.integers(0, 5), min_size=1, max_size=12),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_overlap_counts_rows_of_a(a, b):
    x, y = (np.array(v, np.float32)[:, None] * [[1, 2]] for v in (a, b))
    assert data.overlap(x, y) == sum(value in b for value in a)


def test_overlap_details():
    assert data.overlap(jnp.array([0.0]), jnp.array([-0.0])) == 1
    assert data.overlap(np.array([[1, 2]]), np.array([[2, 1]])) == 0
    assert data.overlap(np.array([[1, 2], [3, 4]]).T, np.array([[1, 3]])) == 1
    with pytest.raises(
        ValueError, match=r"rows alike, got \(1, 2\) int64 and \(1, 3\)"
    ):
        data.overlap(np.ones((1, 2), int), np.ones((1, 3), int))
    with pytest.raises(ValueError, match=r"\(2,\) float32 and \(2,\) float64"):
        data.overlap(np.ones(2, np.float32), np.ones(2))


def test_one_hot():
    labels = np.array([[2, 0], [3, 3], [1, 2]])
    rows = data.one_hot(labels, 5)
    assert (rows.shape, rows.dtype) == ((3, 2, 5), jnp.float32)
    np.testing.assert_array_equal(rows, np.eye(5)[labels])
    np.testing.assert_array_equal(
        jax.jit(data.one_hot, static_argnums=1)(jnp.array([0, 7]), 3),
        [[1, 0, 0], [0, 0, 0]],
    )


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 3], r"labels in 0..2, got \[3\]"),
        ([0, -1], r"labels in 0..2, got \[-1\]"),
        ([0.0, 1.0], "integer labels, got float"),
    ],
)
def test_one_hot_refuses(labels, message):
    with pytest.raises(ValueError, match=message):
        data.one_hot(np.array(labels), 3)
