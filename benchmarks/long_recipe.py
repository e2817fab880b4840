"""Train chapter 07's LeNet for longer, and store how many held-out digits it reads.

    python benchmarks/long_recipe.py

The recipe is the chapter's; only the number of epochs differs. The held-out digits are
read once, at the end.
"""

import json
from pathlib import Path

import jax

from lessons import cnn, data, losses, optimizers, training

EPOCHS, BATCH, STEPS = 100, 128, 63
RESULT = Path(__file__).resolve().parent / "long_recipe.json"


def loss(params, batch, key=None):
    """Return one loss per digit, in nats; a key moves and turns the digits."""
    x, labels = batch
    if key is not None:
        x = data.random_shift_rotate(key, x)
    return losses.cross_entropy(cnn.lenet(params, x), labels)


def main() -> None:
    """Train, count and store."""
    train, test = data.load("mnist")
    start = cnn.lenet_init(jax.random.key(0))
    rate = optimizers.warmup_cosine_decay_schedule(0.0, 5e-3, STEPS, EPOCHS * STEPS)
    fit = training.fit(
        loss, start, train, optimizers.adam(rate),
        key=jax.random.key(100), epochs=EPOCHS, batch_size=BATCH,
    )  # fmt: skip
    answers = training.predict(cnn.lenet, fit.params, test[0]).argmax(axis=-1)
    counted = {"epochs": EPOCHS, "right": int((answers == test[1]).sum()), "of": 2000}
    RESULT.write_text(json.dumps(counted) + "\n")
    print(counted)


if __name__ == "__main__":
    main()
