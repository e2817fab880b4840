"""Convolutions against loops and lax; pooling, fields of view, LeNet and ResNet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from lessons import cnn
from lessons.activations import relu, tanh
from lessons.dnn import glorot_uniform, he_normal
from lessons.norms import layer_norm

KEY = jax.random.key(0)
#           rows, columns, kernel, c_in, c_out, stride, padding, dilation
SETTINGS = [
    (7, 9, (3, 2), 2, 4, 1, 0, 1),
    (7, 9, (3, 2), 2, 4, 1, 2, 1),
    (8, 9, (3, 2), 2, 4, 2, 0, 1),
    (7, 9, (2, 3), 1, 5, 3, 1, 1),
    (9, 11, (3, 2), 3, 2, 1, 0, 3),
    (9, 11, (3, 3), 2, 3, 2, 2, 2),
    (3, 2, (3, 2), 2, 4, 1, 0, 1),
    (4, 5, (1, 1), 3, 2, 1, 0, 1),
]


def drawn(kernel, c_in, c_out):
    """Draw a convolution with every parameter off zero."""
    keys = jax.random.split(KEY)
    w = jax.random.normal(keys[0], (*kernel, c_in, c_out))
    return {"w": w, "b": jax.random.normal(keys[1], (c_out,))}


def by_loops(params, x, stride, padding, dilation):
    """Convolve as the definition says, one output number at a time."""
    w, b = np.asarray(params["w"], np.float64), np.asarray(params["b"], np.float64)
    frame = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    x = np.pad(np.asarray(x, np.float64), frame)
    height, width, _, c_out = w.shape
    rows = (x.shape[1] - dilation * (height - 1) - 1) // stride + 1
    columns = (x.shape[2] - dilation * (width - 1) - 1) // stride + 1
    out = np.zeros((len(x), rows, columns, c_out)) + b
    for n, i, j, o in np.ndindex(*out.shape):
        for di, dj in np.ndindex(height, width):
            pixel = x[n, i * stride + di * dilation, j * stride + dj * dilation]
            out[n, i, j, o] += pixel @ w[di, dj, :, o]
    return out


@pytest.mark.parametrize(
    ("rows", "columns", "kernel", "c_in", "c_out", "stride", "padding", "dilation"),
    SETTINGS,
)
@pytest.mark.parametrize("n", [1, 3])
def test_conv_equals_loops_and_lax(
    n, rows, columns, kernel, c_in, c_out, stride, padding, dilation
):
    params = drawn(kernel, c_in, c_out)
    x = jax.random.normal(jax.random.key(1), (n, rows, columns, c_in))
    got = cnn.conv(params, x, stride=stride, padding=padding, dilation=dilation)
    want = by_loops(params, x, stride, padding, dilation)
    np.testing.assert_allclose(got, want, atol=2e-5)
    other = lax.conv_general_dilated(
        x,
        params["w"],
        window_strides=(stride, stride),
        padding=[(padding, padding)] * 2,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    np.testing.assert_allclose(got, other + params["b"], atol=2e-5)
    sizes = [
        cnn.conv_size(size, k, stride, padding, dilation)
        for size, k in zip((rows, columns), kernel, strict=True)
    ]
    assert got.shape == (n, *sizes, c_out)


def test_conv_uses_stride_one_no_padding_no_dilation_by_default():
    params = drawn((3, 3), 2, 4)
    x = jax.random.normal(KEY, (1, 6, 5, 2))
    np.testing.assert_allclose(
        cnn.conv(params, x), by_loops(params, x, 1, 0, 1), atol=2e-5
    )
    assert cnn.conv_size(6, 3) == 4


def test_conv_gradients_equal_those_of_lax():
    params = drawn((3, 2), 2, 4)
    x = jax.random.normal(KEY, (2, 6, 5, 2))

    def ours(p, x):
        return jnp.sin(cnn.conv(p, x, stride=2, padding=1)).sum()

    def theirs(p, x):
        dims = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(
            x, p["w"], (2, 2), [(1, 1)] * 2, dimension_numbers=dims
        )
        return jnp.sin(y + p["b"]).sum()

    got, want = (jax.grad(f, argnums=(0, 1))(params, x) for f in (ours, theirs))
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, atol=5e-5)


def test_conv_moves_with_its_input():
    params = drawn((3, 3), 2, 4)
    x = jnp.zeros((1, 12, 12, 2)).at[:, 4:7, 4:7].set(1.5)
    shifted = jnp.roll(x, (2, 1), axis=(1, 2))
    y = cnn.conv(params, x, padding=1)
    np.testing.assert_allclose(
        cnn.conv(params, shifted, padding=1),
        jnp.roll(y, (2, 1), axis=(1, 2)),
        atol=1e-6,
    )


def test_conv_init_is_he_over_all_taps():
    params = cnn.conv_init(KEY, (5, 3), 4, 6)
    np.testing.assert_array_equal(
        params["w"], he_normal(KEY, 60, 6).reshape(5, 3, 4, 6)
    )
    np.testing.assert_array_equal(params["b"], np.zeros(6))
    other = cnn.conv_init(KEY, (5, 3), 4, 6, glorot_uniform)
    np.testing.assert_array_equal(other["w"].reshape(60, 6), glorot_uniform(KEY, 60, 6))
    assert cnn.conv_init(KEY, (1, 1), 1, 1)["w"].shape == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("size", "kernel", "kwargs", "want"),
    [
        (28, 5, {}, 24),
        (28, 5, {"padding": 2}, 28),
        (28, 3, {"stride": 2}, 13),
        (28, 3, {"stride": 2, "padding": 1}, 14),
        (10, 3, {"dilation": 4}, 2),
        (5, 5, {}, 1),
        (1, 1, {}, 1),
    ],
)
def test_conv_size(size, kernel, kwargs, want):
    assert cnn.conv_size(size, kernel, **kwargs) == want


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size": 4, "kernel": 5}, "expected a kernel within 4 pixels, got 5"),
        (
            {"size": 4, "kernel": 3, "dilation": 3, "padding": 1},
            "a kernel within 6 pixels, got 7",
        ),
        ({"size": 4, "kernel": 0}, "kernel of at least 1, got 0"),
        ({"size": 0, "kernel": 1}, "size of at least 1, got 0"),
        ({"size": 4, "kernel": 2, "stride": 0}, "stride of at least 1, got 0"),
        ({"size": 4, "kernel": 2, "dilation": 0}, "dilation of at least 1, got 0"),
        ({"size": 4, "kernel": 2, "padding": -1}, "padding of at least 0, got -1"),
    ],
)
def test_conv_size_refuses_the_impossible(kwargs, message):
    with pytest.raises(ValueError, match=message):
        cnn.conv_size(**kwargs)


@pytest.mark.parametrize("shape", [(6, 5, 2), (1, 6, 5, 3), (1, 6, 5)])
def test_conv_refuses_other_shapes(shape):
    got = r"shape \(n, rows, columns, 2\), got"
    with pytest.raises(ValueError, match=got):
        cnn.conv(drawn((3, 3), 2, 4), jnp.zeros(shape))


@pytest.mark.parametrize("kernel", [(0, 3), (3, 0)])
def test_conv_init_refuses_an_empty_kernel(kernel):
    with pytest.raises(ValueError, match=r"kernel (height|width) of at least 1, got 0"):
        cnn.conv_init(KEY, kernel, 1, 1)


@pytest.mark.parametrize("window", [None, 1, 2, 3])
@pytest.mark.parametrize(
    ("pool", "reduce"), [(cnn.max_pool, np.max), (cnn.avg_pool, np.mean)]
)
def test_pools_equal_loops(pool, reduce, window):
    x = jax.random.normal(KEY, (2, 6, 12, 3))
    size = 2 if window is None else window
    got = pool(x) if window is None else pool(x, window)
    assert got.shape == (2, 6 // size, 12 // size, 3)
    for n, i, j, c in np.ndindex(*got.shape):
        tile = np.asarray(x)[n, i * size : (i + 1) * size, j * size : (j + 1) * size, c]
        np.testing.assert_allclose(got[n, i, j, c], reduce(tile), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", [cnn.max_pool, cnn.avg_pool])
@pytest.mark.parametrize("shape", [(1, 5, 4, 1), (1, 4, 5, 1), (4, 4, 1)])
def test_pools_refuse_what_the_windows_do_not_tile(pool, shape):
    with pytest.raises(ValueError, match="rows and columns divisible by 2, got"):
        pool(jnp.zeros(shape))
    with pytest.raises(ValueError, match="window of at least 1, got 0"):
        pool(jnp.zeros((1, 4, 4, 1)), 0)


@pytest.mark.parametrize(
    ("layers", "want"),
    [
        ([], 1),
        ([(3, 1)], 3),
        ([(3, 1), (3, 1)], 5),
        ([(3, 2), (3, 1)], 7),
        ([(5, 1), (2, 2), (5, 1), (2, 2)], 16),
        ([(3, 2), (3, 2), (3, 2)], 15),
    ],
)
def test_receptive_field(layers, want):
    assert cnn.receptive_field(layers) == want


def test_receptive_field_is_what_gradients_reach():
    ones = {"w": jnp.ones((3, 3, 1, 1)), "b": jnp.zeros(1)}

    def centre(x):
        y = cnn.conv(ones, cnn.conv(ones, cnn.conv(ones, x), stride=2), stride=2)
        return y[0, y.shape[1] // 2, y.shape[2] // 2, 0]

    reach = jax.grad(centre)(jnp.ones((1, 41, 41, 1)))[0, :, :, 0]
    assert int((reach.max(axis=0) > 0).sum()) == 9
    assert cnn.receptive_field([(3, 1), (3, 2), (3, 2)]) == 9


def test_lenet_has_the_sizes_of_the_paper():
    params = cnn.lenet_init(KEY)
    count = {k: sum(a.size for a in p.values()) for k, p in params.items()}
    assert count == {
        "conv1": 156,
        "conv2": 2416,
        "dense1": 48120,
        "dense2": 10164,
        "dense3": 850,
    }
    assert cnn.lenet_init(KEY, classes=3)["dense3"]["w"].shape == (84, 3)


def test_lenet_draws_each_layer_from_a_key_of_its_own():
    params, keys = cnn.lenet_init(KEY), jax.random.split(KEY, 5)
    want = {
        "conv1": he_normal(keys[0], 25, 6).reshape(5, 5, 1, 6),
        "conv2": he_normal(keys[1], 150, 16).reshape(5, 5, 6, 16),
        "dense1": he_normal(keys[2], 400, 120),
        "dense2": he_normal(keys[3], 120, 84),
        "dense3": glorot_uniform(keys[4], 84, 10),
    }
    for name, w in want.items():
        np.testing.assert_array_equal(params[name]["w"], w)
        assert not params[name]["b"].any()


@pytest.mark.parametrize("activation", [None, tanh])
def test_lenet_equals_its_parts_in_lax(activation):
    params = cnn.lenet_init(KEY)
    noise = jax.random.key(7)
    params = jax.tree.map(
        lambda p: p + 0.05 * jax.random.normal(noise, p.shape), params
    )
    x = jax.random.uniform(KEY, (3, 28, 28, 1))
    act = activation or relu

    def block(p, h, pad):
        dims = ("NHWC", "HWIO", "NHWC")
        h = lax.conv_general_dilated(
            h, p["w"], (1, 1), [(pad, pad)] * 2, dimension_numbers=dims
        )
        h = act(h + p["b"])
        shape = (1, 2, 2, 1)
        return lax.reduce_window(h, -jnp.inf, lax.max, shape, shape, "VALID")

    h = block(params["conv2"], block(params["conv1"], x, 2), 0).reshape(3, 400)
    for name in ("dense1", "dense2"):
        h = act(h @ params[name]["w"] + params[name]["b"])
    want = h @ params["dense3"]["w"] + params["dense3"]["b"]
    got = cnn.lenet(params, x, *([activation] if activation else []))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 28, 28), (2, 32, 32, 1), (2, 28, 28, 3)])
def test_lenet_refuses_other_images(shape):
    with pytest.raises(ValueError, match=r"shape \(n, 28, 28, 1\), got"):
        cnn.lenet(cnn.lenet_init(KEY), jnp.zeros(shape))


def moved(params):
    """Move every parameter off its starting value."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(3), len(leaves))
    drawn = [jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)]
    return tree.unflatten([p + 0.3 * d for p, d in zip(leaves, drawn, strict=True)])


@pytest.mark.parametrize("activation", [None, tanh])
def test_residual_is_input_plus_function(activation):
    params = moved(cnn.residual_init(KEY, 4))
    x = jax.random.normal(KEY, (2, 5, 6, 4))
    act = activation or relu
    h = act(layer_norm(params["norm1"], x))
    h = by_loops(params["conv1"], h, 1, 1, 1)
    h = act(layer_norm(params["norm2"], jnp.asarray(h, jnp.float32)))
    want = np.asarray(x) + by_loops(params["conv2"], h, 1, 1, 1)
    got = cnn.residual(params, x, *([activation] if activation else []))
    np.testing.assert_allclose(got, want, atol=2e-4)


def test_residual_with_zero_weights_passes_its_input_through():
    params = jax.tree.map(jnp.zeros_like, cnn.residual_init(KEY, 4))
    x = jax.random.normal(KEY, (2, 5, 6, 4))
    np.testing.assert_array_equal(cnn.residual(params, x), x)


def test_residual_init_draws_two_different_convolutions():
    params = cnn.residual_init(KEY, 4)
    assert (params["conv1"]["w"] != params["conv2"]["w"]).all()
    np.testing.assert_array_equal(params["norm1"]["scale"], np.ones(4))
    assert params["norm2"]["scale"].shape == (4,)


def test_resnet_init_has_the_stages_it_is_asked_for():
    params = cnn.resnet_init(KEY, (4, 6, 8), blocks=3, classes=5)
    assert [s["entry"]["w"].shape for s in params["stages"]] == [
        (3, 3, 1, 4),
        (3, 3, 4, 6),
        (3, 3, 6, 8),
    ]
    assert [len(s["blocks"]) for s in params["stages"]] == [3, 3, 3]
    assert params["head"]["w"].shape == (8, 5)
    assert params["norm"]["scale"].shape == (8,)
    kernels = [b["conv1"]["w"] for s in params["stages"][:1] for b in s["blocks"]]
    assert (kernels[0] != kernels[1]).all()
    usual = cnn.resnet_init(KEY)
    assert [s["entry"]["w"].shape[3] for s in usual["stages"]] == [16, 32]
    assert [len(s["blocks"]) for s in usual["stages"]] == [1, 1]
    assert usual["head"]["w"].shape == (32, 10)


@pytest.mark.parametrize("activation", [None, tanh])
def test_resnet_equals_its_parts(activation):
    params = moved(cnn.resnet_init(KEY, (3, 4), blocks=2, classes=5))
    x = jax.random.uniform(KEY, (2, 8, 10, 1))
    act = activation or relu
    extra = [activation] if activation else []
    first, second = params["stages"]
    h = cnn.conv(first["entry"], x, padding=1)
    for block in first["blocks"]:
        h = cnn.residual(block, h, *extra)
    h = cnn.conv(second["entry"], h, padding=1, stride=2)
    assert h.shape == (2, 4, 5, 4)
    for block in second["blocks"]:
        h = cnn.residual(block, h, *extra)
    h = act(layer_norm(params["norm"], h)).reshape(2, 20, 4).mean(axis=1)
    want = h @ params["head"]["w"] + params["head"]["b"]
    np.testing.assert_allclose(cnn.resnet(params, x, *extra), want, atol=2e-5)


@pytest.mark.parametrize(
    ("channels", "blocks", "message"),
    [
        ((), 1, "at least one stage, got none"),
        ((4,), 0, "blocks of at least 1, got 0"),
        ((0,), 1, r"sizes of at least 1, got \(9, 0\)"),
    ],
)
def test_resnet_init_refuses_the_impossible(channels, blocks, message):
    with pytest.raises(ValueError, match=message):
        cnn.resnet_init(KEY, channels, blocks)
