"""Time the package next to PyTorch and Flax NNX, in one run.

    python benchmarks/run.py             all of it, about ten minutes
    python benchmarks/run.py --rounds 3  fewer repetitions

Each framework has an environment and a process of its own. All processes are warm
before the first measurement, and only one works at a time. A round asks each of them
for one pass over the same data, in an order that changes from round to round, so that
a machine that slows down slows down all of them. Medians and ratios go to
benchmarks/results.json, which the book's page shows.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVIRONMENTS = ROOT / ".bench"
RESULTS = HERE / "results.json"
sys.path.insert(0, str(HERE))
from sizes import SIZES, SYMBOLS, examples, operations  # noqa: E402

# Module, environment, and what a variant is called in the results.
PEERS = {
    ("ours", "epoch"): "lessons",
    ("torch_peer", "eager"): "PyTorch",
    ("torch_peer", "compiled"): "PyTorch, compiled",
    ("flax_peer", "jitted step"): "Flax NNX, jitted step",
    ("flax_peer", "scanned pass"): "Flax NNX, scanned pass",
}


def environment(module: str) -> str:
    """Return the interpreter of a worker, installing what it needs."""
    if module == "ours":
        return sys.executable
    listed = HERE / f"requirements-{module}.txt"
    folder = ENVIRONMENTS / module
    python = folder / "bin" / "python"
    stamp, mark = folder / ".installed", hashlib.sha256(listed.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != mark:
        print(f"installing {listed.name}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", listed]
        subprocess.run(install, check=True)
        stamp.write_text(mark)
    return str(python)


def write_data(folder: Path) -> dict[str, Path]:
    """Store each task's arrays where every worker finds them."""
    from lessons import data

    text, _ = data.load("pride_and_prejudice")
    symbols = sorted(set(text), key=text.count, reverse=True)[: SYMBOLS - 1]
    place = {symbol: i for i, symbol in enumerate(symbols)}
    stream = np.array([place.get(symbol, SYMBOLS - 1) for symbol in text], np.int32)
    files = {"peak": folder / "peak.npz"}
    np.savez(files["peak"])
    for name, size in SIZES.items():
        if name == "LeNet":
            arrays = [np.asarray(a) for a in data.load("mnist").train]
        else:
            length = size.time + 1
            arrays = [stream[: examples(name) * length].reshape(-1, length)]
        files[name] = folder / f"{name}.npz"
        np.savez(files[name], *arrays)
    return files


class Worker:
    """A process that trains for one pass whenever it is asked."""

    def __init__(self, module: str, name: str, variant: str, path: Path):
        """Start it and wait until it is warm."""
        command = [environment(module), HERE / "worker.py", module, name, variant, path]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.parameters = int(self._read()[1])

    def _read(self) -> list[str]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended early: see its error above")
        return line.split()

    def measure(self) -> tuple[float, float]:
        """Return the seconds of one pass and its mean loss."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, loss = map(float, self._read())
        return seconds, loss

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(timeout=60)


def interleave(workers: dict[str, Worker], rounds: int) -> dict[str, list]:
    """Ask every worker once a round, in an order of its own each round."""
    generator, measured = random.Random(0), {label: [] for label in workers}
    for _ in range(rounds):
        for label in generator.sample(list(workers), len(workers)):
            measured[label].append(workers[label].measure())
    return measured


def time_task(name: str, path: Path, peak: Worker, rounds: int) -> dict:
    """Measure one task with every peer, and the machine's product between them."""
    with contextlib.ExitStack() as stack:
        workers = {}
        for (module, variant), label in PEERS.items():
            print(f"{name}: warming up {label}", flush=True)
            workers[label] = Worker(module, name, variant, path)
            stack.callback(workers[label].close)
        measured = interleave({**workers, "peak": peak}, rounds)
    products = [seconds for seconds, _ in measured.pop("peak")]
    top = 2 * 2048**3 / statistics.median(products)
    rows = {}
    for label, passes in measured.items():
        seconds = statistics.median(seconds for seconds, _ in passes)
        rows[label] = {
            "seconds": seconds,
            "ratios": against(passes, measured["lessons"]),
            "share of peak": operations(name) / seconds / top,
            "parameters": workers[label].parameters,
            "loss": passes[-1][1],
        }
    return {"peak": top, "steps": SIZES[name].steps, "rows": rows}


def against(passes: list, ours: list) -> list[float]:
    """Return the quartiles of the ratio to our time in the same round."""
    ratios = [theirs / own for (theirs, _), (own, _) in zip(passes, ours, strict=True)]
    return statistics.quantiles(ratios, n=4)


def machine() -> str:
    """Name the kind of machine: its processor and its cores."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [
            x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")
        ]
        name = names[0] if names else name
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def keep_elsewhere(here: str) -> None:
    """Keep what another machine has measured: the page shows both."""
    if RESULTS.exists() and json.loads(RESULTS.read_text())["machine"] != here:
        RESULTS.replace(RESULTS.with_name("elsewhere.json"))


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=list(SIZES), help="one task")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write_data(Path(folder))
        peak = Worker("ours", "peak", "epoch", files["peak"])
        names = [options.only] if options.only else list(SIZES)
        tasks = {n: time_task(n, files[n], peak, options.rounds) for n in names}
        peak.close()
    for name, task in tasks.items():
        for label, row in task["rows"].items():
            print(f"{name:12} {label:24} {row['ratios'][1]:5.2f} times ours")
    if not options.only:
        date = datetime.date.today().isoformat()
        about = {"date": date, "machine": machine(), "rounds": options.rounds}
        keep_elsewhere(about["machine"])
        RESULTS.write_text(json.dumps({**about, "tasks": tasks}, indent=1) + "\n")


if __name__ == "__main__":
    main()
