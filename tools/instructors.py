"""Build the instructor's edition: the book with every solution under a fold.

    python tools/instructors.py

It copies the repository's files to `_build/instructors/tree`, puts solutions and
common mistakes into the pages of the exercises there, and builds. The result is in
`_build/instructors/html`. Do not publish it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell
from notebooks import EXERCISES, ROOT, read, text_of

from lessons.exercises.local import find
from lessons.grading.cells import grade_id

TREE = ROOT / "_build" / "instructors" / "tree"
TARGET = ROOT / "_build" / "instructors" / "html"
WARNING = ":::{warning}\nThis is the instructor's edition: it holds the solutions.\n:::"


def mistakes(id: str, wrong: list[dict]) -> str:
    """Write the common mistakes of an exercise, each with its hint."""
    hints = find(id).hints
    lines = [":::{dropdown} Common mistakes", "| what goes wrong | the hint it draws |"]
    lines.append("|---|---|")
    for each in wrong:
        hint = hints[each["hint"]].replace("|", "\\|")
        lines.append(f"| {each['why'].replace('|', chr(92) + '|')} | {hint} |")
    return "\n".join([*lines, ":::"])


def edition(source: Path):
    """Return a source notebook with its solutions folded and mistakes explained."""
    notebook = read(source)
    number = source.stem[:2]
    table = EXERCISES / "answers" / f"{number}.toml"
    answers = tomllib.loads(table.read_text(encoding="utf-8"))
    cells = []
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        word = grade_id(cell).removesuffix("-check")
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", "](../../")
        if marks.get("solution") and cell.cell_type == "code":
            cell.metadata["tags"] = ["hide-input"]
            prompt = {"code_prompt_show": "Show the solution"}
            cell.metadata["mystnb"] = prompt | {"code_prompt_hide": "Hide it"}
            cell.source = plain(cell.source)
        elif marks.get("solution"):
            cell.source = f":::{{dropdown}} What earns the points\n{cell.source}\n:::"
        cells.append(cell)
        if marks.get("grade") and f"{number}.{word}" in answers:
            wrong = answers[f"{number}.{word}"]["wrong"]
            cells.append(new_markdown_cell(mistakes(f"{number}.{word}", wrong)))
        elif len(cells) == 1:
            cells.append(new_markdown_cell(WARNING))
    notebook.cells = cells
    for place, cell in enumerate(notebook.cells):
        cell.id = f"{number}-{place}"
    return nbformat.from_dict(notebook)


def plain(source: str) -> str:
    """Leave out nbgrader's marks round a solution."""
    lines = source.splitlines()
    return "\n".join(line for line in lines if " SOLUTION" not in line)


def copy_tree() -> None:
    """Copy the tracked files, and share what the build made before."""
    shutil.rmtree(TREE, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, TREE / name)
    (TREE / ".cache").symlink_to(ROOT / ".cache")


def main() -> int:
    """Make the tree, build it, and say where the pages are."""
    copy_tree()
    for source in sorted(EXERCISES.glob("*.ipynb")):
        place = TREE / "notebooks" / "exercises" / "student" / source.name
        place.write_text(text_of(edition(source)), encoding="utf-8")
    subprocess.run([sys.executable, "tools/assets.py"], cwd=TREE, check=True)
    build = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "--all"]
    subprocess.run([*build, "-W", "-n", "--keep-going"], cwd=TREE, check=True)
    shutil.rmtree(TARGET, ignore_errors=True)
    shutil.move(TREE / "_build" / "html", TARGET)
    print(f"The instructor's edition: {TARGET / 'index.html'}. Do not publish it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
