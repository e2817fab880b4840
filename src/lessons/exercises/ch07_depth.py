"""Practice checks of chapter 07b: depth, and bug clinic B8."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from lessons.exercises.base import Trial, exercise


def path_terms(n: int, f: float) -> np.ndarray:
    """Multiply out the brackets: what paths through 0, 1, ..., n blocks add."""
    terms = np.ones(1)
    for _ in range(n):
        terms = np.convolve(terms, [1, f])
    return terms


@exercise(
    "07.paths",
    "short_paths",
    hints={
        "one_length": "Add up the paths through 0, 1, ..., k blocks.",
        "fewer": "A path through exactly k blocks counts as well.",
        "unweighted": "Each block on a path multiplies by f.",
        "no_count": "There are many paths through i blocks: count the ways to choose "
        "them.",
        "not_divided": "A share is asked for: divide by the slope of the whole stack.",
        "long": "That is the share of the longer paths.",
        "value": "Multiply out (1 + f)(1 + f)... and collect equal powers of f.",
    },
)
def paths(t: Trial) -> None:
    """Derive the share of the gradient on short paths."""
    n, k, f = int(t.rng.integers(14, 20)), 4, np.float32(t.rng.uniform(0.2, 0.5))
    terms = path_terms(n, f)
    whole, right = terms.sum(), terms[: k + 1].sum() / terms.sum()
    powers = float(f) ** np.arange(k + 1)
    wrong = {
        "one_length": terms[k] / whole,
        "fewer": terms[:k].sum() / whole,
        "unweighted": path_terms(n, 1)[: k + 1].sum() / 2**n,
        "no_count": powers.sum() / whole,
        "not_divided": right * whole,
        "long": 1 - right,
    }
    on = f"n = {n}, f = {f:.3f}, k = {k}"
    got = t.call("short_paths", n, f, k)
    what = f"{n} blocks, at most {k}"
    t.equal(what, got, right, mistakes=wrong, otherwise="value", on=on, rtol=1e-3)
    got = t.call("short_paths", n, f, n)
    t.equal("all paths", got, 1.0, otherwise="value", on=f"n = k = {n}", rtol=1e-3)


def inner(p: dict, x: Any) -> jax.Array:
    """Return F(x) of the clinic's block."""
    return jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]


@exercise(
    "07.clinic",
    "block",
    hints={
        "through": "With F's weights at 0 nothing comes through. What is added must "
        "stand outside F.",
        "cut": "With F's weights at 0 the negative part of x is lost.",
        "twice": "With F's weights at 0 the block should return x, and returns 2x.",
        "doubled": "F gets x, once.",
        "only_up": "F can never lower x: nothing stands after its second layer.",
        "linear": "Two layers with nothing between them are one. Keep the ReLU inside.",
        "value": "The block is x + F(x), where F has two layers with a ReLU between.",
    },
)
def clinic(t: Trial) -> None:
    """Repair the residual block of bug clinic B8."""
    x = t.normal(5, 4)
    x[:, 0], x[:, 1] = -1 - abs(x[:, 0]), 1 + abs(x[:, 1])
    shapes = {"w1": (4, 6), "b1": (6,), "w2": (6, 4), "b2": (4,)}
    p = {name: t.normal(*shape) for name, shape in shapes.items()}
    p["b2"][0] = -30
    zero = {name: np.zeros_like(a) for name, a in p.items()}
    wrong = {"through": 0 * x, "cut": np.maximum(x, 0), "twice": 2 * x}
    on = f"all weights 0, x = {np.round(x[0], 2)}, ..."
    got = t.call("block", zero, x)
    t.equal("F is 0", got, x, mistakes=wrong, otherwise="value", on=on)
    right = x + inner(p, x)
    wrong = {
        "doubled": x + inner(p, 2 * x),
        "only_up": x + jax.nn.relu(inner(p, x)),
        "linear": x + (x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"],
    }
    got = t.call("block", p, x)
    on = f"random weights, x = {np.round(x[0], 2)}, ..."
    what = "any weights"
    t.equal(what, got, right, mistakes=wrong, otherwise="value", on=on, rtol=1e-3)
