"""The three tasks with this course's package."""

import jax
import jax.numpy as jnp

from lessons import cnn, losses, optimizers, rnn, transformer
from lessons._epochs import compiled_epoch
from lessons.dnn import dense, dense_init, embed, embedding_init


def next_symbol(logits, ids):
    """Return the mean loss of each sequence's next symbols, shape (B,)."""
    return losses.cross_entropy(logits, ids[:, 1:]).mean(axis=1)


def lenet(size, key):
    """Return the parameters and the loss of LeNet."""

    def loss(params, batch, key=None):
        return losses.cross_entropy(cnn.lenet(params, batch[0]), batch[1])

    return cnn.lenet_init(key), loss


def lstm(size, key):
    """Return the parameters and the loss of an LSTM that writes."""
    one, two, three = jax.random.split(key, 3)
    params = {
        "embedding": embedding_init(one, size.vocabulary, size.width),
        "lstm": rnn.lstm_init(two, size.width, size.width),
        "head": dense_init(three, size.width, size.vocabulary),
    }

    def loss(params, batch, key=None):
        [ids] = batch
        h, _ = rnn.lstm(params["lstm"], embed(params["embedding"], ids[:, :-1]))
        return next_symbol(dense(params["head"], h), ids)

    return params, loss


def decoder(size, key):
    """Return the parameters and the loss of a decoder-only transformer."""
    params = transformer.stack_init(
        key, size.vocabulary, size.width, size.heads, size.layers
    )

    def loss(params, batch, key=None):
        [ids] = batch
        h = transformer.decode(params, ids[:, :-1])
        return next_symbol(transformer.to_logits(params, h), ids)

    return params, loss


MODELS = {"LeNet": lenet, "LSTM": lstm, "Transformer": decoder}
VARIANTS = {name: ["epoch"] for name in MODELS}


def task(name, variant, size, rate, arrays):
    """Return the number of parameters, and a function that trains for one pass."""
    params, loss = MODELS[name](size, jax.random.key(0))
    optimizer = optimizers.adam(rate)
    held = {"params": params, "state": optimizer.init(params), "pass": 0}
    data = tuple(jnp.asarray(a) for a in arrays)

    def run():
        key = jax.random.fold_in(jax.random.key(1), held["pass"])
        params, state, curves = compiled_epoch(
            loss, optimizer, size.batch, held["params"], held["state"], data, key
        )
        held.update(params=params, state=state)
        held["pass"] += 1
        return float(curves["train"])

    return sum(leaf.size for leaf in jax.tree.leaves(params)), run


def peak():
    """Return a function that does 2 * 2048 ** 3 operations in one matrix product."""
    a = jax.random.normal(jax.random.key(0), (2048, 2048))
    product = jax.jit(lambda a: a @ a)
    return lambda: product(a).block_until_ready()
