"""One framework in a process of its own: it trains a pass whenever it is asked.

    python worker.py MODULE TASK VARIANT DATA.npz

Answers `ready PARAMETERS` once it is warm, then for each line read `SECONDS LOSS`.
"""

import importlib
import sys
import time

import numpy as np
from sizes import RATE, SIZES

WARM_UP = 3


def main() -> None:
    """Warm up, then serve."""
    module, name, variant, path = sys.argv[1:]
    # What a framework prints must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    peer = importlib.import_module(module)
    with np.load(path) as file:
        arrays = [file[key] for key in file.files]
    if name == "peak":
        parameters, run = 0, peer.peak()
    else:
        parameters, run = peer.task(name, variant, SIZES[name], RATE, arrays)
    for _ in range(WARM_UP):
        run()
    print("ready", parameters, file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        loss = run()
        seconds = time.perf_counter() - start
        value = loss if isinstance(loss, float) else 0.0
        print(seconds, value, file=answers, flush=True)


if __name__ == "__main__":
    main()
