"""Practice checks of chapter 08: recurrent networks."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from lessons import activations, losses, masks, rnn
from lessons.exercises.bans import DIFFERENTIATION
from lessons.exercises.base import Trial, exercise
from lessons.exercises.local import numbers
from lessons.exercises.plain import Source, shape_of, stacked, to_answer

CELLS = ("lessons.rnn.rnn", "lessons.rnn.lstm", "lessons.rnn.gru")
STEP = Source(
    "lambda h, x: jnp.tanh(0.7 * h[:, ::-1] + x @ (jnp.arange(6.0).reshape(2, 3) - 2))"
)


@exercise(
    "08.sizes",
    "rnn_size",
    "lstm_size",
    "gru_size",
    hints={
        "biases": "Every unit has a bias in every gate. Count the biases too.",
        "recurrent": "The state is multiplied by a matrix, width by width.",
        "three_gates": "The candidate has weights of its own, beside the three gates.",
        "hidden_bias": "The candidate of our GRU has a second bias, of its own.",
        "two_biases": "That has two biases a gate, as PyTorch. Our LSTM has one.",
        "value": "Write down the shapes of w_x, w_h and b, and multiply them out.",
    },
)
def sizes(t: Trial) -> None:
    """Recall how many parameters the three layers have."""
    d = int(numbers("08.features", t.variant, low=3, high=12))
    w = int(numbers("08.width", t.variant, low=20, high=90))
    gate = d * w + w**2 + w
    exact = {"otherwise": "value", "rtol": 0, "atol": 0.5}
    wrong = {"biases": gate - w, "recurrent": d * w + 2 * w}
    t.equal("the plain layer", t.value("rnn_size"), gate, mistakes=wrong, **exact)
    wrong = {
        "three_gates": 3 * gate,
        "two_biases": 4 * (gate + w),
        "biases": 4 * (gate - w),
        "recurrent": 4 * (d * w + 2 * w),
    }
    t.equal("the LSTM", t.value("lstm_size"), 4 * gate, mistakes=wrong, **exact)
    wrong = {
        "hidden_bias": 3 * gate,
        "biases": 3 * (gate - w),
        "recurrent": 3 * (d * w + 2 * w) + w,
    }
    t.equal("the GRU", t.value("gru_size"), 3 * gate + w, mistakes=wrong, **exact)


@exercise(
    "08.gru",
    "gru_step",
    hints={
        "after": "You reset the product. Here the state is reset before the product.",
        "swapped": "Here u near 1 takes the new and u near 0 keeps the old.",
        "no_reset": "The candidate sees the whole old state: where is r?",
        "order": "The gates stand in the order reset, update, candidate.",
        "candidate": "The candidate passes through tanh, not through the sigmoid.",
        "value": "Follow the four lines one by one; each has the shape (B, width).",
    },
    forbidden=CELLS,
)
def gru(t: Trial) -> None:
    """Write one step of the GRU as the first paper has it."""
    p = {"w_x": t.normal(2, 3, 4), "w_h": t.normal(4, 3, 4), "b": t.normal(3, 4)}
    h, x = t.normal(5, 4), t.normal(5, 2)
    from_x = np.einsum("bd,dkw->kbw", x, p["w_x"]) + p["b"][:, None]
    from_h = np.einsum("bd,dkw->kbw", h, p["w_h"])
    r, u, as_gate = np.asarray(activations.sigmoid(from_x + from_h))

    def candidate(state):
        """Return a plain layer's step, from a given state."""
        weights = {"w_x": p["w_x"][:, 2], "w_h": p["w_h"][:, 2], "b": p["b"][2]}
        return np.asarray(rnn.rnn(weights, x[:, None], state=state)[1])

    def mixed(n, share=u):
        return h + share * (n - h)

    n = candidate(r * h)
    wrong = {
        "after": mixed(np.tanh(from_x[2] + r * from_h[2])),
        "swapped": mixed(n, 1 - u),
        "no_reset": mixed(candidate(h)),
        "order": mixed(candidate(u * h), r),
        "candidate": mixed(as_gate),
    }
    got = t.call("gru_step", p, h, x)
    t.equal("the new state", got, mixed(n), mistakes=wrong, otherwise="value")


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
        "overflow": "exp(1000) is infinite. Subtract the largest score first.",
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
    "08.backward",
    "lstm_backward",
    hints={
        "names": "Return a dictionary with z_i, z_f, z_g, z_o and c_old.",
        "of_old": "The cell shows tanh of the new memory, not of the old one.",
        "no_d_c": "What comes from the next step by way of the memory is missing.",
        "no_tanh": "On its way from h to c the gradient passes tanh.",
        "road": "On the road to the old memory stands the forget gate.",
        "of_new": "What the forget gate multiplies is the old memory.",
        "gates": "That is the slope by the gate. Multiply by the gate's own slope.",
        "as_sigmoid": "The candidate is a tanh: its slope is 1 - g².",
        "value": "First find the whole slope by c, from both h and the next step.",
    },
    forbidden=DIFFERENTIATION,
)
def backward(t: Trial) -> None:
    """Derive the slopes of one LSTM step."""
    z = dict(zip("ifgo", t.normal(4, 3, 5), strict=True))
    gates = {k: np.asarray(activations.sigmoid(v)) for k, v in z.items()}
    gates["g"] = np.tanh(z["g"])
    c_old, d_h, d_c = t.normal(3, 3, 5)
    right = pulled(z, c_old, d_h, d_c)
    i, f, g, o = (gates[k] for k in "ifgo")
    c = f * c_old + i * g
    total = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    slopes = {"i": i * (1 - i), "f": f * (1 - f), "g": 1 - g**2, "o": o * (1 - o)}
    known = {
        "of_old": {"z_o": d_h * np.tanh(c_old) * slopes["o"]},
        "no_d_c": pulled(z, c_old, d_h, 0 * d_c),
        "no_tanh": {k: v / total * (d_c + d_h * o) for k, v in right.items()},
        "road": {"c_old": total},
        "of_new": {"z_f": total * c * slopes["f"]},
        "gates": {f"z_{k}": right[f"z_{k}"] / slopes[k] for k in "ifgo"},
        "as_sigmoid": {"z_g": right["z_g"] / slopes["g"] * g * (1 - g)},
    }
    got = t.call("lstm_backward", gates, c_old, d_h, d_c)
    whole = isinstance(got, dict) and got.keys() == right.keys()
    t.true("five names", whole, hint="names")
    for name in ("z_o", "c_old", "z_f", "z_i", "z_g") if whole else ():
        wrong = {hint: slope[name] for hint, slope in known.items() if name in slope}
        what = f"the slope by {name}"
        t.equal(what, got[name], right[name], mistakes=wrong, otherwise="value")


def pulled(z: dict, c_old, d_h, d_c) -> dict:
    """Pull slopes back through one step of an LSTM with `jax.vjp`."""

    def step(z, c_old):
        s = {k: activations.sigmoid(v) for k, v in z.items()}
        c = s["f"] * c_old + s["i"] * jnp.tanh(z["g"])
        return s["o"] * jnp.tanh(c), c

    by_z, by_c = jax.vjp(step, z, jnp.asarray(c_old))[1]((d_h, d_c))
    return {f"z_{k}": np.asarray(v) for k, v in by_z.items()} | {"c_old": by_c}


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


@exercise(
    "08.truncated",
    "truncated_loss",
    hints={
        "reset": "The state is lost between two pieces. Cut the gradient alone.",
        "dropped": "The last piece may be shorter than the others: read it too.",
        "sum": "The loss is the mean over examples, steps and units.",
        "no_cut": "The gradient still reaches back beyond the start of a piece.",
        "every_step": "Inside a piece the gradient must pass: you cut at every step.",
        "loss": "The cut changes no value: the loss is that of one long read.",
        "value": "Each error reaches back to the first step of its piece, not beyond.",
    },
)
def truncated(t: Trial) -> None:
    """Cut the gradient at the start of every piece."""
    p = {"w_x": t.normal(2, 3), "w_h": t.normal(3, 3), "b": t.normal(3)}
    x, y, on = t.normal(2, 5, 2), t.normal(2, 5, 3), "5 steps in pieces of 2"
    states = np.pad(rnn.rnn(p, x)[0], ((0, 0), (1, 0), (0, 0)))
    read = functools.partial(in_pieces, x=x, y=y)
    errors = (states[:, 1:] - y) ** 2
    wrong = {
        "reset": read(p, 0 * states, starts=(0, 2, 4)),
        "dropped": errors[:, :4].mean(),
        "sum": errors.sum(),
    }
    got = t.call("truncated_loss", p, x, y, 2)
    t.equal("the loss", got, errors.mean(), mistakes=wrong, otherwise="loss", on=on)
    slopes = functools.partial(jax.grad(read), p, states)
    cuts = {"no_cut": [0], "every_step": range(5), "right": [0, 2, 4]}
    wrong = {name: slopes(starts=starts) for name, starts in cuts.items()}
    got, right = t.call("truncated_loss", p, x, y, 2, transform="grad"), wrong["right"]
    t.equal("the gradient", got, right, mistakes=wrong, otherwise="value", on=on)


def in_pieces(p, states, *, x, y, starts):
    """Return the mean error when the state before each piece is a given number."""
    error = 0.0
    for a, b in itertools.pairwise([*starts, x.shape[1]]):
        h = states[:, a]
        for i in range(a, b):
            h = jnp.tanh(x[:, i] @ p["w_x"] + h @ p["w_h"] + p["b"])
            error += jnp.sum((h - y[:, i]) ** 2)
    return error / y.size
