"""Readers against small files written here: every rule of a split, row by row."""

import gzip
import hashlib

import jax.numpy as jnp
import numpy as np
import pytest

from lessons import _readers


def zipped(path, text):
    """Write a text as the package ships texts."""
    path.write_bytes(gzip.compress(text.encode("utf-8")))
    return path


def first_by_hash(texts, count):
    """Choose as the readers promise: the lowest BLAKE2b hashes of 16 bytes."""

    def digest(text):
        return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()

    return sorted(set(texts), key=digest)[:count]


def test_images_become_floats_with_a_channel(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (5, 3, 4), np.uint8),
        "y_train": np.arange(5, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (2, 3, 4), np.uint8),
        "y_test": np.array([9, 1], np.uint8),
    }
    arrays["x_train"][0, 0, :2] = 0, 255
    np.savez(tmp_path / "a.npz", **arrays)
    held = _readers.image_bytes(tmp_path / "a.npz")
    assert held.keys() == arrays.keys()
    assert all((held[name] == arrays[name]).all() for name in arrays)
    splits = _readers.images(tmp_path / "a.npz")
    for name in ("train", "test"):
        x, y = getattr(splits, name)
        assert (x.dtype, y.dtype) == (jnp.float32, jnp.int32)
        want = arrays[f"x_{name}"][..., None] / 255
        assert x.shape == want.shape
        np.testing.assert_allclose(x, want, atol=1e-7)
        np.testing.assert_array_equal(y, arrays[f"y_{name}"])
    black, white = splits.train[0][0, 0, :2, 0].tolist()
    assert black == 0 and 1 - 1e-7 < white <= 1, "on a GPU white is 0.99999994"


def test_a_novel_is_cut_before_a_line(tmp_path):
    text = "Chapter 10 begins\n\nChapter 1\nOne.\n\nChapter 10\nTen, é.\n"
    train, test = _readers.novel(zipped(tmp_path / "n", text), "Chapter 10")
    assert train == "Chapter 10 begins\n\nChapter 1\nOne.\n\n"
    assert test == "Chapter 10\nTen, é.\n"


HEAD = "station,time_hour,wind_speed,dewp,temp,visib,humid,precip"
ROWS = [
    "JFK,2013-01-01T06:00:00Z,1,2,3,4,5,6",
    "JFK,2013-01-01T07:00:00Z,,2.5,,4.5,,6.5",
    "JFK,2013-01-01T09:00:00Z,,,30,,50,",
    "JFK,2013-01-02T06:00:00Z,11,22,,44,,66",
    "JFK,2013-01-02T07:00:00Z,12,23,34,45,56,67",
]
HOURS = [0, 1, 3, 24, 25]
#          temp dewp humid wind precip visib
VALUES = [
    [3, 2, 5, 1, 6, 4],
    [3, 2.5, 5, 1, 6.5, 4.5],
    [30, 2.5, 50, 1, 6.5, 4.5],
    [30, 22, 50, 11, 66, 44],
    [34, 23, 56, 12, 67, 45],
]


@pytest.mark.parametrize(
    ("options", "held_out"),
    [({}, 1), ({"test_part": 0.4}, 2), ({"test_part": 0.5}, 2)],
)
def test_weather_in_order_with_gaps_filled_from_before(tmp_path, options, held_out):
    file = zipped(tmp_path / "w", "\n".join([HEAD, *ROWS]) + "\n")
    (hours, values), (late, values_late) = _readers.weather(file, **options)
    assert len(late) == len(values_late) == held_out
    assert hours.dtype == late.dtype == np.int32
    assert values.dtype == values_late.dtype == np.float32
    assert [*hours, *late] == HOURS
    np.testing.assert_array_equal(np.concatenate([values, values_late]), VALUES)


def test_weather_columns_are_filled_each_on_its_own(tmp_path):
    rows = [ROWS[0], *(f"JFK,2013-01-01T{7 + i:02}:00:00Z,,,{i},,," for i in range(4))]
    file = zipped(tmp_path / "w", "\n".join([HEAD, *rows]))
    values = np.concatenate([part[1] for part in _readers.weather(file)])
    np.testing.assert_array_equal(values[:, 0], [3, 0, 1, 2, 3])
    np.testing.assert_array_equal(values[:, 1:], [VALUES[0][1:]] * 5)


SENTENCES = [f"{i % 3 - 1}.0\ttext {i}" for i in range(30)]


@pytest.mark.parametrize("count", [0, 1, 7])
def test_sentences_are_held_out_by_hash(tmp_path, count):
    # A second line of the same text does not count, whatever its label.
    lines = ["score\ttext", *SENTENCES, "1\ttext 0", "-1\ttext 2"]
    file = zipped(tmp_path / "s", "\n".join(lines) + "\n")
    train, test = _readers.sentences(file, _readers.sign_of_score, count)
    label = {f"text {i}": i % 3 // 2 for i in range(30) if i % 3 != 1} | {"text 0": 0}
    chosen = first_by_hash(label, count)
    assert test[0] == tuple(text for text in label if text in chosen)
    assert train[0] == tuple(text for text in label if text not in chosen)
    assert len(test[0]) == count
    for texts, y in (train, test):
        assert y.dtype == np.int32
        assert y.tolist() == [label[text] for text in texts]


def test_sentences_hold_out_2000_and_pairs_500(tmp_path):
    lines = [f"1\t{i}" for i in range(2100)]
    file = zipped(tmp_path / "s", "\n".join(["label\ttext", *lines]))
    assert [len(y) for _, y in _readers.sentences(file, int)] == [100, 2000]
    lines = [f"{i}\t{-i}" for i in range(520)]
    file = zipped(tmp_path / "p", "\n".join(["one\ttwo", *lines]))
    assert [len(part[0]) for part in _readers.pairs(file)] == [20, 500]


def test_the_same_texts_are_held_out_in_any_order(tmp_path):
    files = [
        zipped(tmp_path / str(step), "\n".join(["s\tt", *SENTENCES[::step]]))
        for step in (1, -1)
    ]
    one, two = (_readers.sentences(f, _readers.sign_of_score, 5).test for f in files)
    assert one[0] == two[0][::-1]


def test_pairs_share_no_text_on_either_side(tmp_path):
    rows = [(f"one {i}", f"two {i}") for i in range(12)]
    held = first_by_hash([one for one, _ in rows], 3)
    place = int(held[0].split()[1])
    rows += [
        ("stray", f"two {place}"),  # its other side is held out
        (f"one {place}", "second"),  # held out with its first text
        ("fresh", "second"),  # held out on the other side by the line above
        rows[(place + 1) % 12],  # a row twice
    ]
    held = first_by_hash([one for one, _ in rows], 3)
    lines = ["english\tspanish", *("\t".join(row) for row in rows)]
    file = zipped(tmp_path / "p", "\n".join(lines))
    train, test = _readers.pairs(file, 3)
    unique = list(dict.fromkeys(rows))
    others = {two for one, two in unique if one in held}
    kept = [row for row in unique if row[0] not in held and row[1] not in others]
    assert list(zip(*test, strict=True)) == [row for row in unique if row[0] in held]
    assert list(zip(*train, strict=True)) == kept
    assert len(kept) < len(unique) - len(test[0])
    assert isinstance(train, tuple)


@pytest.mark.parametrize(
    ("score", "label"),
    [("0", None), ("-0.0", None), ("0.0", None), ("0.1", 1), ("3", 1), ("-2.5", 0)],
)
def test_sign_of_score(score, label):
    assert _readers.sign_of_score(score) is label
