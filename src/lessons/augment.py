"""Augmentation: small random changes that leave an image's label true.

Reach these as `lessons.data.random_shift_rotate` and `lessons.data.shift_rotate`.
"""

import jax
import jax.numpy as jnp
import numpy as np


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
        If a shape is not as above, or the images are not floats.

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
    images, angles, shifts = _images(images), jnp.asarray(angles), jnp.asarray(shifts)
    n = images.shape[0]
    if angles.shape != (n,):
        raise ValueError(f"expected angles of shape ({n},), got {angles.shape}")
    if shifts.shape != (n, 2):
        raise ValueError(f"expected shifts of shape ({n}, 2), got {shifts.shape}")
    return _warp(images, angles, shifts)


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
        If images are not floats of that shape, or a maximum is negative.

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
    images = _images(images)
    n = images.shape[0]
    angle_key, shift_key = jax.random.split(key)
    angles = max_angle * jax.random.uniform(angle_key, (n,), minval=-1.0)
    shifts = max_shift * jax.random.uniform(shift_key, (n, 2), minval=-1.0)
    return shift_rotate(images, angles, shifts)


def _images(images):
    """Refuse what is not a batch of float images."""
    images = jnp.asarray(images)
    if images.ndim != 4 or not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            "expected float images of shape (n, height, width, channels), "
            f"got {images.dtype} {images.shape}"
        )
    return images


@jax.jit
def _warp(images, angles, shifts):
    """Find the places to read, then read them; compiled for use outside `jit`."""
    return _interpolate(images, *_sources(*images.shape[1:3], angles, shifts))


def _sources(height, width, angles, shifts):
    """Where each place of the results is read: rows and columns (n, places).

    One matrix product does it, because a compiler repeats cheaper-looking sums
    (and the sines in them) for every neighbour read: four times slower in a scan.
    """
    middle = np.array([height - 1, width - 1]) / 2
    places = np.indices((height, width)).reshape(2, -1) - middle[:, None]
    places = jnp.asarray(np.vstack([places, np.ones(height * width)]), jnp.float32)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    down, right = shifts[:, 0], shifts[:, 1]
    from_row = [cos, sin, middle[0] - cos * down - sin * right]
    from_column = [-sin, cos, middle[1] + sin * down - cos * right]
    maps = jnp.stack([jnp.stack(from_row, -1), jnp.stack(from_column, -1)])
    # GPUs and TPUs would round the places to a fraction of a pixel otherwise.
    return jnp.einsum("rnk,kp->rnp", maps, places, precision="highest")


def _interpolate(images, row, column):
    """Blend the four neighbours of each place (n, places); outside is 0."""
    n, height, width, channels = images.shape
    # Beyond one pixel outside everything is 0, so places may be clipped there.
    row, column = jnp.clip(row, -1, height), jnp.clip(column, -1, width)
    top, left = jnp.floor(row), jnp.floor(column)
    padded = jnp.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)))
    place = (top.astype(jnp.int32) + 1) * (width + 3) + left.astype(jnp.int32) + 1
    place += jnp.arange(n)[:, None] * (height + 3) * (width + 3)
    place = (place[..., None] * channels + jnp.arange(channels)).reshape(-1)
    down, right = (
        jnp.repeat(w.reshape(-1), channels) for w in (row - top, column - left)
    )

    def read(rows, columns):
        step = (rows * (width + 3) + columns) * channels
        return padded.reshape(-1).at[place + step].get(mode="clip")

    upper = read(0, 0) * (1 - right) + read(0, 1) * right
    lower = read(1, 0) * (1 - right) + read(1, 1) * right
    blend = upper * (1 - down) + lower * down
    return blend.reshape(images.shape).astype(images.dtype)
