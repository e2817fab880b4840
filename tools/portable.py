"""Run the notebooks and the unit tests as other machines would.

    python tools/portable.py               every leg
    python tools/portable.py --leg avx     one of them
    python tools/portable.py --rotate      half of the one whose turn it is
    python tools/portable.py --list        their names

The legs are other instruction sets, the newest jax on newer Pythons, the oldest
versions that pyproject.toml admits, and the notebooks' first cell on a machine like
Colab's (tools/colab.py). A leg with versions of its own has its
own environment under .portable, kept until the lock or pyproject.toml changes.
The turn goes by the number of commits, so CI walks through all of them; a turn is the
notebooks or the rest, since both together would double CI's time on a slow machine.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".portable"
# The book, the repository's own rules and the browser are the same everywhere.
SAME_EVERYWHERE = ["browser"] + [
    f"test_{name}.py"
    for name in [
        "book",
        "mathematics",
        "notebooks",
        "portable",
        "project",
        "reading",
        "release",
    ]
]
# Putting notebooks in order and what a built file holds have nothing to do with jax;
# the checks of answers have.
SAME_EVERYWHERE += [
    f"grading/test_{name}.py"
    for name in ("assemble", "intake", "jobs", "leaks", "roster")
]
# What a newer jax may need newer, and what the oldest ipywidgets needs older.
FREE = {
    "newest": {"jax", "jaxlib", "ml-dtypes"},
    "oldest": {"ipywidgets", "jupyterlab-widgets", "widgetsnbextension"},
}


# What CI runs of a leg at a time, and what a whole leg runs.
PARTS = {"notebooks": ["notebooks"], "tests": ["src", "tests"]}


class Leg(NamedTuple):
    """One way to run: flags for XLA, a Python and an end of the ranges, or a script."""

    flags: str = ""
    python: str = ""
    end: str = ""
    script: str = ""


LEGS = {
    "avx": Leg(flags="--xla_cpu_max_isa=AVX"),
    "newest-3.12": Leg(python="3.12", end="newest"),
    "sse4": Leg(flags="--xla_cpu_max_isa=SSE4_2"),
    "newest-3.13": Leg(python="3.13", end="newest"),
    "oldest-3.11": Leg(python="3.11", end="oldest"),
    "colab": Leg(python="3.12", script="tools/colab.py"),
}


class Absent(Exception):
    """This machine lacks what a leg needs."""


def dependencies() -> list[Requirement]:
    """Return what the package itself depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"]]


def lower_bound(requirement: Requirement) -> str:
    """Return the oldest version that a range admits."""
    [bound] = [part.version for part in requirement.specifier if part.operator == ">="]
    return bound


def leg_requirements(end: str) -> str:
    """Return the lock without hashes, moved to one end of the package's ranges."""
    ours = {requirement.name: requirement for requirement in dependencies()}
    free = FREE[end] | (set(ours) if end == "oldest" else set())
    lock = (ROOT / "requirements.txt").read_text()
    pins = re.findall(r"^([\w.-]+)(==\S+(?: ; [^\\\n]+)?)", lock, re.MULTILINE)
    lines = [name + pin.rstrip() for name, pin in pins if name not in free]
    for name, requirement in ours.items():
        if end == "oldest":
            lines.append(f"{name}=={lower_bound(requirement)}")
        elif name in free:
            lines.append(str(requirement))
    return "\n".join(sorted(lines)) + "\n"


def is_python(command: str, wanted: str) -> bool:
    """Return whether a command runs and is this version of Python."""
    ask = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([command, "-c", ask], capture_output=True, text=True)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == wanted


def find_python(wanted: str) -> str:
    """Return an interpreter of this version: our own, on the path, or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = sorted(pyenv.glob(f"{wanted}.*/bin/python"), reverse=True)
    for command in [sys.executable, shutil.which(f"python{wanted}"), *installed]:
        if command and is_python(str(command), wanted):
            return str(command)
    raise Absent(f"no Python {wanted} here")


def environment(name: str, leg: Leg) -> str:
    """Return the interpreter of a leg, made or brought up to date if need be."""
    if not leg.python:
        return sys.executable
    folder = CACHE / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = leg_requirements(leg.end)
    metadata = (ROOT / "pyproject.toml").read_text()
    mark = hashlib.sha256((wanted + metadata).encode()).hexdigest()
    stamp = folder / ".installed"
    if stamp.is_file() and stamp.read_text() == mark:
        return str(python)
    base = find_python(leg.python)
    shutil.rmtree(folder, ignore_errors=True)
    # uv, which the lock holds for `make lock`, resolves these faster than pip.
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", base, str(folder)], check=True)
    listed = folder / "requirements.txt"
    listed.write_text(wanted)
    install = [*uv, "pip", "install", "--quiet", "--python", str(python)]
    subprocess.run([*install, "-r", str(listed)], check=True)
    own = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    subprocess.run([*install, *own], check=True)
    stamp.write_text(mark)
    return str(python)


def test_command(python: str, parts: list[str]) -> list[str]:
    """Return the pytest command of a leg, or of a part of it."""
    targets = [target for part in parts for target in PARTS[part]]
    command = [python, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadscope"]
    command += ["--nbval", "--nbval-cell-timeout", "600", "--doctest-modules"]
    command += ["-p", "no:cacheprovider", *targets]
    return command + [f"--ignore=tests/{name}" for name in SAME_EVERYWHERE]


def run(name: str, parts: list[str]) -> str:
    """Run one leg; return what came of it in words, 'passed' if it is well."""
    leg = LEGS[name]
    print(f"\n== {name} ==", flush=True)
    try:
        if leg.script:
            return run_script(leg)
        python = environment(name, leg)
    except Absent as lack:
        return f"could not run: {lack}"
    except subprocess.CalledProcessError as error:
        return f"FAILED to install: {' '.join(error.cmd[1:4])}, exit {error.returncode}"
    say = "import jax, numpy, platform as p; print('Python', p.python_version(), "
    say += "'jax', jax.__version__, 'numpy', numpy.__version__)"
    subprocess.run([python, "-c", say])
    flags = f"{os.environ.get('XLA_FLAGS', '')} {leg.flags}".strip()
    # The unit tests compile as the reader's programs do; see conftest.py.
    env = os.environ | {"COMPILE_FULLY": "1"} | ({"XLA_FLAGS": flags} if flags else {})
    code = subprocess.run(test_command(python, parts), cwd=ROOT, env=env).returncode
    return "passed" if code == 0 else f"FAILED: pytest's exit code is {code}"


def run_script(leg: Leg) -> str:
    """Run a leg that is a script of its own; it makes its own environments."""
    command = [sys.executable, leg.script, find_python(leg.python)]
    code = subprocess.run(command, cwd=ROOT).returncode
    return "passed" if code == 0 else f"FAILED: the exit code is {code}"


def turn() -> tuple[str, str]:
    """Return the leg whose turn it is, and which part, by the number of commits."""
    command = ["git", "rev-list", "--count", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rounds, place = divmod(int(done.stdout), len(LEGS))
    return list(LEGS)[place], list(PARTS)[rounds % len(PARTS)]


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, run the legs, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--leg", choices=LEGS, help="run this one")
    choice.add_argument("--rotate", action="store_true", help="half of the one in turn")
    choice.add_argument("--list", action="store_true", help="print the names")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(LEGS))
        return 0
    names, parts = [options.leg] if options.leg else list(LEGS), list(PARTS)
    if options.rotate:
        name, part = turn()
        names, parts = [name], [part]
        print(f"The leg whose turn it is: {name}, {part} (of {', '.join(LEGS)})")
    outcomes = {name: run(name, parts) for name in names}
    print("\nPortability:")
    for name, outcome in outcomes.items():
        print(f"  {name:<12} {outcome}")
    return int(any(outcome.startswith("FAILED") for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
