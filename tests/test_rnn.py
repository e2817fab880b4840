"""Recurrent layers against NumPy loops, masks that do not leak, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from lessons import rnn
from lessons.activations import relu
from lessons.dnn import glorot_uniform
from lessons.masks import length_mask

KEY = jax.random.key(0)
LAYERS = {
    "rnn": (rnn.rnn_init, rnn.rnn),
    "lstm": (rnn.lstm_init, rnn.lstm),
    "gru": (rnn.gru_init, rnn.gru),
}
B, T, D, H = 3, 5, 2, 4


def drawn(name, n_in=D, width=H):
    """Make parameters and move each off its starting value."""
    leaves, tree = jax.tree.flatten(LAYERS[name][0](KEY, n_in, width))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noise = [jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)]
    return tree.unflatten([p + 0.5 * n for p, n in zip(leaves, noise, strict=True)])


def sequences(n=B, steps=T):
    return jax.random.normal(jax.random.key(2), (n, steps, D))


def by_loop(name, params, x, h=None, c=None):
    """Read one sequence (T, D) step by step from the gate equations in float64."""
    p = {k: np.asarray(v, np.float64) for k, v in params.items()}
    x, width = np.asarray(x, np.float64), p["w_h"].shape[0]
    h = np.zeros(width) if h is None else np.asarray(h, np.float64)
    c = np.zeros(width) if c is None else np.asarray(c, np.float64)
    rows = []
    for x_t in x:
        if name == "rnn":
            h = np.tanh(x_t @ p["w_x"] + h @ p["w_h"] + p["b"])
        elif name == "lstm":
            z = [
                x_t @ p["w_x"][:, k] + h @ p["w_h"][:, k] + p["b"][k] for k in range(4)
            ]
            c = expit(z[1]) * c + expit(z[0]) * np.tanh(z[2])
            h = expit(z[3]) * np.tanh(c)
        else:
            from_x = [x_t @ p["w_x"][:, k] + p["b"][k] for k in range(3)]
            from_h = [h @ p["w_h"][:, k] for k in range(3)]
            r, u = expit(from_x[0] + from_h[0]), expit(from_x[1] + from_h[1])
            n = np.tanh(from_x[2] + r * (from_h[2] + p["b_h"]))
            h = u * h + (1 - u) * n
        rows.append(h)
    return np.array(rows).reshape(-1, width), h, c


def shown(state):
    """Return the part of a state that is shown."""
    return state.h if isinstance(state, rnn.LstmState) else state


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("n", "steps"), [(3, 5), (1, 5), (3, 1), (1, 1)])
def test_layers_equal_the_gate_equations(name, n, steps):
    params, x = drawn(name), sequences(n, steps)
    outputs, state = LAYERS[name][1](params, x)
    assert outputs.shape == (n, steps, H)
    for i in range(n):
        want, h, c = by_loop(name, params, x[i])
        np.testing.assert_allclose(outputs[i], want, atol=1e-5)
        np.testing.assert_allclose(shown(state)[i], h, atol=1e-5)
        if name == "lstm":
            np.testing.assert_allclose(state.c[i], c, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_given_state_is_where_reading_starts(name):
    params, x = drawn(name), sequences()
    h, c = jax.random.normal(KEY, (2, B, H))
    start = rnn.LstmState(h, c) if name == "lstm" else h
    outputs, _ = LAYERS[name][1](params, x, state=start)
    for i in range(B):
        want, _, _ = by_loop(name, params, x[i], h[i], c[i])
        np.testing.assert_allclose(outputs[i], want, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_two_halves_equal_the_whole(name):
    params, x = drawn(name), sequences()
    read = LAYERS[name][1]
    whole, end = read(params, x)
    first, state = read(params, x[:, :2])
    second, last = read(params, x[:, 2:], state=state)
    joined = jnp.concatenate([first, second], axis=1)
    np.testing.assert_allclose(joined, whole, atol=1e-6)
    np.testing.assert_allclose(shown(last), shown(end), atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_a_padded_batch_gives_what_each_sequence_gives_alone(name):
    params, x = drawn(name), sequences()
    read = LAYERS[name][1]
    lengths = jnp.array([5, 2, 3])
    outputs, state = read(params, x, lengths)
    for i, length in enumerate([5, 2, 3]):
        alone, end = read(params, x[i : i + 1, :length])
        np.testing.assert_allclose(outputs[i, :length], alone[0], atol=1e-6)
        assert (outputs[i, length:] == 0).all()
        pairs = zip(jax.tree.leaves(state), jax.tree.leaves(end), strict=True)
        for batched, single in pairs:
            np.testing.assert_allclose(batched[i], single[0], atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("padding", [1e6, np.nan])
def test_padding_leaks_neither_into_values_nor_into_gradients(name, padding):
    params, x = drawn(name), sequences()
    read, lengths = LAYERS[name][1], jnp.array([5, 2, 0])
    real = length_mask(lengths, T)[..., None]

    def total(params, x):
        outputs, state = read(params, x, lengths)
        return jnp.square(outputs).sum() + jnp.square(shown(state)).sum()

    clean, dirty = jnp.where(real, x, 0), jnp.where(real, x, padding)
    assert total(params, clean) == total(params, dirty)
    slope = jax.grad(total, argnums=1)(params, clean)
    assert (jnp.where(real, 0, slope) == 0).all()
    assert (jnp.where(real, slope, 1) != 0).all()


@pytest.mark.parametrize("name", LAYERS)
def test_an_empty_sequence_keeps_the_state_it_was_given(name):
    params, x = drawn(name), sequences(2)
    h, c = jax.random.normal(KEY, (2, 2, H))
    start = rnn.LstmState(h, c) if name == "lstm" else h
    _, state = LAYERS[name][1](params, x, jnp.array([0, 3]), start)
    pairs = zip(jax.tree.leaves(state), jax.tree.leaves(start), strict=True)
    for end, begin in pairs:
        np.testing.assert_array_equal(end[0], begin[0])
        assert (end[1] != begin[1]).all()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    ("of_params", "of_x", "of_state", "lengths", "want"),
    [
        ("float64", "float32", None, None, "float64"),
        ("float32", "float64", None, [5, 2, 0], "float64"),
        ("float32", "float32", "float64", [5, 2, 0], "float64"),
        ("float32", "int32", None, None, "float32"),
        ("float64", "int8", "float32", [5, 2, 0], "float64"),
        ("bfloat16", "bool", "bfloat16", None, "bfloat16"),
    ],
)
def test_mixed_types_give_the_promoted_one(
    name, of_params, of_x, of_state, lengths, want
):
    h, c, start = None, None, None
    with jax.enable_x64(True):
        params = {k: p.astype(of_params) for k, p in drawn(name).items()}
        x = jnp.round(2 * sequences()).astype(of_x)
        if of_state is not None:
            h, c = jax.random.normal(KEY, (2, B, H)).astype(of_state)
            start = rnn.LstmState(h, c) if name == "lstm" else h
        lengths = None if lengths is None else jnp.array(lengths)
        outputs, state = LAYERS[name][1](params, x, lengths, start)
        assert {a.dtype.name for a in jax.tree.leaves((outputs, state))} == {want}
    first = by_loop(name, params, x[0], *(a if a is None else a[0] for a in (h, c)))
    # The product with the inputs is as precise as its own two types.
    product = jnp.promote_types(of_params, of_x).name
    atol = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 5e-2}[product]
    np.testing.assert_allclose(outputs[0], first[0], atol=atol)


@pytest.mark.parametrize("name", LAYERS)
def test_one_leaf_of_another_type_is_enough(name):
    single, x = drawn(name), sequences()
    with jax.enable_x64(True):
        for leaf in single:
            params = single | {leaf: single[leaf].astype("float64")}
            outputs, state = LAYERS[name][1](params, x)
            types = {a.dtype.name for a in jax.tree.leaves((outputs, state))}
            assert types == {"float64"}, leaf


@pytest.mark.parametrize("name", LAYERS)
def test_whole_numbers_alone_give_floats(name):
    params = {k: jnp.round(2 * p).astype(int) for k, p in drawn(name).items()}
    x = np.round(2 * sequences()).astype(int)
    outputs, state = LAYERS[name][1](params, x)
    assert outputs.dtype == shown(state).dtype == jnp.float32
    np.testing.assert_allclose(outputs[0], by_loop(name, params, x[0])[0], atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_numpy_doubles_are_read_without_a_warning(name, recwarn):
    x, h = np.ones((B, T, D)), np.zeros((B, H))
    start = rnn.LstmState(h, h) if name == "lstm" else h
    outputs, _ = LAYERS[name][1](drawn(name), x, state=start)
    assert outputs.dtype == jnp.float32
    assert not recwarn.list


def test_rnn_uses_tanh_unless_told_otherwise():
    params, x = drawn("rnn"), sequences()
    outputs, _ = rnn.rnn(params, x, activation=relu)
    first = x[:, 0] @ params["w_x"] + params["b"]
    np.testing.assert_allclose(outputs[:, 0], jnp.maximum(first, 0), atol=1e-6)
    usual, _ = rnn.rnn(params, x)
    np.testing.assert_allclose(usual[:, 0], jnp.tanh(first), atol=1e-6)


@pytest.mark.parametrize(("n_in", "n_out"), [(5, 5), (7, 3), (3, 7), (1, 1)])
def test_orthogonal_matrices_keep_lengths(n_in, n_out):
    w = rnn.orthogonal(KEY, n_in, n_out)
    assert w.shape == (n_in, n_out)
    square = w.T @ w if n_in >= n_out else w @ w.T
    np.testing.assert_allclose(square, np.eye(min(n_in, n_out)), atol=1e-5)
    assert (w != rnn.orthogonal(jax.random.key(5), n_in, n_out)).any() or n_in == 1


def test_orthogonal_matrices_are_drawn_evenly():
    keys = jax.random.split(KEY, 400)
    corner = jax.vmap(lambda k: rnn.orthogonal(k, 3, 3)[0, 0])(keys)
    # an even draw has mean 0 and variance 1/3; a fixed sign would bias the mean to 0.5
    assert abs(float(corner.mean())) < 0.12
    assert abs(float(jnp.square(corner).mean()) - 1 / 3) < 0.06


def test_plain_parameters_come_from_their_keys():
    params = rnn.rnn_init(KEY, D, H)
    key_x, key_h = jax.random.split(KEY)
    np.testing.assert_array_equal(params["w_x"], glorot_uniform(key_x, D, H))
    np.testing.assert_array_equal(params["w_h"], rnn.orthogonal(key_h, H, H))
    np.testing.assert_array_equal(params["b"], np.zeros(H))


@pytest.mark.parametrize(("name", "gates"), [("lstm", 4), ("gru", 3)])
def test_each_gate_has_weights_of_its_own(name, gates):
    params = LAYERS[name][0](KEY, D, H)
    key_x, key_h = jax.random.split(KEY)
    for k in range(gates):
        w_x = glorot_uniform(jax.random.split(key_x, gates)[k], D, H)
        w_h = rnn.orthogonal(jax.random.split(key_h, gates)[k], H, H)
        np.testing.assert_array_equal(params["w_x"][:, k], w_x)
        np.testing.assert_array_equal(params["w_h"][:, k], w_h)
    if name == "lstm":
        want = np.zeros((4, H))
        want[1] = 1
        np.testing.assert_array_equal(params["b"], want)
    else:
        np.testing.assert_array_equal(params["b"], np.zeros((3, H)))
        np.testing.assert_array_equal(params["b_h"], np.zeros(H))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((B, T), None, r"expected x of shape \(B, T, 2\), got \(3, 5\)"),
        ((B, T, 3), None, r"expected x of shape \(B, T, 2\), got \(3, 5, 3\)"),
        ((B, T, D), (B, 1), r"expected lengths of shape \(3,\), got \(3, 1\)"),
        ((B, T, D), (1,), r"expected lengths of shape \(3,\), got \(1,\)"),
    ],
)
def test_wrong_shapes_are_refused(name, shape, lengths, message):
    lengths = None if lengths is None else jnp.ones(lengths, int)
    with pytest.raises(ValueError, match=message):
        LAYERS[name][1](drawn(name), jnp.zeros(shape), lengths)


@pytest.mark.parametrize("name", LAYERS)
def test_a_wrong_state_is_refused(name):
    state = jnp.zeros((1, H))
    state = rnn.LstmState(state, state) if name == "lstm" else state
    with pytest.raises(ValueError, match=r"state of shape \(3, 4\), got \(1, 4\)"):
        LAYERS[name][1](drawn(name), sequences(), state=state)


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
@pytest.mark.parametrize("name", LAYERS)
def test_sizes_below_one_are_refused(name, sizes):
    with pytest.raises(ValueError, match=r"at least 1, got"):
        LAYERS[name][0](KEY, *sizes)
    with pytest.raises(ValueError, match=r"n_(in|out) of at least 1, got 0"):
        rnn.orthogonal(KEY, *sizes)
