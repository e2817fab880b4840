"""The parts of optimizers: their equations, their states, their limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons import update_rules as rules

TREE = {"w": jnp.array([[3.0, -4.0, 1.0], [0.5, 2.0, -1.5]]), "b": [jnp.array([12.0])]}


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def test_global_norm_is_numpys_over_all_leaves():
    assert float(rules.global_norm(TREE)) == pytest.approx(
        np.linalg.norm(flat(TREE)), rel=1e-6
    )


@pytest.mark.parametrize("tree", [{}, None, [], jnp.zeros((0, 3))])
def test_global_norm_of_nothing_is_zero(tree):
    assert float(rules.global_norm(tree)) == 0.0


def test_global_norm_of_many_bfloat16_numbers_does_not_stall():
    """In bfloat16, 256 + 1 is 256: the sum must be in float32."""
    ones = [jnp.ones((1,), jnp.bfloat16)] * 1024
    assert float(rules.global_norm(ones)) == 32.0


@pytest.mark.parametrize("factor", [0.01, 0.5, 0.999, 1.0, 2.0])
def test_clip_by_global_norm(factor):
    norm = np.linalg.norm(flat(TREE))
    rule = rules.clip_by_global_norm(factor * norm)
    clipped, state = rule.update(TREE, rule.init(TREE))
    expected = flat(TREE) * min(1.0, factor)
    np.testing.assert_allclose(flat(clipped), expected, rtol=1e-6)
    assert state == rule.init(TREE)


def test_a_short_gradient_passes_to_the_bit():
    rule = rules.clip_by_global_norm(100.0)
    clipped, _ = rule.update(TREE, rule.init(TREE))
    np.testing.assert_array_equal(flat(clipped), flat(TREE))


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-20, 1e18])
def test_clipping_at_extremes_is_finite(scale):
    rule = rules.clip_by_global_norm(1.0)
    grads = jax.tree.map(lambda g: g * scale, TREE)
    clipped, _ = rule.update(grads, rule.init(TREE))
    assert np.isfinite(flat(clipped)).all()
    assert np.linalg.norm(flat(clipped)) <= 1.00001


def test_clipping_does_not_hide_nan():
    rule = rules.clip_by_global_norm(1.0)
    clipped, _ = rule.update({"a": jnp.array([jnp.nan]), "b": jnp.ones(2)}, ())
    assert np.isnan(flat(clipped)).all()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=6),
    st.floats(0.125, 1e3, width=32),
)
def test_clipping_shortens_and_keeps_the_direction(numbers, max_norm):
    grads = jnp.array(numbers)
    rule = rules.clip_by_global_norm(max_norm)
    clipped, _ = rule.update(grads, rule.init(grads))
    norm, after = float(jnp.linalg.norm(grads)), float(jnp.linalg.norm(clipped))
    assert after == pytest.approx(min(norm, max_norm), rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(
        np.asarray(clipped) * norm, np.asarray(grads) * after, rtol=1e-3, atol=1e-2
    )


def constant_gradient(rule, steps, gradient=-2.0):
    state = rule.init(jnp.asarray(0.0))
    rows = []
    for _ in range(steps):
        update, state = rule.update(jnp.asarray(gradient), state)
        rows.append((float(update), state))
    return rows


def test_adams_bias_correction_under_a_constant_gradient():
    """Corrected, every step is 1. Uncorrected it is 3.16, then 6.6, then 3.2."""
    rows = constant_gradient(rules.scale_by_adam(), 100)
    for update, _ in rows:
        assert update == pytest.approx(-1.0, abs=1e-4)
    uncorrected = [abs(float(s.mu)) / float(s.nu) ** 0.5 for _, s in rows]
    assert uncorrected[0] == pytest.approx(0.1 / 0.001**0.5, abs=1e-3)
    assert uncorrected[11] == pytest.approx(6.6, abs=0.05)
    assert np.argmax(uncorrected) == 11
    assert uncorrected[99] == pytest.approx(3.2, abs=0.05)
    assert [int(s.count) for _, s in rows[:3]] == [1, 2, 3]


def test_the_velocity_grows_to_the_geometric_sum():
    updates = [u for u, _ in constant_gradient(rules.trace(0.9), 200)]
    assert updates[0] == -2.0
    assert updates[1] == pytest.approx(-3.8)
    assert updates[-1] == pytest.approx(-20.0, rel=1e-4)


def test_nesterov_looks_one_step_ahead():
    plain = [u for u, _ in constant_gradient(rules.trace(0.5), 6)]
    ahead = [u for u, _ in constant_gradient(rules.trace(0.5, nesterov=True), 5)]
    assert ahead == pytest.approx(plain[1:])


def test_rms_starts_at_zero_and_reaches_the_sign():
    updates = [u for u, _ in constant_gradient(rules.scale_by_rms(), 100)]
    assert updates[0] == pytest.approx(-(0.1**-0.5), rel=1e-5)
    assert updates[-1] == pytest.approx(-1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("rule", "gradient", "expected"),
    [
        # eps inside the root for rms: g / sqrt(0.1 g^2 + eps).
        (rules.scale_by_rms(eps=3.0), 1.0, 1 / 3.1**0.5),
        (rules.scale_by_rms(), 1e-4, 1e-4 / (1e-9 + 1e-8) ** 0.5),
        # eps outside the root for adam: g / (|g| + eps).
        (rules.scale_by_adam(eps=3.0), 1.0, 0.25),
        (rules.scale_by_adam(), 1e-8, 0.5),
    ],
)
def test_where_eps_stands_and_its_default(rule, gradient, expected):
    ((update, _),) = constant_gradient(rule, 1, gradient)
    assert update == pytest.approx(expected, rel=1e-4)


def test_adam_forgets_the_size_of_the_loss():
    """Multiplying every gradient by a constant changes nothing."""
    gradients = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    rule = rules.scale_by_adam(eps=0.0)
    states = [rule.init(jnp.zeros(5)), rule.init(jnp.zeros(5))]
    for g in gradients:
        a, states[0] = rule.update(jnp.asarray(g), states[0])
        b, states[1] = rule.update(jnp.asarray(1000 * g), states[1])
        np.testing.assert_allclose(a, b, rtol=2e-4)


def test_the_rate_is_asked_at_0_1_2():
    rule = rules.scale_by_learning_rate(lambda count: 10.0 + count)
    state = rule.init(jnp.asarray(0.0))
    assert state.count.dtype == jnp.int32
    updates = []
    for _ in range(3):
        update, state = rule.update(jnp.asarray(2.0), state)
        updates.append(float(update))
    assert updates == [-20.0, -22.0, -24.0]


def test_decay_adds_a_share_of_the_parameters():
    rule = rules.add_decayed_weights(0.25)
    grads = {"w": jnp.array([1.0, 2.0]), "b": jnp.array([5.0])}
    params = {"w": jnp.array([8.0, -4.0]), "b": jnp.array([4.0])}
    updates, state = rule.update(grads, rule.init(params), params)
    np.testing.assert_array_equal(flat(updates), [6.0, 3.0, 1.0])
    assert state == rules.EmptyState()


@pytest.mark.parametrize("as_function", [True, False])
def test_the_mask_says_which_arrays_decay(as_function):
    mask = {"w": True, "b": False}
    rule = rules.add_decayed_weights(0.5, (lambda _: mask) if as_function else mask)
    params = {"w": jnp.array([2.0]), "b": jnp.array([2.0])}
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = rule.update(zeros, rule.init(params), params)
    assert updates["w"].tolist() == [1.0]
    assert updates["b"].tolist() == [0.0]


def test_decoupled_decay_is_alike_for_all_and_l2_is_not():
    """Of two parameters the one with the larger gradients decays less under L2."""
    params = jnp.array([1.0, 1.0])
    noise = np.random.default_rng(2).normal(size=(500, 2)) * [0.01, 10.0]
    decay = rules.add_decayed_weights(0.1)
    adam, rate = rules.scale_by_adam(), rules.scale_by_learning_rate(0.01)
    ends = {}
    for name, parts in {"L2": (decay, adam), "decoupled": (adam, decay)}.items():
        rule, plain = rules.chain(*parts, rate), rules.chain(adam, rate)
        update, without = jax.jit(rule.update), jax.jit(plain.update)
        p, state, q, other = params, rule.init(params), params, plain.init(params)
        for n in noise.astype(np.float32):
            step, state = update(jnp.asarray(n), state, p)
            p = rules.apply_updates(p, step)
            step, other = without(jnp.asarray(n), other, q)
            q = rules.apply_updates(q, step)
        ends[name] = np.asarray(q - p)
    assert ends["L2"][0] > 10 * abs(ends["L2"][1])
    assert ends["decoupled"][0] == pytest.approx(ends["decoupled"][1], rel=0.5)


def test_apply_updates_adds_in_the_dtype_of_the_parameters():
    params = {"a": jnp.array([1.0, 2.0], jnp.bfloat16), "b": jnp.array([1, 2])}
    updates = {"a": jnp.array([0.5, 1.0]), "b": jnp.array([2, 3])}
    after = rules.apply_updates(params, updates)
    assert after["a"].dtype == jnp.bfloat16
    assert after["a"].tolist() == [1.5, 3.0]
    assert after["b"].tolist() == [3, 5]


def test_apply_updates_takes_python_numbers():
    assert float(rules.apply_updates(1.0, -0.25)) == 0.75


@pytest.mark.parametrize(
    ("params", "updates"),
    [(jnp.ones((3, 1)), jnp.ones(3)), (jnp.ones(3), jnp.ones(())), (1.0, jnp.ones(2))],
)
def test_apply_updates_never_broadcasts(params, updates):
    with pytest.raises(ValueError, match=r"expected an array of shape .* got"):
        rules.apply_updates(params, updates)


def test_trees_of_other_structure_are_refused():
    with pytest.raises(ValueError):
        rules.apply_updates({"a": jnp.ones(2)}, {"b": jnp.ones(2)})


def test_decay_of_other_shapes_is_refused():
    rule = rules.add_decayed_weights(0.1)
    with pytest.raises(ValueError, match=r"shape \(2,\).*got \(2, 1\)"):
        rule.update(jnp.ones(2), rule.init(None), jnp.ones((2, 1)))


def test_a_chain_refuses_the_state_of_another_chain():
    short, long = rules.chain(rules.trace(0.5)), rules.chain(*[rules.trace(0.5)] * 2)
    with pytest.raises(ValueError, match="chain of 2, got one of 1"):
        long.update(jnp.ones(2), short.init(jnp.ones(2)))


def test_an_empty_chain_passes_gradients_on():
    updates, state = rules.chain().update(jnp.array([5.0]), ())
    assert updates.tolist() == [5.0]
    assert state == ()


@pytest.mark.parametrize("bad", [0, 0.0, -1.0, float("nan"), float("inf")])
def test_a_clip_needs_a_positive_norm(bad):
    with pytest.raises(ValueError, match="0 < max_norm < inf, got"):
        rules.clip_by_global_norm(bad)


def test_a_tiny_clip_is_legal():
    rule = rules.clip_by_global_norm(1e-30)
    assert float(rules.global_norm(rule.update(TREE, ())[0])) < 1e-20


@pytest.mark.parametrize("bad", [-0.1, 1.0, 1.5])
def test_shares_lie_in_zero_to_one(bad):
    for build in (rules.trace, rules.scale_by_rms):
        with pytest.raises(ValueError, match=f"0 <= decay < 1, got {bad}"):
            build(bad)


def test_zero_is_a_legal_share():
    assert constant_gradient(rules.trace(0.0), 2)[1][0] == -2.0
    assert constant_gradient(rules.scale_by_rms(0.0), 2)[1][0] == pytest.approx(-1.0)
    assert constant_gradient(rules.scale_by_adam(0.0, 0.0), 2)[1][0] == -1.0


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
def test_rates_and_decays_are_numbers_of_zero_or_more(bad):
    with pytest.raises(ValueError, match=f"0 <= learning_rate < inf, got {bad}"):
        rules.scale_by_learning_rate(bad)
    with pytest.raises(ValueError, match=f"0 <= weight_decay < inf, got {bad}"):
        rules.add_decayed_weights(bad)
    with pytest.raises(ValueError, match=f"0 <= eps < inf, got {bad}"):
        rules.scale_by_rms(eps=bad)
    with pytest.raises(ValueError, match=f"0 <= eps < inf, got {bad}"):
        rules.scale_by_adam(eps=bad)


@pytest.mark.parametrize("bad", [-0.1, 1.0])
def test_adams_shares_lie_in_zero_to_one(bad):
    with pytest.raises(ValueError, match=f"0 <= b1 < 1, got {bad}"):
        rules.scale_by_adam(b1=bad)
    with pytest.raises(ValueError, match=f"0 <= b2 < 1, got {bad}"):
        rules.scale_by_adam(b2=bad)


def test_global_norm_takes_python_and_numpy_numbers():
    assert float(rules.global_norm({"a": 3, "b": np.array([4.0])})) == 5.0


def test_decay_without_parameters_is_refused():
    rule = rules.add_decayed_weights(0.1)
    with pytest.raises(ValueError, match=r"update\(grads, state, params\), got params"):
        rule.update(jnp.ones(2), rule.init(None))
