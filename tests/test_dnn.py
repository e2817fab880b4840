"""Layers against NumPy loops; initialisers against the variance they promise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import dnn
from lessons.activations import relu, tanh

KEY = jax.random.key(0)
#               standard deviation and largest size for 300 inputs and 500 outputs
INITIALISERS = {
    "standard_normal": (1, np.inf),
    "glorot_normal": (np.sqrt(2 / 800), np.inf),
    "glorot_uniform": (np.sqrt(2 / 800), np.sqrt(6 / 800)),
    "he_normal": (np.sqrt(2 / 300), np.inf),
    "he_uniform": (np.sqrt(2 / 300), np.sqrt(6 / 300)),
}


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_keep_their_promise(name):
    std, bound = INITIALISERS[name]
    w = np.asarray(getattr(dnn, name)(KEY, 300, 500), np.float64)
    assert w.shape == (300, 500)
    # 150,000 draws: the standard error of the mean is 0.0026 std, of the std 0.0018.
    assert abs(w.mean()) < 0.012 * std
    assert abs(w.std() / std - 1) < 0.01
    assert np.abs(w).max() <= bound * (1 + 1e-6)
    if bound < np.inf:
        assert w.max() > 0.999 * bound
        assert w.min() < -0.999 * bound
    else:
        assert np.abs(w).max() > 3.5 * std


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_follow_the_key(name):
    init = getattr(dnn, name)
    first = init(KEY, 4, 3)
    np.testing.assert_array_equal(first, init(KEY, 4, 3))
    assert (first != init(jax.random.key(1), 4, 3)).all()


@pytest.mark.parametrize("name", INITIALISERS)
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3)])
def test_initialisers_refuse_impossible_sizes(name, sizes):
    got = rf"sizes of at least 1, got \({sizes[0]}, {sizes[1]}\)"
    with pytest.raises(ValueError, match=got):
        getattr(dnn, name)(KEY, *sizes)


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_allow_a_single_number(name):
    assert getattr(dnn, name)(KEY, 1, 1).shape == (1, 1)


def test_he_keeps_the_mean_square_through_thirty_relu_layers():
    h = jax.random.normal(KEY, (64, 512))
    for key in jax.random.split(KEY, 30):
        h = relu(h @ dnn.he_normal(key, 512, 512))
    # after ReLU the mean square is half that of the pre-activation, which stays near 1
    assert 0.2 < float(jnp.square(h).mean()) * 2 < 5


def test_dense_init_draws_glorot_weights_and_zero_biases():
    params = dnn.dense_init(KEY, 4, 3)
    np.testing.assert_array_equal(params["w"], dnn.glorot_uniform(KEY, 4, 3))
    np.testing.assert_array_equal(params["b"], np.zeros(3))
    other = dnn.dense_init(KEY, 4, 3, dnn.he_normal)
    np.testing.assert_array_equal(other["w"], dnn.he_normal(KEY, 4, 3))


@pytest.mark.parametrize("lead", [(), (1,), (5,), (2, 6)])
def test_dense_equals_a_loop(lead):
    keys = jax.random.split(KEY, 3)
    params = {
        "w": jax.random.normal(keys[0], (4, 3)),
        "b": jax.random.normal(keys[1], (3,)),
    }
    x = jax.random.normal(keys[2], (*lead, 4))
    rows = np.asarray(x).reshape(-1, 4)
    w, b = np.asarray(params["w"]), np.asarray(params["b"])
    want = [
        [sum(row[i] * w[i, j] for i in range(4)) + b[j] for j in range(3)]
        for row in rows
    ]
    got = dnn.dense(params, x)
    assert got.shape == (*lead, 3)
    np.testing.assert_allclose(got.reshape(-1, 3), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 3), (4, 1), (), (4, 5)])
def test_dense_refuses_a_wrong_last_axis(shape):
    params = dnn.dense_init(KEY, 4, 3)
    with pytest.raises(ValueError, match=r"expected x of shape \(..., 4\), got"):
        dnn.dense(params, jnp.zeros(shape))


def test_mlp_init_gives_each_layer_its_shape_key_and_initialiser():
    params = dnn.mlp_init(KEY, [5, 4, 4, 2])
    assert [p["w"].shape for p in params] == [(5, 4), (4, 4), (4, 2)]
    assert [p["b"].shape for p in params] == [(4,), (4,), (2,)]
    keys = jax.random.split(KEY, 3)
    for layer, key in zip(params, keys, strict=True):
        np.testing.assert_array_equal(layer["w"], dnn.he_normal(key, *layer["w"].shape))
    other = dnn.mlp_init(KEY, [5, 2], dnn.glorot_uniform)
    want = dnn.glorot_uniform(jax.random.split(KEY, 1)[0], 5, 2)
    np.testing.assert_array_equal(other[0]["w"], want)


@pytest.mark.parametrize("sizes", [[], [3]])
def test_mlp_init_needs_two_sizes(sizes):
    with pytest.raises(ValueError, match=r"at least two sizes, got \["):
        dnn.mlp_init(KEY, sizes)


def off_zero(params, key):
    """Move every parameter off zero, biases included."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    noise = [jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)]
    return tree.unflatten([x + n for x, n in zip(leaves, noise, strict=True)])


@pytest.mark.parametrize("activation", [relu, tanh])
@pytest.mark.parametrize("sizes", [[3, 2], [3, 5, 2], [3, 5, 4, 2]])
def test_mlp_equals_numpy(activation, sizes):
    params = off_zero(dnn.mlp_init(KEY, sizes), jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (7, 3))
    h = np.asarray(x)
    for i, layer in enumerate(params):
        h = h @ np.asarray(layer["w"]) + np.asarray(layer["b"])
        if i < len(params) - 1:
            h = np.asarray(activation(h))
    np.testing.assert_allclose(dnn.mlp(params, x, activation), h, rtol=1e-4, atol=1e-5)


def test_mlp_uses_relu_by_default_and_works_on_one_example():
    params = off_zero(dnn.mlp_init(KEY, [3, 6, 2]), jax.random.key(1))
    x = jax.random.normal(KEY, (4, 3))
    np.testing.assert_array_equal(dnn.mlp(params, x), dnn.mlp(params, x, relu))
    one = dnn.mlp(params, x[0])
    assert one.shape == (2,)
    np.testing.assert_allclose(one, dnn.mlp(params, x)[0], rtol=1e-5, atol=1e-6)


def test_mlp_refuses_no_layers():
    with pytest.raises(ValueError, match="at least one layer, got none"):
        dnn.mlp([], jnp.zeros((2, 3)))


def test_embedding_looks_up_rows_of_unit_length_on_average():
    table = dnn.embedding_init(KEY, 500, 64)["table"]
    assert table.shape == (500, 64)
    assert abs(float(jnp.square(table).sum(axis=1).mean()) - 1) < 0.03
    assert abs(float(table.mean())) < 0.005
    assert (table != dnn.embedding_init(jax.random.key(1), 500, 64)["table"]).all()


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3)])
def test_embed_equals_one_hot_times_table(shape):
    params = dnn.embedding_init(KEY, 7, 3)
    ids = jax.random.randint(jax.random.key(1), shape, 0, 7)
    want = jax.nn.one_hot(ids, 7) @ params["table"]
    np.testing.assert_allclose(dnn.embed(params, ids), want, atol=1e-6)


@pytest.mark.parametrize("wrong", [-1, 7, 99])
def test_embed_gives_nan_outside_the_table(wrong):
    params = dnn.embedding_init(KEY, 7, 3)
    rows = dnn.embed(params, jnp.array([wrong, 6, 0]))
    assert jnp.isnan(rows[0]).all()
    np.testing.assert_array_equal(rows[1:], params["table"][jnp.array([6, 0])])


def test_embed_refuses_floats_and_empty_tables():
    with pytest.raises(ValueError, match="expected integer ids, got float32"):
        dnn.embed(dnn.embedding_init(KEY, 7, 3), jnp.ones(2))
    for sizes in [(0, 3), (3, 0)]:
        with pytest.raises(ValueError, match="sizes of at least 1"):
            dnn.embedding_init(KEY, *sizes)
