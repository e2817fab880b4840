"""Decoding against exhaustive search, plain loops, and its own promises."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from lessons.decoding import beam, greedy

K, STEPS, PAD, START, END = 6, 4, 0, 2, 3
ORDINARY = [1, 4, 5]
SEVERAL = len(ORDINARY) + 1  # symbols that may come next, the end among them


def drawn(seed, batch=3, scale=2.0):
    """Weights of a model that looks at all symbols so far, and its context."""
    keys = jax.random.split(jax.random.key(seed), 2)
    params = scale * jax.random.normal(keys[0], (STEPS, K, K))
    return params, scale * jax.random.normal(keys[1], (batch, K))


def next_logits(params, context, ids, t):
    """Add up one table a position, up to t; what stands to the right is ignored."""
    rows = params[jnp.arange(STEPS), ids[:, :STEPS]]  # (B, STEPS, K)
    seen = (jnp.arange(STEPS) <= t)[:, None]
    return context + jnp.where(seen, rows, 0).sum(axis=1)


def log_p_of(params, context, written, start=START, pad=PAD):
    """Score one sequence by a loop in float64."""
    total, ids = 0.0, [start, *written]
    for t, symbol in enumerate(written):
        logits = np.asarray(context, np.float64).copy()
        for place, seen in enumerate(ids[: t + 1]):
            logits += np.asarray(params, np.float64)[place, seen]
        logits[[start, pad]] = -np.inf
        total += log_softmax(logits)[symbol]
    return total


def every_sequence(ordinary=ORDINARY, end=END):
    """List all that can be written: up to the end symbol, or STEPS ordinary ones."""
    for size in range(STEPS):
        for body in itertools.product(ordinary, repeat=size):
            yield (*body, end)
    yield from itertools.product(ordinary, repeat=STEPS)


def ranked(params, context, penalty):
    """Rank all sequences: (rank, log_p, ids), best first."""
    found = []
    for written in every_sequence():
        log_p = log_p_of(params, context, written)
        rank = log_p / ((5 + len(written)) / 6) ** penalty
        found.append((rank, log_p, (*written, *[PAD] * (STEPS - len(written)))))
    return sorted(found, reverse=True)


def search(params, context, width, **options):
    return beam(next_logits, params, context, width=width, steps=STEPS, **options)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("penalty", [0.0, 0.7, 3.0])
def test_a_beam_that_holds_everything_is_exhaustive_search(seed, penalty):
    params, context = drawn(seed, scale=1.0)
    wide = SEVERAL**STEPS
    ids, log_p = search(params, context, wide, length_penalty=penalty)
    for b in range(len(context)):
        want = ranked(params, context[b], penalty)
        assert len(want) == len(set(w[2] for w in want)) == 121
        assert ids[b, :20].tolist() == [list(w[2]) for w in want[:20]]
        want_log_p = [w[1] for w in want]
        np.testing.assert_allclose(log_p[b, :121], want_log_p, atol=1e-4)
        assert np.isneginf(log_p[b, 121:]).all()


def test_the_penalty_changes_the_winner_and_is_off_by_default():
    params, context = drawn(0, scale=1.0)
    wide = SEVERAL**STEPS
    plain = search(params, context, wide)[0][:, 0]
    np.testing.assert_array_equal(
        plain, search(params, context, wide, length_penalty=0.0)[0][:, 0]
    )
    long = search(params, context, wide, length_penalty=6.0)[0][:, 0]
    assert ((long != PAD).sum(axis=1) >= (plain != PAD).sum(axis=1)).all()
    assert ((long != PAD).sum(axis=1) > (plain != PAD).sum(axis=1)).any()


@pytest.mark.parametrize("seed", range(5))
def test_greedy_equals_a_loop(seed):
    params, context = drawn(seed)
    ids, log_p = greedy(next_logits, params, context, steps=STEPS)
    assert ids.shape == (3, STEPS) and log_p.shape == (3,)
    for b in range(3):
        written = []
        while len(written) < STEPS and END not in written:
            options = [*ORDINARY, END]
            scores = [log_p_of(params, context[b], [*written, s]) for s in options]
            written.append(options[int(np.argmax(scores))])
        assert ids[b].tolist() == written + [PAD] * (STEPS - len(written))
        want = log_p_of(params, context[b], written)
        np.testing.assert_allclose(log_p[b], want, atol=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_a_beam_of_one_is_greedy(penalty):
    params, context = drawn(7, batch=20)
    ids, log_p = search(params, context, 1, length_penalty=penalty)
    want, want_log_p = greedy(next_logits, params, context, steps=STEPS)
    np.testing.assert_array_equal(ids[:, 0], want)
    np.testing.assert_array_equal(log_p[:, 0], want_log_p)


def by_lists(params, context, width, penalty):
    """Search with a beam, in Python lists."""
    live = [((), 0.0)]
    for _ in range(STEPS):
        grown = []
        for body, log_p in live:
            if END in body:
                grown.append((body, log_p))
                continue
            for symbol in [*ORDINARY, END]:
                longer = (*body, symbol)
                grown.append((longer, log_p_of(params, context, longer)))
        grown.sort(key=lambda h: -h[1] / ((5 + len(h[0])) / 6) ** penalty)
        live = grown[:width]
    return live


@pytest.mark.parametrize("penalty", [0.0, 0.6])
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_beam_equals_lists(width, penalty):
    params, context = drawn(3, batch=6)
    ids, log_p = search(params, context, width, length_penalty=penalty)
    assert ids.shape == (6, width, STEPS) and log_p.shape == (6, width)
    for b in range(6):
        want = by_lists(params, context[b], width, penalty)
        padded = [[*body, *[PAD] * (STEPS - len(body))] for body, _ in want]
        assert ids[b].tolist() == padded
        np.testing.assert_allclose(log_p[b], [w[1] for w in want], atol=1e-5)


def test_a_beam_finds_what_greedy_misses():
    params, context = drawn(11, batch=50)
    _, one = greedy(next_logits, params, context, steps=STEPS)
    _, many = search(params, context, SEVERAL**STEPS)
    assert (many[:, 0] >= one - 1e-5).all()
    assert (many[:, 0] > one + 0.01).any()


def test_each_sequence_is_decoded_as_if_alone():
    params, context = drawn(5, batch=8)
    together = search(params, context, 3)
    for b in range(8):
        ids, log_p = search(params, context[b : b + 1], 3)
        np.testing.assert_array_equal(ids[0], together[0][b])
        np.testing.assert_allclose(log_p[0], together[1][b], atol=1e-5)


def test_context_is_a_tree_and_follows_its_sequence():
    def following(params, context, ids, t):
        first, rest = context["first"], context["rest"]
        wanted = jnp.where(t == 0, first, rest[jnp.arange(len(rest)), t])
        return 9 * jax.nn.one_hot(wanted, K) + 0.1 * jnp.arange(K)

    rest = jnp.array([[0, 5, 3], [0, 3, 3]])
    context = {"first": jnp.array([4, 5]), "rest": rest}
    ids, _ = beam(following, None, context, width=2, steps=3)
    assert ids[:, 0].tolist() == [[4, 5, 3], [5, 3, 0]]


def test_special_symbols_can_have_other_numbers():
    moved = {"start": 5, "end": 1, "pad": 4}
    params, context = drawn(2)
    ids, log_p = greedy(next_logits, params, context, steps=STEPS, **moved)
    _, wide_log_p = search(params, context, 256, **moved)
    for b in range(3):
        body = [s for s in ids[b].tolist() if s != 4]
        assert 5 not in body
        np.testing.assert_allclose(
            log_p[b], log_p_of(params, context[b], body, start=5, pad=4), atol=1e-5
        )
        scores = [
            log_p_of(params, context[b], w, start=5, pad=4)
            for w in every_sequence([0, 2, 3], end=1)
        ]
        np.testing.assert_allclose(wide_log_p[b, 0], max(scores), atol=1e-5)
    assert (ids == 1).any(axis=1).sum() >= 1


def test_start_and_padding_are_never_chosen():
    def eager(params, context, ids, t):
        return jnp.tile(jnp.array([9.0, 0, 8, 1, 2, 0]), (len(ids), 1))

    ids, log_p = greedy(eager, None, jnp.zeros(1), steps=2)
    assert ids.tolist() == [[4, 4]]
    want = 2 * log_softmax([0, 1, 2, 0])[2]
    np.testing.assert_allclose(log_p, [want], atol=1e-6)


def test_the_end_may_come_at_once_and_nothing_follows_it():
    def stop(params, context, ids, t):
        return jnp.tile(jnp.array([0.0, 0, 0, 50, 0, 0]), (len(ids), 1))

    ids, log_p = greedy(stop, None, jnp.zeros(2), steps=3)
    assert ids.tolist() == [[END, PAD, PAD]] * 2
    np.testing.assert_allclose(log_p, 0, atol=1e-6)


def test_the_search_stops_when_all_have_ended():
    seen = []

    def noisy(params, context, ids, t):
        jax.debug.callback(lambda t: seen.append(int(t)), t, ordered=True)
        return jnp.tile(jnp.array([0.0, 0, 0, 50, 0, 0]), (len(ids), 1))

    jax.block_until_ready(greedy(noisy, None, jnp.zeros(2), steps=30))
    jax.effects_barrier()
    assert seen == [0]


def test_new_parameters_compile_nothing():
    traced = []

    def counted(params, context, ids, t):
        traced.append(1)
        return next_logits(params, context, ids, t)

    counts = []
    for seed, penalty in [(0, 0.0), (1, 0.0), (1, 0.5)]:
        params, context = drawn(seed)
        _, log_p = beam(
            counted, params, context, width=2, steps=STEPS, length_penalty=penalty
        )
        jax.block_until_ready(log_p)
        counts.append(len(traced))
    assert counts[0] == counts[1] == counts[2] > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: search(*drawn(0), 0), "width"),
        (lambda: beam(next_logits, None, jnp.zeros(1), width=1, steps=0), "steps"),
        (lambda: greedy(next_logits, None, jnp.zeros(1), steps=0), "steps"),
        (
            lambda: greedy(next_logits, None, None, steps=2),
            "expected a context with one row a sequence, got no array",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
