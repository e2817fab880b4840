"""Parameters off their starting values, so that no zero or one hides a mistake."""

import jax


def moved(params, seed=1):
    """Move every parameter off its starting value."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    noise = [jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)]
    return tree.unflatten([p + 0.3 * n for p, n in zip(leaves, noise, strict=True)])
