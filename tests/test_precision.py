"""On every device products keep float32's digits, unless the reader chose otherwise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

ASK = "import json, jax; print(json.dumps(jax.config.jax_default_matmul_precision))"


def precision(code, **env):
    """Run code in a fresh process and return what JAX then takes for products."""
    clean = {k: v for k, v in os.environ.items() if "MATMUL_PRECISION" not in k}
    command = [sys.executable, "-c", f"{code}; {ASK}"]
    done = subprocess.run(command, env=clean | env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("code", ["import lessons, jax", "import jax, lessons"])
def test_products_are_of_float32(code):
    assert precision(code) == "float32"


def test_jax_alone_leaves_the_choice_to_the_device():
    assert precision("import jax") is None


@pytest.mark.parametrize("order", ["lessons, jax", "jax, lessons"])
def test_the_readers_choice_stays(order):
    env = {"JAX_DEFAULT_MATMUL_PRECISION": "bfloat16"}
    assert precision(f"import {order}", **env) == "bfloat16"


def test_a_choice_made_before_the_import_stays():
    chosen = "import jax; jax.config.update('jax_default_matmul_precision', 'highest')"
    assert precision(f"{chosen}; import lessons") == "highest"


def test_the_tests_compile_quickly_but_for_the_legs():
    quick = jax.config.values["jax_disable_most_optimizations"]
    assert quick == (not os.environ.get("COMPILE_FULLY"))
    read = os.environ.get("LESSONS_TEST_XLA_FLAGS", "")
    lock = (Path(__file__).resolve().parents[1] / "requirements.txt").read_text("utf-8")
    locked = f"\njaxlib=={jax.lib.__version__} " in lock
    assert ("fusion_emitters=false" in read) == (quick and locked)
    assert "emitters" not in os.environ.get("XLA_FLAGS", ""), "not for other processes"


def test_jax_is_not_imported_for_it():
    code = "import lessons, sys; assert 'jax' not in sys.modules"
    assert precision(code) == "float32"
