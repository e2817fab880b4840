"""Practice checks of chapter 09: whole models."""

from __future__ import annotations

import jax
import numpy as np

from lessons import attention, counts, dnn, transformer
from lessons.exercises.base import Trial, exercise
from lessons.exercises.plain import Key, shape_of
from lessons.masks import length_mask

EXACT = {"otherwise": "value", "rtol": 0, "atol": 0.5}
BLOCK = jax.jit(transformer.block)


@exercise(
    "09.clinic",
    "start",
    "classify",
    hints={
        "table": "The table has one row a word, and the rows are d_model wide.",
        "block": "The block works on vectors of width d_model.",
        "out": "The last layer takes a vector of width d_model and scores the classes.",
        "per_word": "One answer a text: on the way the axis of time must disappear.",
        "positions": "The order of the words makes no difference: where are positions?",
        "seen": "Words look at the padding. Which mask has the shape (B, 1, 1, T)?",
        "mean_all": "Padding is still in the mean over time.",
        "first": "Take the mean over all real positions, not the first position alone.",
        "scaled": "Here the rows of the table are not scaled.",
        "value": "A text alone, without padding, must get the same answer.",
    },
)
def clinic(t: Trial) -> None:
    """Repair the transformer that is none, bug clinic B7."""
    made = t.call("start", Key(0), 50, 8, 2, 3)
    t.true("the table", shape_at(made, "table") == (50, 8), hint="table")
    inside = [
        shape_at(made, "block", "attention", "w_q") == (8, 2, 4),
        shape_at(made, "block", "feed_forward", "up", "w") == (8, 32),
    ]
    t.true("the block", all(inside), hint="block")
    t.true("the last layer", shape_at(made, "out", "w") == (8, 3), hint="out")
    params = weights(t)
    lengths = np.array([5, 3, 1])
    ids = np.where(np.arange(5) < lengths[:, None], t.rng.integers(1, 20, (3, 5)), 0)
    got = t.call("classify", params, ids, lengths)
    on = f"ids = {ids.tolist()}, lengths = {lengths}"
    if not t.true("one answer a text", shape_of(got) == (3, 3), hint="per_word", on=on):
        return
    all_of_it = np.full(3, 5)

    def answer(seen=lengths, lengths=lengths, scale=1.0, places=1.0):
        """Return the answers when attention and the mean see so much of each text."""
        h = params["table"][ids] * scale + places * attention.sinusoidal(5, 8)
        h = BLOCK(params["block"], h, length_mask(seen, 5)[:, None, None])
        real = np.asarray(length_mask(lengths, 5))[..., None]
        mean = (np.asarray(h) * real).sum(1) / real.sum(1)
        return mean @ params["out"]["w"] + params["out"]["b"]

    wrong = {
        "positions": answer(places=0.0),
        "seen": answer(seen=all_of_it),
        "mean_all": answer(lengths=all_of_it),
        "first": answer(lengths=np.ones(3, int)),
        "scaled": answer(scale=np.float32(np.sqrt(8))),
    }
    t.equal("the answers", got, answer(), mistakes=wrong, otherwise="value", on=on)


def shape_at(tree: object, *path: str) -> object:
    """Return the shape of an array in a tree, or None where there is none."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return shape_of(tree)


def weights(t: Trial) -> dict:
    """Draw a classifier's parameters, its biases off zero; nothing is compiled."""

    def make(key):
        inside = transformer.block_init(key, 8, 2, 32)
        return {"block": inside, "out": dnn.dense_init(key, 8, 3)}

    shapes = jax.eval_shape(make, jax.random.key(0))
    drawn = jax.tree.map(lambda leaf: 0.7 * t.normal(*leaf.shape), shapes)
    return drawn | {"table": t.normal(20, 8)}


@exercise(
    "09.count",
    "parameters",
    "crossing",
    hints={
        "biases": "This model has no biases, neither in attention nor elsewhere.",
        "shift": "RMS norm has a scale and no shift.",
        "tied": "Reading and scoring have a table each.",
        "last_norm": "After the last block stands one more norm.",
        "one_norm": "A block has two norms.",
        "four": "The feed-forward part is d_hidden wide, not four times the width.",
        "places": "The table of positions has parameters too.",
        "value": "Make a list of all arrays with their shapes, and add up their sizes.",
        "six": "That is for a feed-forward part of 4 D. Here it is d_hidden wide.",
        "half": "The token looks twice: for the scores, and for the sum of the values.",
        "single": "A weight costs two operations: a multiplication and an addition.",
        "crossing": "Set 4 T D equal to two operations for each weight of a block.",
    },
)
def count(t: Trial) -> None:
    """Count the parameters of another make of transformer."""
    v, d, layers, m, n = 40, 6, 3, int(t.rng.integers(7, 23)), 11

    def counted(norm=d, bias=0, tables=2, places=n, hidden=m, last=1, inner=2):
        arrays = {
            "tables": np.zeros((tables * v + places, d)),
            "norms": np.zeros((layers * inner + last, norm)),
            "attention": np.zeros((layers, 4, d + bias, d)),
            "up": np.zeros((layers, d + bias, hidden)),
            "down": np.zeros((layers, hidden + bias, d)),
        }
        return counts.parameter_count(arrays)

    wrong = {
        "biases": counted(bias=1),
        "shift": counted(norm=2 * d),
        "tied": counted(tables=1),
        "last_norm": counted(last=0),
        "one_norm": counted(inner=1),
        "four": counted(hidden=4 * d),
        "places": counted(places=0),
    }
    on = f"vocabulary {v}, d_model {d}, layers {layers}, d_hidden {m}, positions {n}"
    got = t.call("parameters", v, d, layers, m, n)
    t.equal("the parameters", got, counted(), mistakes=wrong, on=on, **EXACT)
    # The lengths at which looking costs more than two operations a weight.
    lengths = np.arange(1, 200)
    dearer = 4 * lengths * d >= 2 * (4 * d**2 + 2 * d * m)
    wrong = {"six": 6 * d, "half": 2 * (2 * d + m), "single": (2 * d + m) / 2}
    got, right = t.call("crossing", d, m), lengths[dearer].min()
    on = f"d_model {d}, d_hidden {m}"
    how = EXACT | {"otherwise": "crossing", "atol": 0.1}
    t.equal("the length", got, right, mistakes=wrong, on=on, **how)
