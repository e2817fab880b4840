"""How each shipped file becomes a training and a held-out part."""

import csv
import gzip
import hashlib
import io
from collections.abc import Callable
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

_WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "visib"]


class Splits(NamedTuple):
    """A data set in two parts that share no row."""

    train: Any
    test: Any


def image_bytes(file: Traversable) -> dict[str, np.ndarray]:
    """Read x and y of both parts as the bytes that the file holds."""
    with file.open("rb") as stream:
        return dict(np.load(stream))


def to_images(x: np.ndarray, y: np.ndarray):
    """Bytes (n, height, width) to floats in [0, 1] with a channel axis."""
    return jnp.asarray(x[..., None], jnp.float32) / 255, jnp.asarray(y, jnp.int32)


def images(file: Traversable) -> Splits:
    """Read images of one channel and their labels."""
    held = image_bytes(file)
    return Splits(
        to_images(held["x_train"], held["y_train"]),
        to_images(held["x_test"], held["y_test"]),
    )


def novel(file: Traversable, held_out_from: str) -> Splits:
    """Read a text and cut it before the line `held_out_from`."""
    text = _unzip(file)
    cut = text.index(f"\n{held_out_from}\n") + 1
    return Splits(text[:cut], text[cut:])


def weather(file: Traversable, test_part: float = 0.2) -> Splits:
    """Read hours since the first and the measurements; the last part is held out."""
    rows = list(csv.DictReader(io.StringIO(_unzip(file))))
    stamps = np.array([row["time_hour"].rstrip("Z") for row in rows], "datetime64[h]")
    hours = (stamps - stamps[0]).astype(np.int32)
    values = np.array([[row[name] or "nan" for name in _WEATHER] for row in rows])
    values = _carry_forward(values.astype(np.float32))
    cut = len(rows) - round(test_part * len(rows))
    return Splits((hours[:cut], values[:cut]), (hours[cut:], values[cut:]))


def sentences(
    file: Traversable, to_label: Callable[[str], int | None], held_out: int = 2000
) -> Splits:
    """Read rows of a label and a text; rows whose label is None are left out."""
    found = {}
    for first, text in _table(file):
        label = to_label(first)
        if label is not None:
            found.setdefault(text, label)
    chosen = _held_out(found, held_out)

    def part(held):
        kept = [text for text in found if (text in chosen) == held]
        return tuple(kept), np.array([found[text] for text in kept], np.int32)

    return Splits(part(False), part(True))


def pairs(file: Traversable, held_out: int = 500) -> Splits:
    """Read rows of two texts; no text of the held-out part is in the training part."""
    rows = list(dict.fromkeys((one, two) for one, two in _table(file)))
    chosen = _held_out([one for one, _ in rows], held_out)
    others = {two for one, two in rows if one in chosen}
    test = [row for row in rows if row[0] in chosen]
    train = [row for row in rows if row[0] not in chosen and row[1] not in others]
    return Splits(*(tuple(zip(*part, strict=True)) for part in (train, test)))


def sign_of_score(score: str) -> int | None:
    """1 for a positive score, 0 for a negative one, None for neither."""
    return None if float(score) == 0 else int(float(score) > 0)


def _held_out(texts, count):
    """Choose by hash: the choice depends on no generator and on no order."""
    return set(sorted(set(texts), key=_hash)[:count])


def _hash(text):
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _carry_forward(values):
    """Put the last known value where one is missing."""
    known = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    return np.take_along_axis(values, np.maximum.accumulate(known), axis=0)


def _table(file):
    """Split a tab-separated file into rows, less its head."""
    return [line.split("\t") for line in _unzip(file).splitlines()[1:]]


def _unzip(file):
    return gzip.decompress(file.read_bytes()).decode("utf-8")
