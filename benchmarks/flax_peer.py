"""The three tasks with Flax NNX and Optax, as their users write them."""

import functools

import jax
import jax.numpy as jnp
import optax
from flax import nnx


class LeNet(nnx.Module):
    """LeNet, as in the other workers."""

    def __init__(self, size, rngs):
        """Take the sizes."""
        self.conv1 = nnx.Conv(1, 6, (5, 5), padding=2, rngs=rngs)
        self.conv2 = nnx.Conv(6, 16, (5, 5), padding=0, rngs=rngs)
        self.dense1 = nnx.Linear(400, 120, rngs=rngs)
        self.dense2 = nnx.Linear(120, 84, rngs=rngs)
        self.dense3 = nnx.Linear(84, 10, rngs=rngs)

    def __call__(self, x):
        """Return logits of shape (n, 10)."""
        pool = functools.partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2))
        h = pool(nnx.relu(self.conv1(x)))
        h = pool(nnx.relu(self.conv2(h))).reshape(len(x), -1)
        return self.dense3(nnx.relu(self.dense2(nnx.relu(self.dense1(h)))))


class Writer(nnx.Module):
    """An LSTM that writes."""

    def __init__(self, size, rngs):
        """Take the sizes."""
        self.embedding = nnx.Embed(size.vocabulary, size.width, rngs=rngs)
        cell = nnx.OptimizedLSTMCell(size.width, size.width, rngs=rngs)
        self.lstm = nnx.RNN(cell, rngs=rngs)
        self.head = nnx.Linear(size.width, size.vocabulary, rngs=rngs)

    def __call__(self, ids):
        """Return logits of shape (B, T, vocabulary)."""
        zeros = jnp.zeros((len(ids), self.embedding.features))
        h = self.lstm(self.embedding(ids), initial_carry=(zeros, zeros))
        return self.head(h)


class Block(nnx.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self, size, rngs):
        """Take the sizes."""
        width = size.width
        self.norm1 = nnx.LayerNorm(width, rngs=rngs)
        self.norm2 = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(
            num_heads=size.heads, in_features=width, decode=False, rngs=rngs
        )
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x, mask):
        """Return an array of the shape of x, (B, T, width)."""
        x = x + self.attention(self.norm1(x), mask=mask)
        up = nnx.gelu(self.up(self.norm2(x)), approximate=False)
        return x + self.down(up)


class Decoder(nnx.Module):
    """A decoder-only transformer whose embedding is its head."""

    def __init__(self, size, rngs):
        """Take the sizes."""
        self.embedding = nnx.Embed(size.vocabulary, size.width, rngs=rngs)
        self.blocks = nnx.List([Block(size, rngs) for _ in range(size.layers)])
        self.norm = nnx.LayerNorm(size.width, rngs=rngs)

    def __call__(self, ids):
        """Return logits of shape (B, T, vocabulary)."""
        width = self.embedding.features
        rate = 1e4 ** (-jnp.arange(0, width, 2) / width)
        angle = jnp.arange(ids.shape[1])[:, None] * rate
        waves = jnp.stack([jnp.sin(angle), jnp.cos(angle)], axis=-1)
        h = self.embedding(ids) * width**0.5 + waves.reshape(-1, width)
        mask = nnx.make_causal_mask(ids)
        for block in self.blocks:
            h = block(h, mask)
        return self.embedding.attend(self.norm(h))


MODELS = {"LeNet": LeNet, "LSTM": Writer, "Transformer": Decoder}
VARIANTS = {name: ["jitted step", "scanned pass"] for name in MODELS}


def task(name, variant, size, rate, arrays):
    """Return the number of parameters, and a function that trains for one pass."""
    graph, params, rest = nnx.split(MODELS[name](size, nnx.Rngs(0)), nnx.Param, ...)
    optimizer = optax.adam(rate)
    first = jnp.asarray(arrays[0])
    is_image = name == "LeNet"
    x, y = (
        (first, jnp.asarray(arrays[1])) if is_image else (first[:, :-1], first[:, 1:])
    )
    full = len(x) // size.batch * size.batch

    def mean_loss(params, rows):
        logits = nnx.merge(graph, params, rest)(x[rows])
        return optax.softmax_cross_entropy_with_integer_labels(logits, y[rows]).mean()

    def step(carry, rows):
        params, state = carry
        loss, grads = jax.value_and_grad(mean_loss)(params, rows)
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), loss * len(rows)

    jitted = jax.jit(step, donate_argnums=0)
    scanned = jax.jit(functools.partial(jax.lax.scan, step), donate_argnums=0)
    held = {"carry": (params, optimizer.init(params)), "key": jax.random.key(1)}

    def run():
        held["key"], key = jax.random.split(held["key"])
        order = jax.random.permutation(key, len(x))
        batches = order[:full].reshape(-1, size.batch)
        if variant == "scanned pass":
            held["carry"], losses = scanned(held["carry"], batches)
            total = losses.sum()
        else:
            total = 0.0
            for rows in batches:
                held["carry"], loss = jitted(held["carry"], rows)
                total += loss
        if full < len(x):
            held["carry"], loss = jitted(held["carry"], order[full:])
            total += loss
        jax.block_until_ready(held["carry"])
        return float(total) / len(x)

    return sum(leaf.size for leaf in jax.tree.leaves(params)), run
