"""Augmentation against SciPy and whole-pixel moves."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from lessons import data

KEY = jax.random.key(7)


IMAGES = jnp.asarray(np.random.default_rng(1).random((3, 7, 10, 2)), jnp.float32)
SQUARE = jnp.asarray(np.random.default_rng(2).random((2, 9, 9, 1)), jnp.float32)


def by_scipy(image, angle, shift):
    """The same warp of one channel by SciPy."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = (np.array(image.shape) - 1) / 2
    return scipy.ndimage.affine_transform(
        np.pad(np.asarray(image, np.float64), 30),
        turn,
        middle + 30 - turn @ (middle + 30 + shift),
        order=1,
    )[30:-30, 30:-30]


@pytest.mark.parametrize(
    "angle, shift",
    [(0.0, (0.3, -1.7)), (0.5, (0.0, 0.0)), (-1.2, (1.25, 2.5)), (3.0, (-4.0, 0.1))],
)
def test_warp_equals_scipy(angle, shift):
    angles = jnp.array([angle, 0.1, -angle])
    shifts = jnp.array([shift, (0.5, 0.5), shift])
    ours = data.shift_rotate(IMAGES, angles, shifts)
    assert (ours.shape, ours.dtype) == (IMAGES.shape, jnp.float32)
    for i in range(3):
        for channel in range(2):
            np.testing.assert_allclose(
                ours[i, ..., channel],
                by_scipy(IMAGES[i, ..., channel], float(angles[i]), shifts[i]),
                atol=2e-5,
            )


@pytest.mark.parametrize("rows, columns", [(0, 0), (2, 0), (0, -3), (-1, 4), (7, 0)])
def test_whole_shifts_move_pixels(rows, columns):
    expected = np.zeros(IMAGES.shape, np.float32)
    moved = np.roll(IMAGES, (rows, columns), axis=(1, 2))
    down = slice(max(rows, 0), 7 + min(rows, 0))
    across = slice(max(columns, 0), 10 + min(columns, 0))
    expected[:, down, across] = moved[:, down, across]
    shifts = jnp.tile(jnp.array([[rows, columns]], jnp.float32), (3, 1))
    np.testing.assert_array_equal(
        data.shift_rotate(IMAGES, jnp.zeros(3), shifts), expected
    )


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_quarter_turns(quarters):
    turned = data.shift_rotate(
        SQUARE, jnp.full(2, quarters * jnp.pi / 2), jnp.zeros((2, 2))
    )
    np.testing.assert_allclose(
        turned, np.rot90(SQUARE, quarters, axes=(1, 2)), atol=1e-5
    )


def test_far_away_is_zero():
    shifts = jnp.array([[1e6, 0.0], [0.0, -1e6]])
    assert not data.shift_rotate(SQUARE, jnp.zeros(2), shifts).any()


def test_random_shift_rotate_is_within_its_limits():
    image = jnp.zeros((1, 21, 21, 1)).at[0, 10, 10, 0].set(1.0)
    many = jnp.tile(image, (500, 1, 1, 1))
    rows, columns = np.indices((21, 21)) - 10.0
    moved = np.asarray(data.random_shift_rotate(KEY, many, 3.0, 0.0))[..., 0]
    # Bilinear interpolation keeps the centre of mass exactly.
    down, right = (moved * rows).sum((1, 2)), (moved * columns).sum((1, 2))
    for amount in (down, right):
        assert -3 <= amount.min() < -2.8 and 2.8 < amount.max() <= 3
        assert abs(amount.mean()) < 0.3
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.15
    turned = data.random_shift_rotate(
        KEY, jnp.roll(many, 8, axis=2), max_shift=0.0, max_angle=0.3
    )
    turned = np.asarray(turned)[..., 0]
    mass = turned.sum((1, 2))
    angles = np.arctan2(-(turned * rows).sum((1, 2)), (turned * columns).sum((1, 2)))
    assert mass.min() > 0.5
    assert -0.32 < angles.min() < -0.26 and 0.26 < angles.max() < 0.32
    assert abs(angles.mean()) < 0.04


def test_random_shift_rotate_defaults():
    signature = inspect.signature(data.random_shift_rotate).parameters
    assert signature["max_shift"].default == 2.5
    assert signature["max_angle"].default == 0.2
    np.testing.assert_array_equal(
        data.random_shift_rotate(KEY, IMAGES),
        data.random_shift_rotate(KEY, IMAGES, 2.5, 0.2),
    )


def test_no_change_gives_the_image_back():
    np.testing.assert_array_equal(
        data.random_shift_rotate(KEY, IMAGES, 0.0, 0.0), IMAGES
    )


def test_random_shift_rotate_by_key_and_under_transformations():
    same = jnp.tile(SQUARE[:1], (2, 1, 1, 1))
    changed = data.random_shift_rotate(KEY, same)
    assert not np.allclose(changed[0], changed[1])
    assert not np.allclose(changed, data.random_shift_rotate(jax.random.key(8), same))
    np.testing.assert_allclose(
        jax.jit(data.random_shift_rotate)(KEY, same), changed, atol=1e-5
    )
    keys = jax.random.split(KEY, 3)
    stacked = jax.vmap(data.random_shift_rotate, (0, None))(keys, same)
    for key, result in zip(keys, stacked, strict=True):
        np.testing.assert_allclose(
            result, data.random_shift_rotate(key, same), atol=1e-5
        )
    half = SQUARE.astype(jnp.bfloat16)
    assert data.random_shift_rotate(KEY, half).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    "images", [np.asarray(SQUARE, np.float64), SQUARE.tolist()], ids=["float64", "list"]
)
def test_other_arrays_become_jax_arrays(images):
    turned = data.shift_rotate(images, [0.3, -0.1], [[1, 2], [0, 1]])
    assert turned.dtype == jnp.float32
    expected = data.shift_rotate(
        SQUARE, jnp.array([0.3, -0.1]), jnp.array([[1, 2], [0, 1]])
    )
    np.testing.assert_array_equal(turned, expected)


@pytest.mark.parametrize(
    "images, angles, shifts, message",
    [
        (SQUARE[..., 0], (2,), (2, 2), r"channels\), got float32 \(2, 9, 9\)"),
        (SQUARE.astype(int), (2,), (2, 2), "expected float images .* got int32"),
        (SQUARE, (1,), (2, 2), r"angles of shape \(2,\), got \(1,\)"),
        (SQUARE, (2, 1), (2, 2), r"angles of shape \(2,\), got \(2, 1\)"),
        (SQUARE, (2,), (2,), r"shifts of shape \(2, 2\), got \(2,\)"),
        (SQUARE, (2,), (2, 3), r"shifts of shape \(2, 2\), got \(2, 3\)"),
    ],
)
def test_shift_rotate_refuses(images, angles, shifts, message):
    with pytest.raises(ValueError, match=message):
        data.shift_rotate(images, jnp.zeros(angles), jnp.zeros(shifts))


@pytest.mark.parametrize(
    "images, options, message",
    [
        (SQUARE[0], {}, r"channels\), got float32 \(9, 9, 1\)"),
        (SQUARE, {"max_shift": -1.0}, "max_shift of at least 0, got -1.0"),
        (SQUARE, {"max_angle": -0.1}, "max_angle of at least 0, got -0.1"),
    ],
)
def test_random_shift_rotate_refuses(images, options, message):
    with pytest.raises(ValueError, match=message):
        data.random_shift_rotate(KEY, images, **options)
