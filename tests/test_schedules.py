"""The schedules against Optax's at every step, the boundaries among them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lessons import schedules

SCHEDULES = {
    "constant": lambda o: o.constant_schedule(0.3),
    "line up": lambda o: o.linear_schedule(0.1, 0.9, 17),
    "line down": lambda o: o.linear_schedule(0.9, 0.0, 23, transition_begin=5),
    "line of one step": lambda o: o.linear_schedule(0.2, 0.4, 1),
    "exponential": lambda o: o.exponential_decay(0.5, 7, 0.8),
    "exponential, later": lambda o: o.exponential_decay(0.5, 7, 0.8, 6),
    "exponential, staircase": lambda o: o.exponential_decay(
        0.5, 7, 0.8, transition_begin=3, staircase=True
    ),
    "exponential, floor": lambda o: o.exponential_decay(0.5, 7, 0.8, end_value=0.2),
    "exponential, ceiling": lambda o: o.exponential_decay(0.5, 7, 1.3, end_value=1.1),
    "exponential, factor one": lambda o: o.exponential_decay(0.5, 7, 1.0, end_value=2),
    "steps": lambda o: o.piecewise_constant_schedule(0.8, {20: 0.5, 5: 0.1, 41: 3.0}),
    "step at zero": lambda o: o.piecewise_constant_schedule(0.8, {0: 0.5}),
    "step to zero": lambda o: o.piecewise_constant_schedule(0.8, {9: 0.0}),
    "no steps": lambda o: o.piecewise_constant_schedule(0.8),
    "cosine": lambda o: o.cosine_decay_schedule(0.7, 37),
    "cosine, bent": lambda o: o.cosine_decay_schedule(0.7, 37, 0.2, 2.5),
    "cosine of one step": lambda o: o.cosine_decay_schedule(0.7, 1),
    "joined": lambda o: o.join_schedules(
        [
            o.linear_schedule(0.0, 1.0, 10),
            o.constant_schedule(0.6),
            o.exponential_decay(0.5, 5, 0.5),
        ],
        [10, 25],
    ),
    "one joined": lambda o: o.join_schedules([o.linear_schedule(0.0, 1.0, 10)], []),
    "warm-up": lambda o: o.warmup_cosine_decay_schedule(0.1, 0.8, 12, 45),
    "warm-up, floor": lambda o: o.warmup_cosine_decay_schedule(
        0.0, 0.8, 12, 45, end_value=0.05, exponent=2.0
    ),
    "no warm-up": lambda o: o.warmup_cosine_decay_schedule(0.1, 0.8, 0, 45),
    "shortest decay": lambda o: o.warmup_cosine_decay_schedule(0.1, 0.8, 12, 13),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_equals_optax_at_every_step(name):
    ours, theirs = SCHEDULES[name](schedules), SCHEDULES[name](optax)
    expected = [float(theirs(step)) for step in range(60)]
    by_int = [float(ours(step)) for step in range(60)]
    np.testing.assert_allclose(by_int, expected, rtol=1e-6, atol=1e-7)
    traced = jax.jit(jax.vmap(lambda step: ours(step) + 0.0))(jnp.arange(60))
    np.testing.assert_allclose(traced, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", [n for n in SCHEDULES if "constant" not in n])
def test_a_traced_step_gives_float32(name):
    rate = jax.jit(lambda step: SCHEDULES[name](schedules)(step) * jnp.float32(1))
    assert rate(jnp.int32(3)).dtype == jnp.float32


def test_the_line_ends_exactly():
    """A rate of 0.1 + (0.3 - 0.1) would not be 0.3."""
    rate = schedules.linear_schedule(0.1, 0.3, 7)
    assert float(rate(7)) == float(jnp.float32(0.3))
    assert float(rate(0)) == float(jnp.float32(0.1))


def test_rates_may_be_traced():
    def at(rate):
        warm = schedules.warmup_cosine_decay_schedule(rate, 2 * rate, 4, 20, rate / 10)
        drop = schedules.piecewise_constant_schedule(rate, {10: 0.5})
        return jnp.stack([warm(jnp.arange(25)), drop(jnp.arange(25))])

    rates = jnp.array([0.1, 0.3])
    together = jax.jit(jax.vmap(at))(rates)
    for row, rate in zip(together, rates, strict=True):
        np.testing.assert_allclose(row, at(float(rate)), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda s: s.constant_schedule(-1.0), "0 <= value < inf, got -1.0"),
        (lambda s: s.linear_schedule(-1.0, 0.1, 5), "0 <= init_value"),
        (lambda s: s.linear_schedule(0.1, -1.0, 5), "0 <= end_value"),
        (
            lambda s: s.linear_schedule(0.1, 0.2, 0),
            "1 <= transition_steps < inf, got 0",
        ),
        (lambda s: s.linear_schedule(0.1, 0.2, 5, -1), "0 <= transition_begin"),
        (lambda s: s.exponential_decay(-0.1, 5, 0.5), "0 <= init_value"),
        (lambda s: s.exponential_decay(0.1, 0, 0.5), "1 <= transition_steps"),
        (lambda s: s.exponential_decay(0.1, 5, 0.0), "0 < decay_rate < inf, got 0.0"),
        (lambda s: s.exponential_decay(0.1, 5, -0.5), "0 < decay_rate"),
        (lambda s: s.exponential_decay(0.1, 5, 0.5, -1), "0 <= transition_begin"),
        (lambda s: s.piecewise_constant_schedule(-0.1), "0 <= init_value"),
        (lambda s: s.piecewise_constant_schedule(0.1, {7: -1}), "scale at step 7"),
        (lambda s: s.cosine_decay_schedule(-0.1, 5), "0 <= init_value"),
        (lambda s: s.cosine_decay_schedule(0.1, 0), "1 <= decay_steps < inf, got 0"),
        (lambda s: s.cosine_decay_schedule(0.1, 5, alpha=-0.1), "0 <= alpha"),
        (lambda s: s.cosine_decay_schedule(0.1, 5, exponent=-1), "0 <= exponent"),
        (lambda s: s.join_schedules([], []), "expected 1 schedules for 0 bound.*got 0"),
        (lambda s: s.join_schedules([abs], [3]), "expected 2 schedules for 1 bound"),
        (lambda s: s.join_schedules([abs] * 3, [3, 3]), r"rising.*got \[3, 3\]"),
        (lambda s: s.join_schedules([abs] * 3, [4, 3]), r"rising.*got \[4, 3\]"),
        (lambda s: s.warmup_cosine_decay_schedule(-1, 1, 2, 5), "0 <= init_value"),
        (lambda s: s.warmup_cosine_decay_schedule(0, 0, 2, 5), "0 < peak_value"),
        (lambda s: s.warmup_cosine_decay_schedule(0, 1, -1, 5), "0 <= warmup_steps"),
        (
            lambda s: s.warmup_cosine_decay_schedule(0, 1, 5, 5),
            "6 <= decay_steps.*got 5",
        ),
        (lambda s: s.warmup_cosine_decay_schedule(0, 1, 2, 5, -1), "0 <= end_value"),
    ],
)
def test_bad_numbers_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build(schedules)
