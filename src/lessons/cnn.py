"""Convolutional networks: convolution, pooling, LeNet and a residual network.

Images are (n, height, width, channels). A convolution is written as shifted slices
times a matrix: one slice per position of the kernel, side by side, then one matrix
product. On the CPU this is several times faster inside ``lax.scan`` than ``lax.conv``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lessons._checks import check_positive_int
from lessons.activations import relu
from lessons.dnn import Initialiser, Params, dense, dense_init, he_normal
from lessons.norms import layer_norm, layer_norm_init


def conv_init(
    key: Array,
    kernel: tuple[int, int],
    c_in: int,
    c_out: int,
    init: Initialiser = he_normal,
) -> Params:
    """Make the parameters of a convolution.

    ``w`` is drawn as a matrix of ``height * width * c_in`` inputs and ``c_out``
    outputs; ``b = 0``.

    Parameters
    ----------
    key : JAX random key
    kernel : pair of int
        Height and width of the kernel.
    c_in, c_out : int
        Channels of the input and of the output.
    init : function (key, n_in, n_out) -> array of shape (n_in, n_out)

    Returns
    -------
    dict
        ``w`` of shape (height, width, c_in, c_out) and ``b`` of shape (c_out,).

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    Glorot's rule counts ``height * width * c_out`` outputs; this one counts ``c_out``.
    He's rule looks at the inputs alone. Built in chapter 07.

    Examples
    --------
    >>> params = conv_init(jax.random.key(0), (5, 3), 1, 6)
    >>> params["w"].shape, params["b"].shape
    ((5, 3, 1, 6), (6,))
    """
    height, width = kernel
    check_positive_int("kernel height", height)
    check_positive_int("kernel width", width)
    params = dense_init(key, height * width * c_in, c_out, init)
    return {"w": params["w"].reshape(height, width, c_in, c_out), "b": params["b"]}


def conv(
    params: Params,
    x: Array,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Array:
    """Slide a kernel over images.

    ``out[b, i, j] = sum over di, dj of
    x[b, i * stride + di * dilation, j * stride + dj * dilation] @ w[di, dj] + b``,
    with ``x`` first framed by ``padding`` zeros on each side.

    Parameters
    ----------
    params : dict
        ``w`` of shape (height, width, c_in, c_out) and ``b`` of shape (c_out,).
    x : array of shape (n, rows, columns, c_in)
    stride : int
        Pixels from one position of the kernel to the next.
    padding : int
        Zeros added on each of the four sides.
    dilation : int
        Pixels from one tap of the kernel to the next.

    Returns
    -------
    array of shape (n, out_rows, out_columns, c_out)
        Sizes as given by ``conv_size``.

    Raises
    ------
    ValueError
        If ``x`` is not (n, rows, columns, c_in), or the kernel is larger than the
        padded image, or a setting is impossible.

    Notes
    -----
    This is cross-correlation, as in every deep-learning library; the convolution of
    mathematics turns the kernel by 180 degrees first. LeCun, Bottou, Bengio and
    Haffner (1998). Built in chapter 07.

    Examples
    --------
    >>> params = {"w": jnp.ones((2, 2, 1, 1)), "b": jnp.zeros(1)}
    >>> x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> conv(params, x)[0, :, :, 0].tolist()
    [[8.0, 12.0], [20.0, 24.0]]
    """
    height, width, c_in, c_out = params["w"].shape
    _check_images(x, c_in)
    rows = conv_size(x.shape[1], height, stride, padding, dilation)
    columns = conv_size(x.shape[2], width, stride, padding, dilation)
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    slices = []
    for top in range(0, height * dilation, dilation):
        for left in range(0, width * dilation, dilation):
            window = x[:, top : top + (rows - 1) * stride + 1 : stride]
            slices.append(
                window[:, :, left : left + (columns - 1) * stride + 1 : stride]
            )
    patches = jnp.concatenate(slices, axis=-1)  # (n, rows, columns, taps * c_in)
    return patches @ params["w"].reshape(-1, c_out) + params["b"]


def conv_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Count the positions of a kernel along one axis.

    ``conv_size = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1``.

    Parameters
    ----------
    size, kernel, stride, padding, dilation : int
        In pixels, along this axis.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If the kernel is larger than the padded axis, or a setting is impossible.

    Notes
    -----
    Built in chapter 07.

    Examples
    --------
    >>> conv_size(28, kernel=5, padding=2), conv_size(28, kernel=3, stride=2)
    (28, 13)
    """
    settings = {"size": size, "kernel": kernel, "stride": stride, "dilation": dilation}
    for name, value in settings.items():
        check_positive_int(name, value)
    if padding < 0:
        raise ValueError(f"expected padding of at least 0, got {padding}")
    reach = dilation * (kernel - 1) + 1
    if reach > size + 2 * padding:
        raise ValueError(
            f"expected a kernel within {size + 2 * padding} pixels, got {reach}"
        )
    return (size + 2 * padding - reach) // stride + 1


def max_pool(x: Array, window: int = 2) -> Array:
    """Keep the largest number of each square window.

    ``max_pool(x)[b, i, j, c] = max(x[b, i * w : (i + 1) * w, j * w : (j + 1) * w, c])``
    with ``w = window``: the windows tile the image.

    Parameters
    ----------
    x : array of shape (n, rows, columns, c)
        Rows and columns divisible by ``window``.
    window : int

    Returns
    -------
    array of shape (n, rows // window, columns // window, c)

    Raises
    ------
    ValueError
        If ``x`` has not four axes or the windows do not tile it.

    Notes
    -----
    Where two numbers tie, ``jax.grad`` shares the gradient between them, while
    ``lax.reduce_window`` gives all of it to the first. Built in chapter 07.

    Examples
    --------
    >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    return _tiles(x, window).max(axis=(2, 4))


def avg_pool(x: Array, window: int = 2) -> Array:
    """Average each square window.

    As ``max_pool``, with the mean of each window in place of its maximum.

    Parameters
    ----------
    x : array of shape (n, rows, columns, c)
        Rows and columns divisible by ``window``.
    window : int

    Returns
    -------
    array of shape (n, rows // window, columns // window, c)

    Raises
    ------
    ValueError
        If ``x`` has not four axes or the windows do not tile it.

    Notes
    -----
    Built in chapter 07.

    Examples
    --------
    >>> avg_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    return _tiles(x, window).mean(axis=(2, 4))


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """Count the input pixels, along one axis, that one output pixel can see.

    ``receptive_field = 1 + sum over layers of (kernel - 1) * jump``, where ``jump`` is
    the product of the strides of the layers before.

    Parameters
    ----------
    layers : sequence of pairs of int
        Kernel and stride of each layer, from the input on. Count a pooling layer of
        window ``w`` as (w, w), and a kernel dilated by ``d`` as
        ``d * (kernel - 1) + 1``.

    Returns
    -------
    int
        In pixels.

    Notes
    -----
    Built in chapter 07, where it is also measured by gradients.

    Examples
    --------
    >>> receptive_field([(5, 1), (2, 2), (5, 1), (2, 2)])
    16
    """
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


def lenet_init(key: Array, classes: int = 10) -> dict[str, Params]:
    """Make the parameters of LeNet-5 for 28 x 28 images of one channel.

    Parameters
    ----------
    key : JAX random key
    classes : int

    Returns
    -------
    dict
        ``conv1`` (5, 5, 1, 6), ``conv2`` (5, 5, 6, 16), ``dense1`` (400, 120),
        ``dense2`` (120, 84), ``dense3`` (84, classes): 61,706 numbers for ten classes.

    Notes
    -----
    LeCun, Bottou, Bengio and Haffner (1998), section II.B. Built in chapter 07.

    Examples
    --------
    >>> params = lenet_init(jax.random.key(0))
    >>> sum(p.size for p in jax.tree.leaves(params))
    61706
    """
    keys = jax.random.split(key, 5)
    return {
        "conv1": conv_init(keys[0], (5, 5), 1, 6),
        "conv2": conv_init(keys[1], (5, 5), 6, 16),
        "dense1": dense_init(keys[2], 400, 120, he_normal),
        "dense2": dense_init(keys[3], 120, 84, he_normal),
        "dense3": dense_init(keys[4], 84, classes),
    }


def lenet(
    params: dict[str, Params], x: Array, activation: Callable[[Array], Array] = relu
) -> Array:
    """Classify 28 x 28 images with LeNet-5.

    Convolution, pooling and activation twice, then three dense layers.

    Parameters
    ----------
    params : dict
        As made by ``lenet_init``.
    x : array of shape (n, 28, 28, 1)
    activation : function

    Returns
    -------
    array of shape (n, classes)
        Logits.

    Raises
    ------
    ValueError
        If ``x`` has another shape.

    Notes
    -----
    The paper has scaled tanh, trainable average pooling, a partly connected second
    convolution and radial-basis outputs; here ReLU, maximum pooling, full connections
    and logits. LeCun, Bottou, Bengio and Haffner (1998). Built in chapter 07.

    Examples
    --------
    >>> params = lenet_init(jax.random.key(0))
    >>> lenet(params, jnp.zeros((2, 28, 28, 1))).shape
    (2, 10)
    """
    if x.ndim != 4 or x.shape[1:] != (28, 28, 1):
        raise ValueError(f"expected x of shape (n, 28, 28, 1), got {x.shape}")
    # A monotone activation gives the same before and after the maximum; after, it is
    # computed for a quarter of the numbers.
    h = activation(max_pool(conv(params["conv1"], x, padding=2)))  # (n, 14, 14, 6)
    h = activation(max_pool(conv(params["conv2"], h)))  # (n, 5, 5, 16)
    h = h.reshape(len(h), -1)  # (n, 400)
    h = activation(dense(params["dense1"], h))
    h = activation(dense(params["dense2"], h))
    return dense(params["dense3"], h)


def residual_init(key: Array, channels: int) -> dict[str, Params]:
    """Make the parameters of a residual block.

    Parameters
    ----------
    key : JAX random key
    channels : int
        In and out: what is added must have the shape of what it is added to.

    Returns
    -------
    dict
        ``norm1``, ``conv1``, ``norm2``, ``conv2``.

    Notes
    -----
    Built in chapter 07.

    Examples
    --------
    >>> residual_init(jax.random.key(0), 8)["conv2"]["w"].shape
    (3, 3, 8, 8)
    """
    first, second = jax.random.split(key)
    return {
        "norm1": layer_norm_init(channels),
        "conv1": conv_init(first, (3, 3), channels, channels),
        "norm2": layer_norm_init(channels),
        "conv2": conv_init(second, (3, 3), channels, channels),
    }


def residual(
    params: dict[str, Params], x: Array, activation: Callable[[Array], Array] = relu
) -> Array:
    """Add to the input what two convolutions make of it.

    ``residual(x) = x + F(x)`` with
    ``F(x) = conv2(activation(norm2(conv1(activation(norm1(x))))))``.

    Parameters
    ----------
    params : dict
        As made by ``residual_init``.
    x : array of shape (n, rows, columns, channels)
    activation : function

    Returns
    -------
    array of the shape of x

    Raises
    ------
    ValueError
        If ``x`` has not four axes or another number of channels.

    Notes
    -----
    The pre-activation form of He, Zhang, Ren and Sun (2016b), equation 1; the first
    ResNet (2016a) is ``relu(x + F(x))``. Both normalise over the batch; here each pixel
    is normalised over its channels, so that no example depends on another.
    Built in chapter 07, with the published slip ``relu(F(x + x))`` (bug clinic B8).

    Examples
    --------
    >>> params = residual_init(jax.random.key(0), 4)
    >>> still = jax.tree.map(jnp.zeros_like, params)
    >>> x = jnp.ones((1, 5, 5, 4))
    >>> bool((residual(still, x) == x).all())
    True
    """
    h = activation(layer_norm(params["norm1"], x))
    h = conv(params["conv1"], h, padding=1)
    h = activation(layer_norm(params["norm2"], h))
    return x + conv(params["conv2"], h, padding=1)


def resnet_init(
    key: Array, channels: Sequence[int] = (16, 32), blocks: int = 1, classes: int = 10
) -> dict[str, Any]:
    """Make the parameters of a small residual network for images of one channel.

    Parameters
    ----------
    key : JAX random key
    channels : sequence of int
        Channels of each stage; each stage after the first halves rows and columns.
    blocks : int
        Residual blocks in each stage.
    classes : int

    Returns
    -------
    dict
        ``stages``, a list of dicts with ``entry`` (a convolution) and ``blocks`` (a
        list of residual blocks); ``norm``; ``head`` (a dense layer).

    Raises
    ------
    ValueError
        If there is no stage or a size is below 1.

    Notes
    -----
    Built in chapter 07.

    Examples
    --------
    >>> params = resnet_init(jax.random.key(0), (8, 16), blocks=2)
    >>> [stage["entry"]["w"].shape for stage in params["stages"]]
    [(3, 3, 1, 8), (3, 3, 8, 16)]
    """
    if not channels:
        raise ValueError("expected at least one stage, got none")
    check_positive_int("blocks", blocks)
    head_key, *stage_keys = jax.random.split(key, len(channels) + 1)
    stages, c_in = [], 1
    for stage_key, c_out in zip(stage_keys, channels, strict=True):
        entry_key, *block_keys = jax.random.split(stage_key, blocks + 1)
        entry = conv_init(entry_key, (3, 3), c_in, c_out)
        residuals = [residual_init(k, c_out) for k in block_keys]
        stages.append({"entry": entry, "blocks": residuals})
        c_in = c_out
    head = dense_init(head_key, c_in, classes)
    return {"stages": stages, "norm": layer_norm_init(c_in), "head": head}


def resnet(
    params: dict[str, Any], x: Array, activation: Callable[[Array], Array] = relu
) -> Array:
    """Classify images with a small residual network.

    Each stage enters by a 3 x 3 convolution (with stride 2 after the first stage) and
    goes on through its residual blocks; then normalise, average over all pixels, and
    one dense layer.

    Parameters
    ----------
    params : dict
        As made by ``resnet_init``.
    x : array of shape (n, rows, columns, 1)
    activation : function

    Returns
    -------
    array of shape (n, classes)
        Logits.

    Raises
    ------
    ValueError
        If ``x`` has another shape.

    Notes
    -----
    He, Zhang, Ren and Sun (2016b), made small. Built in chapter 07.

    Examples
    --------
    >>> params = resnet_init(jax.random.key(0))
    >>> resnet(params, jnp.zeros((2, 28, 28, 1))).shape
    (2, 10)
    """
    for i, stage in enumerate(params["stages"]):
        x = conv(stage["entry"], x, padding=1, stride=1 if i == 0 else 2)
        for block in stage["blocks"]:
            x = residual(block, x, activation)
    x = activation(layer_norm(params["norm"], x))
    return dense(params["head"], x.mean(axis=(1, 2)))


def _check_images(x: Array, c_in: int) -> None:
    """Refuse anything but images with the expected channels."""
    if x.ndim != 4 or x.shape[-1] != c_in:
        raise ValueError(
            f"expected x of shape (n, rows, columns, {c_in}), got {x.shape}"
        )


def _tiles(x: Array, window: int) -> Array:
    """Split rows and columns into windows: (n, rows, window, columns, window, c)."""
    check_positive_int("window", window)
    if x.ndim != 4 or x.shape[1] % window or x.shape[2] % window:
        raise ValueError(
            f"expected x of shape (n, rows, columns, c) with rows and columns "
            f"divisible by {window}, got {x.shape}"
        )
    n, rows, columns, c = x.shape
    return x.reshape(n, rows // window, window, columns // window, window, c)
