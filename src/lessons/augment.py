"""Augmentation: small random changes that leave an image's label true.

Reach these as `lessons.data.random_shift_rotate` and `lessons.data.shift_rotate`.
"""

import jax
import jax.numpy as jnp


def shift_rotate(images, angles, shifts):
    """Turn each image around its centre, then move it; outside is 0.

    The value at place `p` of the result is read, by bilinear interpolation, at
    `R(angle) (p - centre - shift) + centre` of the image.

    Parameters
    ----------
    images : (n, height, width, channels)
    angles : (n,) in radians; positive turns counter-clockwise as displayed
    shifts : (n, 2) rows and columns, in pixels; positive moves down and right

    Returns
    -------
    (n, height, width, channels) of the images' float type

    Raises
    ------
    ValueError
        If a shape is not as above.

    Notes
    -----
    Whole pixels and angle 0 only move values, so they are exact. Used in
    chapter 04.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> image = jnp.arange(1.0, 5.0).reshape(1, 2, 2, 1)
    >>> shift_rotate(image, jnp.zeros(1), jnp.array([[0.0, 1.0]]))[0, ..., 0].tolist()
    [[0.0, 1.0], [0.0, 3.0]]
    """
    images = jnp.asarray(images)
    if images.ndim != 4:
        raise ValueError(
            f"expected images of shape (n, height, width, channels), got {images.shape}"
        )
    n = images.shape[0]
    if jnp.shape(angles) != (n,):
        raise ValueError(f"expected angles of shape ({n},), got {jnp.shape(angles)}")
    if jnp.shape(shifts) != (n, 2):
        raise ValueError(f"expected shifts of shape ({n}, 2), got {jnp.shape(shifts)}")
    return jax.vmap(_warp)(images, jnp.asarray(angles), jnp.asarray(shifts))


def random_shift_rotate(key, images, max_shift: float = 2.5, max_angle: float = 0.2):
    """Move and turn each image by its own small random amount.

    `angles ~ uniform(-max_angle, max_angle)`,
    `shifts ~ uniform(-max_shift, max_shift)`, then `shift_rotate`.

    Parameters
    ----------
    key : PRNG key; another key gives other changes
    images : (n, height, width, channels)
    max_shift : pixels, down or up and right or left; not negative
    max_angle : radians, either way; not negative

    Returns
    -------
    (n, height, width, channels) of the images' float type

    Raises
    ------
    ValueError
        If images has another number of axes, or a maximum is negative.

    Notes
    -----
    For the training part only, and not for classes that a turn or a move would
    change. Used in chapter 04.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> images = jnp.ones((3, 8, 8, 1))
    >>> random_shift_rotate(jax.random.key(0), images).shape
    (3, 8, 8, 1)
    """
    for name, value in (("max_shift", max_shift), ("max_angle", max_angle)):
        if value < 0:
            raise ValueError(f"expected {name} of at least 0, got {value}")
    n = jnp.shape(images)[0]
    angle_key, shift_key = jax.random.split(key)
    angles = max_angle * jax.random.uniform(angle_key, (n,), minval=-1.0, maxval=1.0)
    shifts = max_shift * jax.random.uniform(shift_key, (n, 2), minval=-1.0, maxval=1.0)
    return shift_rotate(images, angles, shifts)


def _warp(image, angle, shift):
    """Warp one image (height, width, channels) by gathering four neighbours."""
    height, width, channels = image.shape
    row, column = _sources(height, width, angle, shift)
    # Beyond one pixel outside everything is 0, so places may be clipped there.
    row, column = jnp.clip(row, -1, height), jnp.clip(column, -1, width)
    top, left = jnp.floor(row), jnp.floor(column)
    down, right = (row - top)[..., None], (column - left)[..., None]
    padded = jnp.pad(image, ((1, 2), (1, 2), (0, 0))).reshape(-1, channels)
    first = (top.astype(jnp.int32) + 1) * (width + 3) + left.astype(jnp.int32) + 1
    upper = padded[first] * (1 - right) + padded[first + 1] * right
    below = first + width + 3
    lower = padded[below] * (1 - right) + padded[below + 1] * right
    return upper * (1 - down) + lower * down


def _sources(height, width, angle, shift):
    """Where each place of the result is read, as rows and columns."""
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    row = jnp.arange(height)[:, None] - middle_row - shift[0]
    column = jnp.arange(width)[None, :] - middle_column - shift[1]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return (
        cos * row + sin * column + middle_row,
        cos * column - sin * row + middle_column,
    )
