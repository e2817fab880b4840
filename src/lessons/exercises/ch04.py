"""Practice checks of chapter 04: the training loop. Its bug clinics stand apart."""

from __future__ import annotations

import numpy as np

from lessons import optimizers
from lessons.exercises.base import Trial, exercise, finite
from lessons.exercises.ch04_clinics import accuracy, prepare, train_step, two
from lessons.exercises.local import numbers

__all__ = ["accuracy", "adamw", "bowl", "clip", "prepare", "train_step"]
__all__ += ["trapezoid", "travelled"]

LIBRARIES = ("optax.*", "lessons.optimizers.*", "lessons.update_rules.*")


@exercise(
    "04.bowl",
    "limit",
    "best",
    "share",
    hints={
        "limit_one": "There the steepest coordinate is right after one step. Twice as "
        "far it still only swings.",
        "limit_flat": "The steepest direction sets the limit, not the flattest.",
        "limit_mean": "Each coordinate has a factor of its own; no mean is taken.",
        "best_steep": "That is best for the steepest coordinate alone: the flattest "
        "one crawls.",
        "best_mean": "Balance the two extremes; those between them do better anyway.",
        "share_steep": "That is left at the rate 1 / h_max. At the best rate it is "
        "less.",
        "share_gone": "You give the part that goes. Which part stays?",
        "value": "A step multiplies the coordinate i by 1 - η h_i.",
    },
)
def bowl(t: Trial) -> None:
    """Recall what limits the rate of plain descent, on one's own curvatures."""
    h = np.cumsum(
        numbers("04.bowl", t.variant, 3, low=1, high=5) + np.float32([0, 0, 10])
    )
    low, _, high = h
    rates = np.linspace(0, 2 / low, 200_001)
    largest = np.maximum(abs(1 - rates * low), abs(1 - rates * high))
    limit, best = rates[largest < 1][-1], rates[largest.argmin()]
    share = largest.min()
    on = f"h = {h}"
    settings = {"otherwise": "value", "on": on, "rtol": 1e-3}
    wrong = {"limit_one": 1 / high, "limit_flat": 2 / low, "limit_mean": 2 / h.mean()}
    t.equal("the limit", t.value("limit"), limit, mistakes=wrong, **settings)
    wrong = {"best_steep": 1 / high, "best_mean": 1 / h.mean()}
    t.equal("the best rate", t.value("best"), best, mistakes=wrong, **settings)
    wrong = {"share_steep": 1 - low / high, "share_gone": 1 - share}
    t.equal("the share", t.value("share"), share, mistakes=wrong, **settings)


@exercise(
    "04.travelled",
    "travelled",
    hints={
        "velocity": "That is the last step's length. Add up the steps before it too.",
        "limit": "The velocity is g / (1 - μ) only in the end; it starts from 0.",
        "late": "The velocity is updated before the step: the first step is not 0.",
        "mean": "This velocity is a sum of gradients, not a mean: there is no 1 - μ "
        "before g.",
        "plain": "That is plain descent: μ is not used.",
        "sign": "What is asked for is w_0 - w_t: positive where g is.",
        "steps": "t may be an array of step numbers: use no `if` and no `range` on it.",
        "value": "Write out u_1, u_2 and u_3, sum each as a geometric series, then sum "
        "those.",
    },
)
def travelled(t: Trial) -> None:
    """Derive how far momentum goes under a constant gradient."""
    steps = np.array([1, 2, 3, 10, 60], np.int32)
    g, mu = 0.5 + abs(t.normal()), np.float32(t.rng.uniform(0.5, 0.9))
    rate = np.float32(0.1)
    u, w, positions = 0.0, 0.0, [0.0]
    for _ in range(60):
        u = mu * u + g
        w += rate * u
        positions.append(w)
    right = np.array(positions)[steps]
    wrong = {
        "velocity": rate * g * (1 - mu**steps) / (1 - mu),
        "limit": rate * g * steps / (1 - mu),
        "late": np.array(positions)[steps - 1],
        "mean": right * (1 - mu),
        "plain": rate * g * steps,
        "sign": -right,
    }
    got = t.call("travelled", steps, rate, mu, np.float32(g), otherwise="steps")
    on = f"t = {steps}, rate = 0.1, mu = {mu:.3f}, g = {g:.3f}"
    what = "against the loop"
    t.equal(what, got, right, mistakes=wrong, otherwise="value", on=on, rtol=1e-3)
    got = t.call("travelled", steps, rate, np.float32(0), np.float32(g))
    on = f"t = {steps}, rate = 0.1, mu = 0, g = {g:.3f}"
    t.equal("no memory", got, rate * g * steps, otherwise="value", on=on)


def away_from_0(t: Trial, *shape: int) -> np.ndarray:
    """Draw numbers of both signs whose size is 1 or more."""
    signs = np.where(np.arange(np.prod(shape)) % 2, 1, -1).reshape(shape)
    return (signs * (1 + abs(t.normal(*shape)))).astype(np.float32)


@exercise(
    "04.adamw",
    "adamw_step",
    hints={
        "count": "Count the step before you correct: at t = 0 the correction divides "
        "by 0.",
        "no_correction": "The means start at 0 and are too small at first: the step is "
        "3 times too long. Correct them.",
        "uphill": "This goes uphill: the step is subtracted.",
        "no_decay": "The weights do not shrink as they should. What goes through the "
        "division by √v is divided away.",
        "no_rate": "The decay is multiplied by the rate, like the rest of the step.",
        "root": "The mean of the squares is divided by without its root.",
        "decay_all": "An array with one axis, such as the biases, does not decay.",
        "eps": "ε stands outside the root. With small gradients the difference shows.",
        "memory": "Remember the running means as they are; the corrected ones are for "
        "this step alone.",
        "value": "Go through the rule line by line, with t counted on in the memory.",
    },
    forbidden=LIBRARIES,
)
def adamw(t: Trial) -> None:
    """Write AdamW for a dictionary of arrays."""
    params = {"w": t.normal(3, 2), "b": away_from_0(t, 2)}
    grads = {"w": away_from_0(t, 3, 2), "b": away_from_0(t, 2)}
    zeros = {name: np.zeros_like(p) for name, p in params.items()}
    memory = {"t": 0, "m": zeros, "v": zeros}
    first_step(t, params, grads, memory)
    later = {"t": 3, "m": grads, "v": {n: abs(params[n]) for n in params}}
    later_step(t, params, {n: -0.5 * params[n] for n in params}, later)
    small = {name: np.float32(1e-4) * g for name, g in grads.items()}
    new, kept = two(t.call("adamw_step", params, small, memory, 0.1, 0.2))
    right, means = after(params, small, memory)
    t.equal("gradients near 0.0001", new, right, otherwise="eps")
    t.equal("what is remembered of them", kept, means, otherwise="memory", atol=1e-12)


def after(params: dict, grads: dict, memory: dict) -> tuple[dict, dict]:
    """Return parameters and memory after a step of the package, from any memory."""
    rule = optimizers.scale_by_adam()
    count = np.int32(memory["t"])
    state = rule.init(params)._replace(count=count, mu=memory["m"], nu=memory["v"])
    steps, state = rule.update(grads, state)
    kept = {"t": state.count, "m": state.mu, "v": state.nu}
    decays = {name: 0.2 * (np.ndim(p) > 1) * p for name, p in params.items()}
    return {n: params[n] - 0.1 * (steps[n] + decays[n]) for n in params}, kept


def first_step(t: Trial, params: dict, grads: dict, memory: dict) -> None:
    """Try a step from an empty memory, where most mistakes show."""
    w, g = params["w"], grads["w"]
    new, kept = two(t.call("adamw_step", params, grads, memory, 0.1, 0.2))
    t.true("the first step is finite", finite(new), hint="count")
    right, means = after(params, grads, memory)
    wrong = {
        "no_correction": w - 0.1 * (0.1 / np.sqrt(0.001) * np.sign(g) + 0.2 * w),
        "uphill": w + 0.1 * (np.sign(g) + 0.2 * w),
        "no_decay": w - 0.1 * np.sign(g),
        "no_rate": w - 0.1 * np.sign(g) - 0.2 * w,
        "root": w - 0.1 * (1 / g + 0.2 * w),
    }
    on = f"g = {np.round(g[0], 2)}, ..., w = {np.round(w[0], 2)}, ..."
    got = new.get("w") if isinstance(new, dict) else new
    what = "the weights after the first step"
    t.equal(what, got, right["w"], mistakes=wrong, otherwise="value", on=on)
    wrong = {"decay_all": {**right, "b": right["b"] - 0.02 * params["b"]}}
    t.equal("the biases too", new, right, mistakes=wrong, otherwise="value")
    t.equal("the memory after step 1", kept, means, otherwise="memory")


def later_step(t: Trial, params: dict, grads: dict, memory: dict) -> None:
    """Try the fourth step, and what is remembered of it."""
    new, kept = two(t.call("adamw_step", params, grads, memory, 0.1, 0.2))
    right, means = after(params, grads, memory)
    t.equal("the memory after step 4", kept, means, otherwise="memory")
    t.equal("the parameters after step 4", new, right, otherwise="value")


@exercise(
    "04.clip",
    "clip",
    hints={
        "each_array": "All arrays are one vector and share one factor; you shorten "
        "each by its own.",
        "each_number": "Cutting number by number turns the gradient: its direction "
        "must stay.",
        "no_root": "The length is the root of the sum of squares.",
        "lengths": "Lengths do not add up; their squares do.",
        "lengthened": "A gradient that is short enough must stay as it is.",
        "zero": "A gradient of zeros has the length 0: do not divide by it.",
        "value": "Multiply every array by longest / length where the length is larger.",
    },
    forbidden=LIBRARIES,
)
def clip(t: Trial) -> None:
    """Write clipping by the length of the whole gradient."""
    grads = {"w": away_from_0(t, 3, 2), "b": away_from_0(t, 2)}
    norms = {name: np.linalg.norm(g) for name, g in grads.items()}
    rule = optimizers.clip_by_global_norm(1.0)
    right, _ = rule.update(grads, rule.init(grads))
    length = np.hypot(*norms.values())
    wrong = {
        "each_array": {name: g / norms[name] for name, g in grads.items()},
        "each_number": {name: np.clip(g, -1, 1) for name, g in grads.items()},
        "no_root": {name: g / length**2 for name, g in grads.items()},
        "lengths": {name: g / sum(norms.values()) for name, g in grads.items()},
    }
    on = f"a gradient of length {length:.2f}, longest = 1"
    got = t.call("clip", grads, 1.0)
    t.equal("a long one", got, right, mistakes=wrong, otherwise="value", on=on)
    longest = float(1.5 * length)
    on = f"a gradient of length {length:.2f}, longest = {longest:.2f}"
    got = t.call("clip", grads, longest)
    t.equal("a short one", got, grads, otherwise="lengthened", on=on)
    zeros = {name: 0 * g for name, g in grads.items()}
    t.equal("zeros", t.call("clip", zeros, 1.0), zeros, otherwise="zero")


@exercise(
    "04.trapezoid",
    "trapezoid",
    hints={
        "branch": "An `if` needs one truth value, and `step` is an array. Use "
        "`jnp.where`, or the larger and the smaller of two numbers.",
        "no_peak": "The shape is right; multiply it by the peak.",
        "one_early": "At step 0 the rate is 0, and it reaches the peak at step "
        "`warmup`, not before.",
        "no_hold": "The fall starts when the warm-up and the hold are both over.",
        "below_0": "After the fall the rate stays at 0; yours becomes negative.",
        "no_warmup": "With warmup = 0 the rate is at its peak from step 0 on.",
        "value": "Draw it: up from 0 in `warmup` steps, flat for `hold`, down to 0 in "
        "`fall`, then 0.",
    },
    forbidden=(*LIBRARIES, "lessons.schedules.*"),
)
def trapezoid(t: Trial) -> None:
    """Write a schedule that the chapter does not have: up, flat, down."""
    peak, warmup, hold, fall = 0.5 + abs(float(t.normal())), 4, 6, 5
    step = np.arange(20, dtype=np.int32)
    line, flat = optimizers.linear_schedule, optimizers.constant_schedule
    parts = [line(0.0, peak, warmup), flat(peak), line(peak, 0.0, fall)]
    right = optimizers.join_schedules(parts, [warmup, warmup + hold])(step)
    rise = np.minimum(step / warmup, 1)
    down = 1 - np.maximum(step - warmup - hold, 0) / fall
    at_once = np.clip(1 - (step - warmup) / fall, 0, 1)
    wrong = {
        "no_peak": right / peak,
        "one_early": np.clip((step + 1) / warmup, 0, 1) * np.maximum(down, 0) * peak,
        "no_hold": rise * at_once * peak,
        "below_0": rise * down * peak,
    }
    got = t.call("trapezoid", step, peak, warmup, hold, fall, otherwise="branch")
    on = f"step = 0, ..., 19, peak = {peak:.3f}, warmup = 4, hold = 6, fall = 5"
    t.equal("20 steps", got, right, mistakes=wrong, otherwise="value", on=on)
    right = optimizers.join_schedules(parts[1:], [hold])(step)
    got = t.call("trapezoid", step, peak, 0, hold, fall)
    on = f"step = 0, ..., 19, peak = {peak:.3f}, warmup = 0, hold = 6, fall = 5"
    t.equal("without a warm-up", got, right, otherwise="no_warmup", on=on)
