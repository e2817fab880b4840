"""Prove the notebooks' first cell on a machine like Colab's.

    python tools/colab.py PYTHON        an interpreter of Python 3.12

Colab brings its own jax, built for its accelerators, and an old ipywidgets. So a
fresh environment gets those, a module `google.colab`, and not the course's package.
A kernel in it then runs the first cells of two chapters, one after the other, as
they stand in the repository; only the address of the release is replaced by a folder
with a wheel built here. Twice: with a jax newer than the lock's, which must stay, and
with one that is too old, which must be replaced and named.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from notebooks import FOLDER, ROOT, WIDGETS, repository, version
from packaging.requirements import Requirement
from portable import CACHE, dependencies

HOME = CACHE / "colab"
CHAPTERS = ("01_activations", "04_training_loop")
CELLS = 7
# What matters of Colab's image; numpy is left to the newer jax.
BROUGHT = [
    "ipykernel==6.17.1",
    "ipython==7.34.0",
    "ipywidgets==7.7.1",
    "jupyter-client==7.4.9",
    "matplotlib==3.10.0",
    "notebook==6.5.7",
    "numpy<2.4",
    "optax",
    "packaging==25.0",
    "pandas==2.2.2",
    "pooch==1.8.2",
    "scikit-learn==1.6.1",
    "scipy",
    "tornado==6.5.1",
    "tqdm==4.67.1",
    "traitlets==5.7.1",
]
TOO_OLD = "0.8.2"
START = (
    "import google.colab.output; from ipykernel.kernelapp import launch_new_instance"
)
# What jax and anywidget look for there. Without the manager Colab draws no widget of
# ours; anywidget turns it on.
OUTPUT = """\
from types import SimpleNamespace

_widgets = SimpleNamespace(_installed_url="")


def enable_custom_widget_manager():
    _widgets._installed_url = "manager"
"""
# Run after each chapter's first cells, in their kernel.
PROBE = """\
import json, sys
import jax, lessons, lessons.widgets, optax, sacrebleu, sklearn
figure = lessons.widgets.ActivationExplorer(x=2.0)
display(figure)
figure.x = 3.0
said = {"version": lessons.__version__, "file": lessons.__file__}
said |= {"manager": sys.modules["google.colab.output"]._widgets._installed_url}
print(json.dumps(said | {"jax": jax.__version__, "prefix": sys.prefix}))
"""


class Case(NamedTuple):
    """A jax that Colab may bring, and whether it must stay."""

    jax: list[str]
    stays: bool


def need(name: str) -> Requirement:
    """Return what the package says about one of its dependencies."""
    [found] = [line for line in dependencies() if line.name == name]
    return found


def cases() -> dict[str, Case]:
    """Return the two machines: a jax beyond the lock's, and one below the range."""
    lock = (ROOT / "requirements.txt").read_text()
    [locked] = re.findall(r"^jax==(\S+)", lock, re.MULTILINE)
    newer = [f"jax>{locked},{need('jax').specifier}", str(need("jaxlib"))]
    old = [f"jax=={TOO_OLD}", f"jaxlib=={TOO_OLD}"]
    return {"newer": Case(newer, True), "too old": Case(old, False)}


def environment(folder: Path, base: str, jax: list[str]) -> str:
    """Make a fresh environment as Colab's and return its interpreter."""
    shutil.rmtree(folder, ignore_errors=True)
    uv = [sys.executable, "-m", "uv"]
    venv = [*uv, "venv", "--quiet", "--seed", "--python", base, str(folder)]
    subprocess.run(venv, check=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    install = [*uv, "pip", "install", "--quiet", "--python", python, *BROUGHT, *jax]
    subprocess.run(install, check=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", ask], capture_output=True, text=True)
    colab = Path(site.stdout.strip()) / "google" / "colab"
    colab.mkdir(parents=True)
    (colab / "__init__.py").touch()
    (colab / "output.py").write_text(OUTPUT)
    return python


def installed(python: str) -> dict[str, str]:
    """Return {package: version} as pip sees an environment."""
    command = [python, "-m", "pip", "list", "--format=json", "--no-input"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {each["name"]: each["version"] for each in json.loads(done.stdout)}


def write_kernel(python: str) -> None:
    """Describe the kernel that has `google.colab` from its start, as Colab's has."""
    folder = HOME / "jupyter" / "kernels" / "colab"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [python, "-c", f"{START}; launch_new_instance()", "-f", "{connection_file}"]
    # Neither the repository's source nor the settings of whoever runs this.
    env = {"PYTHONPATH": "", "PYTHONNOUSERSITE": "1", "IPYTHONDIR": str(HOME / "ipy")}
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # a warning about the debugger
    spec = {"argv": argv, "display_name": "Colab", "language": "python", "env": env}
    (folder / "kernel.json").write_text(json.dumps(spec))
    os.environ["JUPYTER_PATH"] = str(HOME / "jupyter")


def build_wheel() -> Path:
    """Build the package's wheel into an empty folder and return the folder."""
    dist = HOME / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    subprocess.run([*command, str(dist)], cwd=ROOT, check=True, capture_output=True)
    return dist


def first_cells(chapter: str, release: Path):
    """Return a chapter's first code cells, installing from a folder, and the probe."""
    notebook = nbformat.read(FOLDER / f"{chapter}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"][:CELLS]
    address = f"{repository()}/releases/download/v{version()}"
    if code[0].source.count(address) != 1:
        sys.exit(f"{chapter}: the first cell does not install from {address}")
    code[0].source = code[0].source.replace(address, release.as_uri())
    notebook.cells = [*code, nbformat.v4.new_code_cell(PROBE)]
    for cell in notebook.cells:
        cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    return notebook


def run(chapter: str, release: Path):
    """Execute a chapter's first cells in the kernel and return them with outputs."""
    notebook = first_cells(chapter, release)
    path = {"metadata": {"path": str(HOME)}}
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="colab",
        store_widget_state=True,
        resources=path,
    )
    try:
        return client.execute()
    except CellExecutionError as error:
        sys.exit(f"{chapter}, on a machine like Colab's:\n{error}")


def printed(cell) -> str:
    """Return what a cell printed."""
    return "".join(out.get("text", "") for out in cell.outputs)


def faults(case: Case, before: dict, after: dict, notebook) -> list[str]:
    """List in words what is not as promised after a chapter's first cells."""
    said = json.loads(printed(notebook.cells[-1]).strip().splitlines()[-1])
    first = printed(notebook.cells[0])
    found = []
    if said["version"] != version() or not said["file"].startswith(said["prefix"]):
        found.append(f"lessons is {said['version']} from {said['file']}")
    changed = {name for name in before if after.get(name) != before[name]}
    if changed != (set() if case.stays else {"jax", "jaxlib"}):
        found.append(f"pip changed {sorted(changed)}")
    if said["jax"] != after["jax"] or said["jax"] not in need("jax").specifier:
        found.append(f"jax {said['jax']} is imported, {after['jax']} installed")
    told = before["jax"] in first and after["jax"] in first
    if told == case.stays:
        found.append(f"the first cell says: {first!r}")
    if "Traceback" in first or "ERROR" in first:
        found.append(f"pip says: {first}")
    if not said["manager"]:
        found.append("Colab's manager of foreign widgets is off")
    return found + widget_faults(notebook)


def widget_faults(notebook) -> list[str]:
    """List what is wrong with the figure that the probe made with an old ipywidgets."""
    views = [out.get("data", {}) for out in notebook.cells[-1].outputs]
    views = [data[key] for data in views for key in data if "widget-view" in key]
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    if len(views) != 1 or views[0]["model_id"] not in state:
        return ["the interactive figure has no view"]
    model = state[views[0]["model_id"]]["state"]
    return [] if model.get("x") == 3.0 else ["the figure does not follow Python"]


def prove(name: str, case: Case, base: str, release: Path) -> list[str]:
    """Run the chapters on one machine and return what is wrong."""
    python = environment(HOME / "env", base, case.jax)
    write_kernel(python)
    before = installed(python)
    print(f"{name}: jax {before['jax']}, numpy {before['numpy']},", end=" ")
    print(f"ipywidgets {before['ipywidgets']}, {len(before)} packages", flush=True)
    for chapter in CHAPTERS:
        notebook = run(chapter, release)
        after = installed(python)
        if found := faults(case, before, after, notebook):
            return [f"{name}, {chapter}: {fault}" for fault in found]
        added = sorted(f"{n} {after[n]}" for n in after.keys() - before.keys())
        print(f"  {chapter}: {CELLS} cells run; jax {after['jax']};", end=" ")
        print(f"added: {', '.join(added)}", flush=True)
        # The second chapter finds the package there, as after a restart.
        case, before = Case(case.jax, True), after
    return []


def main() -> None:
    """Prove both cases; stop with what is wrong."""
    base = sys.argv[1]
    os.environ.pop("PYTHONPATH", None)
    HOME.mkdir(parents=True, exist_ok=True)
    release = build_wheel()
    wrong = [f for n, c in cases().items() for f in prove(n, c, base, release)]
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
