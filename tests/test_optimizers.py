"""The optimizers against Optax's: equal, and each usable inside the other."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lessons import optimizers

STEPS = 200
NUMBERS = np.random.default_rng(0)


def normal(*shape):
    """Numbers away from zero, so that no fault hides in a zero."""
    return jnp.asarray(NUMBERS.normal(0.3, 1.0, shape), jnp.float32)


PARAMS = {
    "layers": [{"w": normal(3, 4), "b": normal(4)}, {"w": normal(4, 2)}],
    "scale": normal() + 2.0,
}
NOISE = jax.tree.map(lambda p: normal(STEPS, *p.shape), PARAMS)


def run(optimizer, params=PARAMS, noise=NOISE):
    """Return the parameters after each of the steps on a noisy quadratic."""

    def step(carry, noise):
        params, state = carry
        grads = jax.tree.map(lambda p, n: 0.5 * p + n, params, noise)
        updates, state = optimizer.update(grads, state, params)
        params = optimizers.apply_updates(params, updates)
        return (params, state), params

    scan = jax.jit(lambda p, s: jax.lax.scan(step, (p, s), noise)[1])
    return scan(params, optimizer.init(params))


def assert_close(ours, theirs, tolerance=1e-6):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)


def weights_only(params):
    return jax.tree.map(lambda p: p.ndim == 2, params)


# Each builder works on either library: only the module differs.
BUILDERS = {
    "gradient descent": lambda o: o.sgd(0.05),
    "momentum": lambda o: o.sgd(0.01, 0.9),
    "nesterov": lambda o: o.sgd(0.01, momentum=0.8, nesterov=True),
    "zero momentum": lambda o: o.sgd(0.01, momentum=0.0),
    "rmsprop": lambda o: o.rmsprop(0.01),
    "rmsprop, other constants": lambda o: o.rmsprop(0.02, 0.8, 1e-3),
    "adam": lambda o: o.adam(0.01),
    "adam, other constants": lambda o: o.adam(0.02, 0.8, 0.99, 1e-2),
    "adam, no memory": lambda o: o.adam(0.01, b1=0.0, b2=0.0, eps=0.1),
    "adamw": lambda o: o.adamw(0.02),
    "adamw, strong decay": lambda o: o.adamw(0.01, 0.8, 0.9, 1e-3, weight_decay=0.3),
    "adamw, masked": lambda o: o.adamw(0.01, weight_decay=0.3, mask=weights_only),
    "clipped sgd": lambda o: o.chain(o.clip_by_global_norm(1.5), o.sgd(0.1)),
    "clip that never acts": lambda o: o.chain(o.clip_by_global_norm(1e3), o.sgd(0.1)),
    "L2, not decoupled": lambda o: o.chain(o.add_decayed_weights(0.3), o.adam(0.01)),
    "decay off by default": lambda o: o.chain(o.add_decayed_weights(), o.sgd(0.01)),
    "parts": lambda o: o.chain(
        o.clip_by_global_norm(2.0),
        o.scale_by_rms(),
        o.trace(0.7, True),
        o.add_decayed_weights(0.1, mask=weights_only(PARAMS)),
        o.scale_by_learning_rate(0.01),
    ),
    "chain of chains": lambda o: o.chain(
        o.chain(o.trace(0.5), o.scale_by_adam()), o.chain(o.sgd(0.02))
    ),
    "sgd, exponential decay": lambda o: o.sgd(o.exponential_decay(0.1, 20, 0.7)),
    "momentum, steps": lambda o: o.sgd(
        o.piecewise_constant_schedule(0.02, {50: 0.5, 120: 0.1}), 0.9
    ),
    "rmsprop, line": lambda o: o.rmsprop(o.linear_schedule(0.02, 0.001, 150)),
    "adam, cosine": lambda o: o.adam(o.cosine_decay_schedule(0.02, 180)),
    "adamw, warm-up": lambda o: o.adamw(
        o.warmup_cosine_decay_schedule(0.0, 0.02, 30, 190, 0.001), weight_decay=0.1
    ),
    "adam, constant": lambda o: o.adam(o.constant_schedule(0.01)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_equals_optax_over_200_steps(name):
    ours, theirs = run(BUILDERS[name](optimizers)), run(BUILDERS[name](optax))
    assert_close(ours, theirs)
    moved = jax.tree.map(lambda p, path: jnp.abs(path[-1] - p).max(), PARAMS, ours)
    assert min(jax.tree.leaves(moved)) > 1e-2, "the run must move every array"


@pytest.mark.parametrize("name", ["nesterov", "adamw", "parts", "adam, cosine"])
def test_ours_inside_optax_and_optax_inside_ours(name):
    build = BUILDERS[name]
    reference = run(optax.chain(optax.clip_by_global_norm(1.5), build(optax)))
    ours_in_optax = optax.chain(optax.clip_by_global_norm(1.5), build(optimizers))
    optax_in_ours = optimizers.chain(optimizers.clip_by_global_norm(1.5), build(optax))
    assert_close(run(ours_in_optax), reference)
    assert_close(run(optax_in_ours), reference)


NAMES = [name for name in optimizers.__all__ if name != "Optimizer"]


@pytest.mark.parametrize("name", NAMES)
def test_names_order_and_defaults_are_optaxs(name):
    ours = inspect.signature(getattr(optimizers, name)).parameters
    theirs = inspect.signature(getattr(optax, name)).parameters
    own_word = {"tree": "updates", "parts": "args"}
    required = {"learning_rate"}  # Optax has None for "do not scale".
    positional = []
    for parameter in ours.values():
        twin = theirs[own_word.get(parameter.name, parameter.name)]
        assert parameter.name in required or parameter.default == twin.default
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            positional.append(twin.name)
    assert positional == list(theirs)[: len(positional)] or name == "chain"


def test_the_step_by_step_formula_of_each_optimizer_in_numpy():
    """Three steps on one number, written out, no library."""
    gradients = [0.5, -2.0, 1.0]
    p = {name: 3.0 for name in ("sgd", "momentum", "nesterov", "rms", "adam", "adamw")}
    velocity = nu = mean = square = 0.0
    for t, g in enumerate(gradients, start=1):
        velocity = 0.9 * velocity + g
        nu = 0.9 * nu + 0.1 * g**2
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        step = (mean / (1 - 0.9**t)) / (math.sqrt(square / (1 - 0.999**t)) + 1e-8)
        p["sgd"] -= 0.1 * g
        p["momentum"] -= 0.1 * velocity
        p["nesterov"] -= 0.1 * (0.9 * velocity + g)
        p["rms"] -= 0.1 * g / math.sqrt(nu + 1e-8)
        p["adam"] -= 0.1 * step
        p["adamw"] -= 0.1 * (step + 1e-4 * p["adamw"])
    ours = {
        "sgd": optimizers.sgd(0.1),
        "momentum": optimizers.sgd(0.1, 0.9),
        "nesterov": optimizers.sgd(0.1, 0.9, True),
        "rms": optimizers.rmsprop(0.1),
        "adam": optimizers.adam(0.1),
        "adamw": optimizers.adamw(0.1),
    }
    for name, optimizer in ours.items():
        params = jnp.asarray(3.0)
        state = optimizer.init(params)
        for g in gradients:
            updates, state = optimizer.update(jnp.asarray(g), state, params)
            params = optimizers.apply_updates(params, updates)
        assert float(params) == pytest.approx(p[name], abs=2e-6), name


def test_a_sweep_of_traced_learning_rates_equals_separate_runs():
    rates = jnp.array([0.001, 0.01, 0.05])
    few = jax.tree.map(lambda n: n[:20], NOISE)

    def build(rate):
        return optimizers.adam(optimizers.cosine_decay_schedule(rate, 25))

    together = jax.jit(jax.vmap(lambda rate: run(build(rate), noise=few)))(rates)
    for i, rate in enumerate([0.001, 0.01, 0.05]):
        alone = run(build(rate), noise=few)
        assert_close(jax.tree.map(lambda x, i=i: x[i], together), alone)


@pytest.mark.parametrize("name", ["momentum", "rmsprop", "adam", "adamw, warm-up"])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_dtypes_are_kept(name, dtype):
    optimizer = BUILDERS[name](optimizers)
    params = jax.tree.map(lambda p: p.astype(dtype), PARAMS)
    state = optimizer.init(params)
    updates, new_state = optimizer.update(params, state, params)
    after = optimizers.apply_updates(params, updates)
    dtypes = [x.dtype for x in jax.tree.leaves((updates, after))]
    assert set(dtypes) == {jnp.dtype(dtype)}
    before_and_after = zip(
        jax.tree.leaves(state), jax.tree.leaves(new_state), strict=True
    )
    for old, new in before_and_after:
        assert old.dtype == new.dtype
        assert old.shape == new.shape
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(after))


def test_float32_gradients_leave_a_bfloat16_state_and_parameters_as_they_are():
    params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), PARAMS)
    for optimizer in (optimizers.adamw(0.1), optimizers.sgd(0.1, 0.9, True)):
        state = optimizer.init(params)
        updates, new = optimizer.update(PARAMS, state, params)
        after = optimizers.apply_updates(params, updates)
        assert {x.dtype for x in jax.tree.leaves(after)} == {jnp.dtype(jnp.bfloat16)}
        assert [x.dtype for x in jax.tree.leaves(new)] == [
            x.dtype for x in jax.tree.leaves(state)
        ]


def test_a_traced_float32_rate_keeps_bfloat16():
    def one(rate):
        return optimizers.sgd(rate).update(jnp.ones(2, jnp.bfloat16), ((),))[0]

    optimizer = optimizers.sgd(jnp.float32(0.5))
    state = optimizer.init(jnp.ones(2))
    updates, _ = optimizer.update(jnp.ones(2, jnp.bfloat16), state)
    assert updates.dtype == jnp.bfloat16
    assert jax.jit(one)(jnp.float32(0.5)).dtype == jnp.bfloat16


@pytest.mark.parametrize("name", ["momentum", "rmsprop", "adamw", "clipped sgd"])
def test_zero_gradients_give_no_nan_and_adamw_alone_moves(name):
    optimizer = BUILDERS[name](optimizers)
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    updates, _ = optimizer.update(zeros, optimizer.init(PARAMS), PARAMS)
    for update, p in zip(
        jax.tree.leaves(updates), jax.tree.leaves(PARAMS), strict=True
    ):
        expected = -0.02 * 1e-4 * p if name == "adamw" else jnp.zeros_like(p)
        np.testing.assert_allclose(update, expected, rtol=1e-5)


def test_one_compilation_serves_every_step():
    traces = []
    optimizer = BUILDERS["adamw, warm-up"](optimizers)

    @jax.jit
    def step(params, state):
        traces.append(1)
        updates, state = optimizer.update(params, state, params)
        return optimizers.apply_updates(params, updates), state

    params, state = PARAMS, optimizer.init(PARAMS)
    for _ in range(3):
        params, state = step(params, state)
    assert len(traces) == 1


@pytest.mark.parametrize("bad", [-0.1, -1, math.nan, math.inf, np.float32(-0.5)])
@pytest.mark.parametrize(
    "build", [optimizers.sgd, optimizers.rmsprop, optimizers.adam, optimizers.adamw]
)
def test_a_bad_learning_rate_is_refused(build, bad):
    with pytest.raises(ValueError, match=r"0 <= learning_rate < inf, got"):
        build(bad)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: optimizers.sgd(0.1, momentum=1.0), "0 <= momentum < 1, got 1.0"),
        (lambda: optimizers.sgd(0.1, momentum=-0.1), "0 <= momentum < 1, got -0.1"),
        (lambda: optimizers.sgd(0.1, nesterov=True), "momentum with nesterov=True"),
        (lambda: optimizers.rmsprop(0.1, decay=1.0), "0 <= decay < 1, got 1.0"),
        (lambda: optimizers.rmsprop(0.1, eps=-1e-8), "0 <= eps < inf, got -1e-08"),
        (lambda: optimizers.adam(0.1, b1=1), "0 <= b1 < 1, got 1"),
        (lambda: optimizers.adam(0.1, b2=-0.5), "0 <= b2 < 1, got -0.5"),
        (lambda: optimizers.adam(0.1, b2=1.0), "0 <= b2 < 1, got 1.0"),
        (lambda: optimizers.adam(0.1, eps=-1), "0 <= eps < inf, got -1"),
        (
            lambda: optimizers.adamw(0.1, weight_decay=-0.5),
            "0 <= weight_decay < inf, got -0.5",
        ),
    ],
)
def test_bad_constants_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("rate", [0, 0.0, 1e9])
def test_extreme_but_legal_rates_are_accepted(rate):
    optimizer = optimizers.sgd(rate)
    updates, _ = optimizer.update(jnp.ones(3), optimizer.init(jnp.ones(3)))
    np.testing.assert_array_equal(updates, -np.float32(rate) * np.ones(3))


def test_adamw_without_parameters_is_refused():
    optimizer = optimizers.adamw(0.1)
    with pytest.raises(ValueError, match="got params=None"):
        optimizer.update(jnp.ones(3), optimizer.init(jnp.ones(3)))


@pytest.mark.parametrize("name", ["momentum", "rmsprop", "adam"])
def test_gradients_of_another_shape_are_refused(name):
    optimizer = BUILDERS[name](optimizers)
    state = optimizer.init(jnp.ones((4, 3)))
    with pytest.raises(ValueError, match=r"shape \(4, 3\).*got \(3,\)"):
        optimizer.update(jnp.ones(3), state)
