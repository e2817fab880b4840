"""Shared set-up: the package is importable by the tests and by every kernel."""

import collections
import os
import pathlib
import sys

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
# Progress bars hold times, which compared outputs must not.
os.environ["TQDM_DISABLE"] = "1"


@pytest.hookimpl(optionalhook=True)  # xdist may be switched off
def pytest_xdist_auto_num_workers(config):
    """Run one worker more than there are cores: some always wait for something."""
    return min((os.cpu_count() or 1) + 1, 8)


def pytest_configure(config):
    """Keep the order below: xdist would start with the files of the most tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_finish():
    """Compile quickly what the tests themselves run: that takes most of their time.

    Notebooks run in processes of their own and compile as the reader's do, and so do
    the tests in a leg of `make test-portable`, which asks for it.
    """
    if "jax" in sys.modules and not os.environ.get("COMPILE_FULLY"):
        sys.modules["jax"].config.update("jax_disable_most_optimizations", True)


def pytest_runtest_teardown(item, nextitem):
    """Forget compiled programs between two files once they fill much memory."""
    if nextitem is None or nextitem.path == item.path or "jax" not in sys.modules:
        return
    if psutil.Process().memory_info().rss > GIGABYTES * 1e9:
        sys.modules["jax"].clear_caches()


def pytest_collection_modifyitems(items):
    """Put the notebooks first, which run longest, so that the workers end together."""
    files = [item.nodeid.split("::")[0] for item in items]
    size = collections.Counter(files)
    place = {file: (not file.endswith(".ipynb"), -size[file], file) for file in size}
    items.sort(key=lambda item: place[item.nodeid.split("::")[0]])
