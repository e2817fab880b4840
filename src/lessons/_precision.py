"""Products of float32 numbers keep float32's digits on every device."""

import os
import sys

NAME = "jax_default_matmul_precision"


def keep_float32() -> None:
    """Ask JAX for float32 products, unless the reader has chosen otherwise.

    By default a GPU rounds the factors of a product to TensorFloat-32 and a TPU to
    bfloat16, so a gradient check to five digits fails there. A CPU does neither.
    JAX is not imported here: where it is missing, ``python -m lessons`` says so.
    """
    os.environ.setdefault(NAME.upper(), "float32")
    jax = sys.modules.get("jax")
    if jax is not None and getattr(jax.config, NAME) is None:
        jax.config.update(NAME, os.environ[NAME.upper()])
