"""Practice checks of chapter 09: attention and the transformer.

Those of whole models stand apart.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from lessons import attention, norms
from lessons.exercises.bans import DIFFERENTIATION
from lessons.exercises.base import Trial, exercise
from lessons.exercises.ch09_models import EXACT, clinic, count
from lessons.exercises.local import numbers
from lessons.exercises.plain import stacked
from lessons.masks import causal_mask, length_mask

__all__ = ["attend", "backward", "clinic", "count", "rotary", "shapes", "window"]


@exercise(
    "09.shapes",
    "weights_shape",
    "w_o_shape",
    "mask_shape",
    "weights_bytes",
    hints={
        "swapped": "The rows belong to those who look, the columns to what is seen.",
        "itself": "In cross-attention the writer looks at the source, not at itself.",
        "one_head": "Every head has weights of its own.",
        "w_q": "That is the shape of w_q. The heads go into w_o, and D comes out.",
        "whole": "The package keeps one slice of w_o a head.",
        "too_large": "Every query has the same mask here: an axis of length 1 does.",
        "not_fitting": "It must broadcast to the weights, which have four axes.",
        "numbers": "That counts numbers. A float32 has four bytes.",
        "value": "Write down the shapes of queries and keys, then of the products.",
    },
)
def shapes(t: Trial) -> None:
    """Recall the shapes in cross-attention with several heads."""
    b = int(numbers("09.texts", t.variant, low=2, high=4))
    h = int(numbers("09.heads", t.variant, low=2, high=5))
    d = int(numbers("09.width", t.variant, low=6, high=9))
    n = int(numbers("09.written", t.variant, low=10, high=15))
    s = int(numbers("09.read", t.variant, low=16, high=24))
    known = {
        "weights_shape": {
            "right": (b, h, n, s),
            "swapped": (b, h, s, n),
            "itself": (b, h, n, n),
            "one_head": (b, n, s),
        },
        "w_o_shape": {
            "right": (h, d, h * d),
            "w_q": (h * d, h, d),
            "whole": (h * d, h * d),
        },
        "mask_shape": {
            "right": (b, 1, 1, s),
            "too_large": (b, 1, n, s),
            "not_fitting": (b, s),
        },
        "weights_bytes": {
            "right": 4 * b * h * n * s,
            "numbers": b * h * n * s,
            "one_head": 4 * b * n * s,
        },
    }
    for name, values in known.items():
        wrong = {hint: np.array(value) for hint, value in values.items()}
        t.equal(name, t.value(name), wrong.pop("right"), mistakes=wrong, **EXACT)


@exercise(
    "09.attend",
    "attend",
    hints={
        "no_root": "The products are divided by the root of the width d.",
        "whole_width": "Divide by the root of d, not by d.",
        "queries": "The weights of one *query* sum to 1: softmax over the keys.",
        "after": "Mask before the softmax: hidden keys still stand in its denominator.",
        "no_mask": "The mask is not used.",
        "hidden": "True says where a query may look, not what is hidden.",
        "large": "Hidden scores must be -inf, and each row's largest be subtracted.",
        "nowhere": "A query that may look nowhere gets zeros. Yours divides 0 by 0, or "
        "looks at what is hidden.",
        "value": "Compare with one query at a time, as with the pencil.",
    },
    forbidden=(
        "jax.nn.dot_product_attention",
        "lessons.attention.attention",
        "lessons.attention.attention_weights",
        "lessons.attention.multi_head",
    ),
)
def attend(t: Trial) -> None:
    """Write scaled dot-product attention with a mask."""
    q, k, v = t.normal(2, 4, 8), t.normal(2, 5, 8), t.normal(2, 5, 3)
    # Every row and every column hides something and shows something.
    mask = t.rng.random((2, 4, 5)) < 0.5
    mask[..., 1], mask[..., 3] = True, False
    mask[:, 1] = ~mask[:, 0]
    # The first query is much like a key that it may not see.
    mask[0, :2, 2] = False, True
    k[0, 2] *= 3
    q[0, 0] = k[0, 2]
    products = np.einsum("btd,bsd->bts", q, k)

    def looked(scores, mask=mask, axis=-1):
        weights = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf), axis=axis)
        return np.asarray(weights @ v)

    scores = products / np.sqrt(8)
    wrong = {
        "no_root": looked(products),
        "whole_width": looked(products / 8),
        "queries": looked(scores, axis=-2),
        "after": np.asarray(jax.nn.softmax(scores) * mask) @ v,
        "no_mask": looked(scores, mask=True),
        "hidden": looked(scores, mask=~mask),
    }
    on = f"q {q.shape}, k {k.shape}, v {v.shape}, mask of the first query {mask[0, 0]}"
    right = attention.attention(q, k, v, jnp.asarray(mask))
    got = t.call("attend", q, k, v, mask)
    t.equal("a random mask", got, right, mistakes=wrong, otherwise="value", on=on)
    far = np.float32(1e5) * q
    right = attention.attention(far, k, v, jnp.asarray(mask))
    got = t.call("attend", far, k, v, mask)
    t.equal("scores of thousands", got, right, otherwise="large", on=on)
    mask = mask & ~(np.arange(8).reshape(2, 4, 1) == 6)
    right = attention.attention(q, k, v, jnp.asarray(mask))
    got = t.call("attend", q, k, v, mask)
    on = "one row of the mask is False throughout"
    t.equal("a query that may look nowhere", got, right, otherwise="nowhere", on=on)


@exercise(
    "09.window",
    "window_mask",
    hints={
        "future": "A position sees a later one.",
        "no_window": "A position sees too far back.",
        "off_by_one": "The window has `window` positions, that of the query included.",
        "padding": "A key in the padding may be looked at by nobody.",
        "padded_rows": "Leave the rows of the padding: nobody reads what they see.",
        "transposed": "Row t belongs to the position that looks.",
        "boolean": "A mask is boolean: True or False, not 1 or 0.",
        "value": "Write the three conditions on t and s, and join them with `&`.",
    },
    forbidden=("lessons.masks.causal_mask", "lessons.masks.length_mask"),
)
def window(t: Trial) -> None:
    """Write a mask that is causal, has a window and hides padding."""
    lengths, back = np.array([7, 4, 2]), np.asarray(causal_mask(7))
    real = np.asarray(length_mask(lengths, 7))
    near = {n: ~np.asarray(jnp.tril(back, -n)) for n in (2, 3, 4)}
    right = (back & near[3]) & real[:, None]
    wrong = {
        "future": (near[3] & near[3].T) & real[:, None],
        "no_window": back & real[:, None],
        "off_by_one": (back & near[4]) & real[:, None],
        "padding": np.broadcast_to(back & near[3], (3, 7, 7)),
        "padded_rows": right & real[:, :, None],
        "transposed": right.swapaxes(1, 2),
    }
    on = f"lengths = {lengths}, 7 steps, window 3"
    got = t.call("window_mask", lengths, 7, 3)
    if t.equal("the mask", got, right, mistakes=wrong, otherwise="value", on=on):
        got = stacked(got) if isinstance(got, list) else got
        t.true("it is boolean", got.dtype.kind == "b", hint="boolean")
    got = t.call("window_mask", lengths, 7, 1)
    right = np.eye(7, dtype=bool) & real[:, None]
    on = f"lengths = {lengths}, 7 steps, window 1"
    t.equal("a window of 1", got, right, otherwise="off_by_one", on=on)


@exercise(
    "09.rotary",
    "turn",
    hints={
        "neighbours": "Those are neighbours. Here feature i turns with i + d/2.",
        "backwards": "You turn the other way: look at the signs of the sines.",
        "rate": "The rate is 10000 to the power of -2i/d, for i from 0 to d/2 - 1.",
        "order": "The angle grows with `positions`, not with the place in the array.",
        "added": "Nothing is added: each pair is turned, and keeps its length.",
        "value": "Take x with one pair, (1, 0), and position 1: what comes out?",
    },
    forbidden=("lessons.attention.rotary",),
)
def rotary(t: Trial) -> None:
    """Turn pairs of features, the first half with the second."""
    positions = np.array([2, 0, 5, 1, 30]) + t.rng.integers(1, 9)
    x = t.normal(2, 5, 6)

    def turned(t=positions, power=2, sign=1):
        angle = t[:, None] / 10_000 ** (power * np.arange(3) / 6)
        point = (x[..., :3] + 1j * x[..., 3:]) * np.exp(sign * 1j * angle)
        return np.concatenate([point.real, point.imag], axis=-1)

    far = np.zeros((2, 40, 6), np.float32)
    far[:, positions] = x
    clocks = np.asarray(attention.sinusoidal(40, 6))[positions]
    wrong = {
        "neighbours": np.asarray(attention.rotary(far))[:, positions],
        "backwards": turned(sign=-1),
        "rate": turned(power=1),
        "order": turned(np.arange(5)),
        "added": x + clocks,
    }
    on = f"x of shape {x.shape}, positions = {positions}"
    got = t.call("turn", x, positions)
    t.equal("turned", got, turned(), mistakes=wrong, otherwise="value", on=on)


@exercise(
    "09.backward",
    "rms_norm_backward",
    hints={
        "two": "Return two arrays: ∂L/∂x and ∂L/∂γ.",
        "frozen": "The root depends on x as well: a second term is missing.",
        "sum": "The root holds a mean over the features, not a sum.",
        "no_scale": "`d_y` passes the scale before it reaches x: multiply by it.",
        "sign": "A larger entry makes the root larger and so the others smaller.",
        "every_token": "All tokens share the scale: sum over all axes but the last.",
        "not_normed": "What the scale multiplies is the normed x, not x.",
        "value": "Let g = d_y times the scale, r the root. Differentiate x / r.",
    },
    forbidden=DIFFERENTIATION,
)
def backward(t: Trial) -> None:
    """Derive the gradients of RMS norm."""
    scale, (x, d_y) = 1 + t.normal(6), t.normal(2, 3, 4, 6)

    def pulled(scale):
        _, pull = jax.vjp(lambda s, x: norms.rms_norm({"scale": s}, x), scale, x)
        return tuple(map(np.asarray, pull(d_y)))

    by_scale, by_x = pulled(scale)
    root = np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
    frozen = d_y * scale / root
    wrong = {
        "frozen": frozen,
        "sum": frozen + 6 * (by_x - frozen),
        "no_scale": pulled(np.ones_like(scale))[1],
        "sign": 2 * frozen - by_x,
    }
    on = f"scale of shape {scale.shape}, x and d_y of shape {x.shape}"
    got = t.call("rms_norm_backward", scale, x, d_y)
    whole = isinstance(got, list) and len(got) == 2
    t.true("two arrays", whole, hint="two")
    first, second = got if whole else (None, None)
    t.equal("by x", first, by_x, mistakes=wrong, otherwise="value", on=on)
    wrong = {"every_token": d_y * x / root, "not_normed": (d_y * x).sum((0, 1))}
    what = "by the scale"
    t.equal(what, second, by_scale, mistakes=wrong, otherwise="value", on=on)
