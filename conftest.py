"""Shared set-up: the package is importable by the tests and by every kernel."""

import collections
import ctypes
import importlib.metadata
import os
import pathlib
import sys
import tempfile

import psutil
import pytest

# The students' versions have no answers to run; the sources beside them are run.
collect_ignore_glob = ["notebooks/exercises/student/*"]

SRC = str(pathlib.Path(__file__).parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [SRC, os.environ.get("PYTHONPATH", "")])
)
# What one worker may hold before it forgets: XLA keeps all that it has compiled.
GIGABYTES = 1.5
# Where the workers of one run leave compiled programs for each other.
PROGRAMS = "LESSONS_TEST_PROGRAMS"
# XLA's older emitters compile small programs in two thirds of the time.
QUICK = "--xla_cpu_use_fusion_emitters=false"
# What XLA read, for a process that has to compile alike.
FLAGS = "LESSONS_TEST_XLA_FLAGS"
# Progress bars hold times, which compared outputs must not.
os.environ["TQDM_DISABLE"] = "1"


@pytest.hookimpl(optionalhook=True)  # xdist may be switched off
def pytest_xdist_auto_num_workers(config):
    """Run one worker more than there are cores: some always wait for something."""
    return min((os.cpu_count() or 1) + 1, 8)


def pytest_configure(config):
    """Keep the order below, and prepare to compile."""
    # xdist would start with the files of the most tests.
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False
    if not getattr(config.option, "numprocesses", None):
        start_xla()
    elif PROGRAMS not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="programs-")
        os.environ[PROGRAMS] = folder.name
        config.add_cleanup(folder.cleanup)
        config.add_cleanup(lambda: os.environ.pop(PROGRAMS))


def start_xla():
    """Let XLA read a flag, which it does once, and hide it from the processes to come.

    Only the locked version is known to know the flag: XLA ends the process at another.
    """
    lock = pathlib.Path(__file__).with_name("requirements.txt").read_text("utf-8")
    locked = f"\njaxlib=={importlib.metadata.version('jaxlib')} " in lock
    if os.environ.get("COMPILE_FULLY") or not locked:
        return
    before = os.environ.pop("XLA_FLAGS", None)
    os.environ["XLA_FLAGS"] = os.environ[FLAGS] = f"{before or ''} {QUICK}".strip()
    import jax  # only where tests run, and after the flag is set

    jax.devices()
    del os.environ["XLA_FLAGS"]
    if before is not None:
        os.environ["XLA_FLAGS"] = before


def pytest_collection_finish():
    """Set JAX up for the tests, and absl's log, once all that is imported is there."""
    if "jax" in sys.modules:
        compile_less(sys.modules["jax"].config)
    # Optax brings absl, whose log closes its stream when nbgrader sets up its own log:
    # a stream that pytest captures would be closed for all the tests that follow.
    if "absl.logging" in sys.modules:
        handler = sys.modules["absl.logging"].get_absl_handler().python_handler
        handler.setStream(sys.__stderr__)


def compile_less(config):
    """Compile each program once a run, and quickly: that takes most of a test's time.

    Notebooks run in processes of their own and compile as the reader's do, and so do
    the tests in a leg of `make test-portable`, which asks for it.
    """
    config.update("jax_disable_most_optimizations", not os.getenv("COMPILE_FULLY"))
    if PROGRAMS in os.environ:
        config.update("jax_compilation_cache_dir", os.environ[PROGRAMS])
        config.update("jax_persistent_cache_min_compile_time_secs", 0)
        config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def pytest_runtest_teardown():
    """Forget compiled programs once they fill much memory."""
    if "jax" not in sys.modules:
        return
    if psutil.Process().memory_info().rss > GIGABYTES * 1e9:
        sys.modules["jax"].clear_caches()
        # What is free goes back to the system only when glibc is asked.
        if sys.platform == "linux":
            getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)(0)


def pytest_collection_modifyitems(items):
    """Put the notebooks first, which run longest, so that the workers end together."""
    files = [item.nodeid.split("::")[0] for item in items]
    size = collections.Counter(files)
    place = {file: (not file.endswith(".ipynb"), -size[file], file) for file in size}
    items.sort(key=lambda item: place[item.nodeid.split("::")[0]])
