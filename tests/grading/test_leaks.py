"""No solution, no hidden check and no table of answers reaches a student."""

import functools
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest

from lessons.grading.cells import BEGIN, grade_id, student_version

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks" / "exercises"
SOURCES = sorted(FOLDER.glob("*.ipynb"))
SITE = ROOT / "_build" / "html"


def squeezed(text):
    """Leave out white space, which differs between a page and its source."""
    return "".join(text.split())


def solutions():
    """Return the lines of every solution that is long enough to be known again."""
    found = {}
    for path in SOURCES:
        for cell in nbformat.read(path, 4).cells:
            marks = cell.metadata.get("nbgrader", {})
            if not marks.get("solution"):
                continue
            bodies = re.findall(rf"{BEGIN}\n(.*?)### END", cell.source, re.DOTALL)
            bodies = bodies or [cell.source] * (cell.cell_type == "markdown")
            for body in bodies:
                if len(squeezed(body)) >= 40:
                    found[squeezed(body)] = f"{path.stem}: {grade_id(cell)}"
    return found


SECRET = solutions()


def test_there_are_solutions_to_look_for():
    assert len(SECRET) >= 3 * len(SOURCES)


@pytest.mark.parametrize("path", SOURCES, ids=[path.stem for path in SOURCES])
def test_the_students_version_is_the_source_without_its_solutions(path):
    stored = nbformat.read(path.parent / "student" / path.name, 4)
    made = student_version(nbformat.read(path, 4))
    assert [c.metadata for c in stored.cells] == [c.metadata for c in made.cells]
    for cell, wanted in zip(stored.cells, made.cells, strict=True):
        assert cell.source == wanted.source.replace("](../", "](../../")
        assert not cell.get("outputs")
        assert "SOLUTION" not in cell.source


@pytest.mark.parametrize("path", SOURCES, ids=[path.stem for path in SOURCES])
def test_every_answer_is_empty_in_the_students_version(path):
    stored = nbformat.read(path.parent / "student" / path.name, 4)
    for cell in stored.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            assert "your answer" in cell.source.lower()


def test_no_built_file_holds_a_solution():
    assert (SITE / "index.html").is_file(), "run 'make book' first"
    texts = {".html", ".ipynb", ".js", ".json", ".md", ".py", ".txt", ".inv"}
    for file in sorted(SITE.rglob("*")):
        if not file.is_file() or file.suffix not in texts:
            continue
        raw = file.read_text(encoding="utf-8", errors="replace")
        plain = re.sub(r"<[^>]*>", "", raw) if file.suffix == ".html" else raw
        plain = squeezed(plain.replace("\\n", "\n").replace('\\"', '"'))
        for body, name in SECRET.items():
            if body in shown_anyway():
                continue
            assert body not in plain, f"{file.relative_to(SITE)} holds {name}"
        assert "BEGINSOLUTION" not in plain or file.stem == "instructors"


@functools.cache
def shown_anyway():
    """Return what the chapters and the package show, which is no secret."""
    texts = [p.read_text(encoding="utf-8") for p in (ROOT / "src").rglob("*.py")]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        texts += [cell.source for cell in nbformat.read(path, 4).cells]
    return squeezed("\n".join(texts))


def test_no_source_and_no_hidden_check_is_in_the_site():
    names = {file.name for file in SITE.rglob("*")}
    assert not {f"{path.stem[:2]}.toml" for path in SOURCES} & names
    assert not [file for file in SITE.rglob("hidden*")]
    for path in SOURCES:
        places = [p.relative_to(SITE) for p in SITE.rglob(f"{path.stem}.ipynb")]
        assert all("student" in p.parts or p.parent.name == "notebooks" for p in places)


def test_no_practice_check_holds_a_right_answer():
    checks = sorted((ROOT / "src/lessons/exercises").glob("*.py"))
    package = squeezed("".join(path.read_text(encoding="utf-8") for path in checks))
    for path in SOURCES:
        file = FOLDER / "answers" / f"{path.stem[:2]}.toml"
        for id, answers in tomllib.loads(file.read_text(encoding="utf-8")).items():
            for right in answers["right"]:
                body = squeezed(right["code"])
                assert len(body) < 40 or body not in package, id


def test_the_wheel_holds_practice_checks_alone(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    subprocess.run([*command, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        code = [file.read(name).decode() for name in names if name.endswith(".py")]
    text = squeezed("".join(code))
    assert any("exercises/ch01" in name for name in names)
    assert not [name for name in names if "hidden" in name or "answers" in name]
    assert not [name for name in names if name.endswith(".ipynb")]
    for path in sorted((FOLDER / "hidden").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        for body in re.findall(r"\ndef \w+\(t\):\n((?:    .*\n|\n)+)", source):
            assert len(squeezed(body)) < 60 or squeezed(body) not in text, path.name
