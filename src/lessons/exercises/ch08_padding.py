"""Practice checks of chapter 08: sequences of different lengths in one batch."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from lessons import losses, masks
from lessons.exercises.base import Trial, exercise
from lessons.exercises.plain import Source, shape_of, stacked, to_answer

STEP = Source(
    "lambda h, x: jnp.tanh(0.7 * h[:, ::-1] + x @ (jnp.arange(6.0).reshape(2, 3) - 2))"
)


@exercise(
    "08.masked",
    "last_states",
    hints={
        "padding": "Shorter sequences went on reading: padding reached the state.",
        "zero": "A state that is set to 0 does not stand still. Keep the old one.",
        "off_by_one": "A sequence of length n has the steps 0 to n - 1.",
        "start": "The state before the first step is `start`, not 0.",
        "times": "0 times infinity is no number. Choose with `jnp.where`.",
        "value": "Compare with each sequence read alone, cut to its own length.",
    },
)
def masked(t: Trial) -> None:
    """Read a padded batch so that each state stands still after its end."""
    lengths, start = np.array([6, 3, 1, 0]), t.normal(4, 3)
    real = np.arange(6) < lengths[:, None]
    x = np.where(real[:, :, None], t.normal(4, 6, 2), 0).astype(np.float32)
    step = to_answer(STEP)

    def alone(lengths, start=start):
        """Return the last state of each sequence, read by itself."""
        h = jnp.asarray(start)
        for i, length in enumerate(lengths):
            for j in range(length):
                h = h.at[i].set(step(h[i : i + 1], x[i : i + 1, j])[0])
        return np.asarray(h)

    right = alone(lengths)
    wrong = {
        "padding": alone([6] * 4),
        "zero": np.where(lengths[:, None] == 6, right, 0),
        "off_by_one": alone([6, 4, 2, 1]),
        "start": alone(lengths, 0 * start),
    }
    on = f"lengths = {lengths}, padded to 6 steps"
    got = t.call("last_states", STEP, start, x, lengths)
    t.equal("zeros as padding", got, right, mistakes=wrong, otherwise="value", on=on)
    full = np.where(real[:, :, None], x, np.inf).astype(np.float32)
    got = t.call("last_states", STEP, start, full, lengths)
    t.equal("infinity as padding", got, right, otherwise="times", on=on)


@exercise(
    "08.bits",
    "bits_per_character",
    hints={
        "nats": "Those are nats. A bit is the logarithm to base 2.",
        "no_shift": "Scores at step t are for the character at step t + 1.",
        "padding": "The padding behind the shorter texts is counted.",
        "mask_shift": "Each text counts one character too many: the predicted one must "
        "be real.",
        "by_number": "A character may have the number 0: `lengths` says what is real.",
        "each_text": "Every character counts alike, not every text.",
        "perplexity": "That is 2 to the power of the bits.",
        "sign": "Bits are positive: a logarithm of a probability is not.",
        "overflow": "exp(1000) is infinite, and a p that is rounded to 0 has no "
        "logarithm. Take log p from the scores, without p in between.",
        "value": "Take the scores of steps 0 to T - 2 and the characters 1 to T - 1.",
    },
    forbidden=(
        "lessons.losses.cross_entropy",
        "optax.softmax_cross_entropy",
        "optax.softmax_cross_entropy_with_integer_labels",
        "optax.losses.softmax_cross_entropy",
        "optax.losses.softmax_cross_entropy_with_integer_labels",
    ),
)
def bits(t: Trial) -> None:
    """Measure a text model in bits for each real character that it predicts."""
    lengths, logits = np.array([6, 4, 2]), t.normal(3, 6, 5)
    real = np.asarray(masks.length_mask(lengths, 6))
    ids = np.where(real, t.rng.integers(1, 5, (3, 6)), 0)
    ids[0, 2] = 0  # a real character may have the number of the filler
    on = f"logits of shape (3, 6, 5), lengths = {lengths}, ids = {ids.tolist()}"
    each = np.asarray(losses.cross_entropy(logits[:, :-1], ids[:, 1:])) / np.log(2)
    right = each[real[:, 1:]].mean()
    own = np.asarray(losses.cross_entropy(logits, ids)) / np.log(2)
    wrong = {
        "nats": right * np.log(2),
        "no_shift": own[real].mean(),
        "padding": each.mean(),
        "mask_shift": each[real[:, :-1]].mean(),
        "by_number": each[ids[:, 1:] != 0].mean(),
        "each_text": np.mean([each[i, : n - 1].mean() for i, n in enumerate(lengths)]),
        "perplexity": 2**right,
        "sign": -right,
    }
    got = t.call("bits_per_character", logits, ids, lengths)
    t.equal("three texts", got, right, mistakes=wrong, otherwise="value", on=on)
    logits = logits * np.float32(1000)
    each = np.asarray(losses.cross_entropy(logits[:, :-1], ids[:, 1:])) / np.log(2)
    got = t.call("bits_per_character", logits, ids, lengths)
    right = each[real[:, 1:]].mean()
    t.equal("scores of thousands", got, right, otherwise="overflow", on=on)


@exercise(
    "08.clinic",
    "summary",
    hints={
        "last": "For most rows the last step of the array is padding.",
        "off_by_one": "A sequence of length n ends at step n - 1.",
        "zero": "The shorter rows answer 0: the step that is read is still padding.",
        "mean_all": "Padding is still in the mean.",
        "divided": "Divide by the number of real steps, not by all steps.",
        "max_all": "Padding is still in the maximum.",
        "max_zero": "Where all real outputs are negative, you answer with the filler.",
        "times": "0 times infinity is no number. Choose with `jnp.where`.",
        "value": "A sequence alone, without padding, must give the same three parts.",
    },
)
def clinic(t: Trial) -> None:
    """Repair what reads an answer from the padding, bug clinic B12."""
    lengths, outputs = np.array([5, 3, 1, 2]), t.normal(4, 5, 3)
    outputs[..., 0] = -np.abs(outputs[..., 0])
    real = (np.arange(5) < lengths[:, None])[..., None]
    outputs = np.where(real, outputs, np.abs(outputs) + 0.5)
    alone = [row[:length] for row, length in zip(outputs, lengths, strict=True)]
    filled = np.where(real, outputs, 0)
    following = np.minimum(lengths, 4)
    parts = {
        "the last state": [row[-1] for row in alone],
        "the mean": [row.mean(0) for row in alone],
        "the largest": [row.max(0) for row in alone],
    }
    wrong = {
        "last": outputs[:, -1],
        "off_by_one": outputs[range(4), following],
        "zero": filled[:, -1],
        "mean_all": outputs.mean(1),
        "divided": filled.mean(1),
        "max_all": outputs.max(1),
        "max_zero": filled.max(1),
    }
    got = t.call("summary", outputs, lengths)
    right = np.concatenate([np.stack(part) for part in parts.values()], axis=-1)
    got = stacked(got) if isinstance(got, list) else got
    if shape_of(got) != right.shape:
        t.equal("the shape", got, right)
        return
    on = f"lengths = {lengths}, padded to 5 steps"
    for (what, part), yours in zip(parts.items(), np.split(got, 3, -1), strict=True):
        t.equal(what, yours, np.stack(part), mistakes=wrong, otherwise="value", on=on)
    bad = np.where(real, outputs, np.inf).astype(np.float32)
    got = t.call("summary", bad, lengths)
    t.equal("infinity as padding", got, right, otherwise="times", on=on)
