"""Draw the README's figure: `python tools/readme_figure.py`.

A small network learns two spirals. The panels show what it believes before
training and after more and more epochs. Seeds are fixed.
"""

import pathlib

import jax

from lessons import data, dnn, losses, optimizers, plots, training

TARGET = pathlib.Path(__file__).resolve().parents[1] / "book/images/spirals.png"
EPOCHS = [0, 5, 12, 60]


def logits(params, x):
    """Apply the network: one logit per point."""
    return dnn.mlp(params, x)[:, 0]


def loss(params, batch, key=None):
    """Give the cross-entropy of each point, in nats."""
    x, y = batch
    return losses.binary_cross_entropy(logits(params, x), y)


def trained(params, points, epochs):
    """Train for so many epochs; none gives the parameters back."""
    if not epochs:
        return params
    result = training.fit(
        loss,
        params,
        points,
        optimizers.adam(0.01),
        key=jax.random.key(2),
        epochs=epochs,
        batch_size=50,
        progress=False,
    )
    return result.params


def figure():
    """Draw one panel for each number of epochs."""
    x, y = points = data.spirals(jax.random.key(0), 500, noise=0.03, turns=1.5)
    start = dnn.mlp_init(jax.random.key(1), [2, 32, 32, 1])
    drawing, axes = plots.panels(1, len(EPOCHS), height=2.2, sharex=True, sharey=True)
    for axis, epochs in zip(axes, EPOCHS, strict=True):
        params = trained(start, points, epochs)
        right = float(((logits(params, x) > 0) == y).mean())
        plots.boundary(
            lambda grid, params=params: jax.nn.sigmoid(logits(params, grid)),
            x,
            y,
            title=f"{epochs} epochs\n{right:.0%} right",
            ax=axis,
        )
        axis.set(xlabel="", ylabel="", xticks=[], yticks=[])
        if axis.get_legend():
            axis.get_legend().remove()
    return drawing


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(plots.png(figure()))
