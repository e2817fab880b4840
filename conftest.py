"""Shared set-up: the package is importable by the tests and by every kernel."""

import os
import pathlib

SRC = str(pathlib.Path(__file__).parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [SRC, os.environ.get("PYTHONPATH", "")])
)
# Progress bars hold times, which compared outputs must not.
os.environ["TQDM_DISABLE"] = "1"
