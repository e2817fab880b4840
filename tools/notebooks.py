"""Execute the notebooks and write them in a normal form.

    python tools/notebooks.py                    the changed ones
    python tools/notebooks.py 01_activations     this one
    python tools/notebooks.py exercises/01       its exercises, with the student version
    python tools/notebooks.py --all              every one
    python tools/notebooks.py --check            is each in normal form?
    python tools/notebooks.py --normalise FILE   write the form, execute nothing

The normal form holds nothing that differs from run to run or from machine to
machine, so executing twice gives the same bytes: ids come from the sources,
widget models are numbered in the order they were made, metadata is a short list,
and the set-up cell is the same in every notebook. A notebook that fails keeps
its old file.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import re
import sys
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
EXERCISES = FOLDER / "exercises"
SEEN = ROOT / ".cache" / "notebooks.json"
WIDGETS = "application/vnd.jupyter.widget-state+json"
CELL_METADATA = {"tags", "mystnb", "nbgrader", "editable", "deletable"}
NOTEBOOK_METADATA = {"mystnb", "widgets"}
SECONDS_A_CELL = 600

# It prints nothing, and away from Colab it does nothing: the package is installed.
# pip keeps the jax that Colab has where the wheel's range allows it; otherwise the
# cell says so, because the jax that pip then takes knows no accelerator.
SETUP = """\
import sys

if "google.colab" in sys.modules:  # on Colab, install the course's package
    from importlib.metadata import version
    jax_here = version("jax")
    release = "ADDRESS/releases/download/vEDITION"
    wheel = f"{release}/lessons-EDITION-py3-none-any.whl"
    %pip install --quiet "lessons[notebooks] @ {wheel}"
    if version("jax") != jax_here:
        print(f"jax {jax_here} is untested: {version('jax')} replaces it on the CPU")"""


def repository() -> str:
    """Return the repository's address, which pyproject.toml alone decides."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["urls"]["Repository"]


def version() -> str:
    """Return the version of the package, without importing it."""
    text = (ROOT / "src/lessons/__init__.py").read_text()
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


def setup_source() -> str:
    """Return the set-up cell that every notebook carries."""
    return SETUP.replace("ADDRESS", repository()).replace("EDITION", version())


def merge_streams(outputs: list) -> list:
    """Join neighbouring pieces of one stream: where they break is chance."""
    merged: list = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            merged.append(output)
    return merged


def cell_ids(name: str, cells: list) -> list[str]:
    """Return one id a cell: the notebook's number, a hash of the source, a count."""
    number = re.sub(r"[^A-Za-z0-9-]", "-", name.split("_")[0])[:20]
    ids: list[str] = []
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode())
        first = f"{number}-{digest.hexdigest()[:10]}"
        twins = sum(i == first or i.startswith(first + "-") for i in ids)
        ids.append(f"{first}-{twins + 1}" if twins else first)
    return ids


def number_models(notebook, name: str):
    """Replace the random ids of widget models by numbers in the order made."""
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    tail = hashlib.sha256(name.encode()).hexdigest()[:24]
    new = {old: f"{place:08x}{tail}" for place, old in enumerate(state)}
    text = re.sub(
        r"[0-9a-f]{32}", lambda m: new.get(m[0], m[0]), nbformat.writes(notebook)
    )
    # Writing sorts the keys, and the numbers sort in the order made: after a second
    # writing the order is in the file, and numbering it again changes nothing.
    return nbformat.reads(nbformat.writes(nbformat.reads(text, 4)), as_version=4)


def normalise(notebook, name: str):
    """Return the notebook in normal form; the argument is left as it was."""
    notebook = copy.deepcopy(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    kept = {k: v for k, v in notebook.metadata.items() if k in NOTEBOOK_METADATA}
    notebook.metadata = nbformat.from_dict(kept)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")
        cell.metadata = nbformat.from_dict(
            {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        )
        if cell.cell_type != "code":
            continue
        cell.source = re.sub(r"[ \t]+$", "", cell.source, flags=re.MULTILINE)
        if "setup" in cell.metadata.get("tags", []):
            cell.source = setup_source()
        cell.outputs = merge_streams(cell.outputs)
    for cell, cell_id in zip(
        notebook.cells, cell_ids(name, notebook.cells), strict=True
    ):
        cell.id = cell_id
    return number_models(notebook, name)


def text_of(notebook) -> str:
    """Return the bytes of a notebook as they lie on disk."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def read(path: Path):
    """Read one notebook."""
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def write(path: Path, notebook) -> bool:
    """Replace the file in one step; return whether it changed."""
    text = text_of(notebook)
    if path.read_text(encoding="utf-8") == text:
        return False
    new = path.with_name(path.name + ".tmp")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)
    return True


def hand_out(path: Path) -> bool:
    """Write the student's version beside a source; return whether it changed."""
    from lessons.grading.cells import student_version

    notebook = student_version(read(path))
    for cell in notebook.cells:
        # It lies one folder deeper than its source.
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", "](../../")
    target = path.parent / "student" / path.name
    target.parent.mkdir(exist_ok=True)
    target.touch()
    return write(target, normalise(notebook, path.stem))


def execute(path: Path):
    """Return the notebook with fresh outputs and the state of its widgets."""
    from nbclient import NotebookClient

    notebook = normalise(read(path), path.stem)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        store_widget_state=True,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    return normalise(notebook, path.stem)


def fingerprint(path: Path) -> str:
    """Hash what a notebook's outputs depend on: its cells, the package, the lock."""
    digest = hashlib.sha256()
    for cell in normalise(read(path), path.stem).cells:
        if cell.cell_type == "code":
            digest.update(json.dumps([cell.source, cell.metadata]).encode())
    package = (ROOT / "src/lessons").rglob("*")
    for file in [*sorted(package), ROOT / "requirements.txt"]:
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def find(names: list[str]) -> list[Path]:
    """Return the notebooks of these names: a path, a stem, or how it begins."""
    if not names:
        return sorted([*FOLDER.glob("*.ipynb"), *EXERCISES.glob("*.ipynb")])
    found = []
    for name in names:
        path = Path(name)
        here = EXERCISES if path.parent.name == EXERCISES.name else FOLDER
        hits = [path] if path.is_file() else sorted(here.glob(f"{path.stem}*.ipynb"))
        exact = [hit for hit in hits if hit.stem == path.stem]
        if len(exact or hits) != 1:
            raise SystemExit(f"{name}: {len(hits)} notebooks of that name in {FOLDER}")
        found += exact or hits
    return found


def refresh(paths: list[Path], everything: bool) -> int:
    """Execute what changed since it was last executed here; 1 if one failed."""
    from nbclient.exceptions import (
        CellExecutionError,
        CellTimeoutError,
        DeadKernelError,
    )

    seen = json.loads(SEEN.read_text()) if SEEN.is_file() else {}
    failed = 0
    for path in paths:
        mark = fingerprint(path)
        name = str(path.resolve()).removeprefix(f"{ROOT}/")
        if not everything and seen.get(name) == mark:
            changed = write(path, normalise(read(path), path.stem))
            print(f"{path.name}: unchanged" + (", normal form written" * changed))
            continue
        print(f"{path.name}: executing", flush=True)
        try:
            changed = write(path, execute(path))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(f"{error}\n{path.name}: FAILED, the file is left as it was")
            failed = 1
            continue
        if path.parent.name == EXERCISES.name:
            changed |= hand_out(path)
        print(f"{path.name}: " + ("written" if changed else "the same bytes as before"))
        seen[name] = fingerprint(path)
        SEEN.parent.mkdir(exist_ok=True)
        SEEN.write_text(json.dumps(seen, indent=1))
    return failed


def is_normal(path: Path) -> bool:
    """Return whether a file is in normal form already."""
    normal = text_of(normalise(read(path), path.stem))
    return path.read_text(encoding="utf-8") == normal


def check(paths: list[Path]) -> int:
    """Name the files that are not in normal form; 1 if there is one."""
    wrong = [path for path in paths if not is_normal(path)]
    for path in wrong:
        print(f"{path}: not in normal form; run: make notebooks NAME={path.stem}")
    return bool(wrong)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="notebooks; the changed ones if none")
    parser.add_argument("--all", action="store_true", help="execute unchanged ones too")
    parser.add_argument("--check", action="store_true", help="only check the form")
    parser.add_argument("--normalise", action="store_true", help="execute nothing")
    options = parser.parse_args(arguments)
    paths = find(options.names)
    if options.check:
        return check(paths)
    if options.normalise:
        for path in paths:
            write(path, normalise(read(path), path.stem))
            if path.parent.name == EXERCISES.name:
                hand_out(path)
        return 0
    src = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, src))
    os.environ["TQDM_DISABLE"] = "1"  # a bar holds times
    return refresh(paths, options.all or bool(options.names))


if __name__ == "__main__":
    sys.exit(main())
