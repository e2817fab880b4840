"""What is timed: three models, their sizes, and the operations of one pass.

Read by every worker, so it imports nothing but the standard library.
"""

from typing import NamedTuple


class Size(NamedTuple):
    """One training task: `batch` examples a step, `steps` steps a pass."""

    batch: int
    steps: int
    time: int = 0
    width: int = 0
    layers: int = 0
    heads: int = 0
    vocabulary: int = 0
    examples: int = 0


RATE = 1e-3  # of Adam, everywhere
SYMBOLS = 76  # of the novel, among them one for what is unknown

SIZES = {
    "LeNet": Size(batch=128, steps=63, examples=8000),
    "LSTM": Size(batch=32, steps=50, time=100, width=128, vocabulary=SYMBOLS),
    "Transformer": Size(
        batch=12, steps=50, time=64, width=128, layers=4, heads=4, vocabulary=SYMBOLS
    ),
}


def examples(name: str) -> int:
    """Return the rows of the task's data: one pass reads each once."""
    size = SIZES[name]
    return size.examples or size.batch * size.steps


def products(name: str) -> int:
    """Count the multiplications in matrix products of one example's forward pass."""
    size = SIZES[name]
    if name == "LeNet":
        convolutions = 28 * 28 * 25 * 6 + 10 * 10 * 25 * 6 * 16
        return convolutions + 400 * 120 + 120 * 84 + 84 * 10
    head = size.width * size.vocabulary
    if name == "LSTM":
        return size.time * (8 * size.width**2 + head)
    block = 12 * size.width**2 + 2 * size.time * size.width
    return size.time * (size.layers * block + head)


def operations(name: str) -> int:
    """Count the operations in matrix products of one pass of training.

    A multiplication and an addition each; forward once, and twice backward: for the
    gradient of the weights and of the input.
    """
    return 3 * 2 * products(name) * examples(name)
