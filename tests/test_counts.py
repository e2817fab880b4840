"""Counts against formulas, and the limits that the docstrings state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lessons import transformer
from lessons.activations import relu
from lessons.counts import flops, parameter_count


@pytest.mark.parametrize(
    ("tree", "count"),
    [
        ({}, 0),
        (jnp.zeros(()), 1),
        ([jnp.zeros((3, 5)), {"b": np.zeros((2, 1, 4))}], 23),
        (jax.ShapeDtypeStruct((7, 11), jnp.float32), 77),
    ],
)
def test_parameters_are_counted(tree, count):
    found = parameter_count(tree)
    assert found == count and type(found) is int


def test_an_array_that_stands_twice_counts_twice():
    table = jnp.zeros((3, 5))
    assert parameter_count([table, table]) == 30


@pytest.mark.parametrize("m", [1, 3, 64])
@pytest.mark.parametrize(("k", "n"), [(5, 7), (1, 1), (32, 48)])
def test_a_product_is_two_operations_a_pair(m, k, n):
    a, b = jnp.zeros((m, k)), jnp.zeros((k, n))
    found = flops(jnp.matmul, a, b)
    assert found == 2 * m * k * n and type(found) is int
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (a, b)]
    assert flops(jnp.matmul, *shapes) == found


def test_element_wise_work_counts_once_an_element():
    x = jnp.zeros((4, 6))
    assert flops(lambda x: x * x, x) == 24
    assert flops(lambda x: x + x * x, x) == 48


def test_the_count_is_made_as_for_a_cpu():
    """XLA counts an uncompiled program for the CPU alone; on a GPU it gives nothing."""
    devices = []

    def double(x):
        devices.append(jax.config.jax_default_device)
        return x + x

    assert flops(double, jnp.zeros(5)) == 5
    assert [device.platform for device in devices] == ["cpu"]


def test_moving_data_and_transcendental_functions_are_free():
    x = jnp.zeros((4, 6))
    assert flops(lambda x: x.T.reshape(-1), x) == 0
    assert flops(jnp.exp, x) == 0


def test_a_loop_counts_once_however_often_it_runs():
    def loop(x):
        return jax.lax.scan(lambda c, _: (c @ c, None), x, None, length=9)[0]

    def unrolled(x):
        for _ in range(9):
            x = x @ x
        return x

    x = jnp.zeros((16, 16))
    assert 2 * 16**3 <= flops(loop, x) < 2 * 2 * 16**3
    assert flops(unrolled, x) == 9 * 2 * 16**3


@pytest.mark.parametrize("steps", [32, 128])
def test_a_decoder_is_its_products_and_a_few_per_cent(steps):
    b, d, v, layers = 2, 256, 500, 2
    params = jax.eval_shape(
        lambda: transformer.stack_init(jax.random.key(0), v, d, 4, layers)
    )
    ids = jax.ShapeDtypeStruct((b, steps), jnp.int32)

    def model(params, ids):
        h = transformer.decode(params, ids, activation=relu)
        return transformer.to_logits(params, h)

    layer = 2 * 4 * d * d + 2 * 8 * d * d + 2 * 2 * steps * d
    products = b * steps * (layers * layer + 2 * d * v)
    found = flops(model, params, ids)
    assert products < found < 1.05 * products
