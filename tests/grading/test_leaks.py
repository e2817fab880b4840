"""No solution, no hidden check and no table of answers reaches a student."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest

from lessons.grading.cells import student_version

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import release_checks as CHECKS  # noqa: E402

FOLDER = ROOT / "notebooks" / "exercises"
SOURCES = sorted(FOLDER.glob("*.ipynb"))
SITE = ROOT / "_build" / "html"


SECRET = CHECKS.secrets(ROOT / "notebooks")


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
    assert CHECKS.site_faults(SITE, SECRET, CHECKS.machine()) == []


def test_no_source_and_no_hidden_check_is_in_the_site():
    names = {file.name for file in SITE.rglob("*")}
    assert not {f"{path.stem[:2]}.toml" for path in SOURCES} & names
    assert not [file for file in SITE.rglob("hidden*")]
    for path in SOURCES:
        places = [p.relative_to(SITE) for p in SITE.rglob(f"{path.stem}.ipynb")]
        assert all("student" in p.parts or p.parent.name == "notebooks" for p in places)


def test_no_practice_check_holds_a_right_answer():
    checks = sorted((ROOT / "src/lessons/exercises").glob("*.py"))
    package = CHECKS.squeeze(
        "".join(path.read_text(encoding="utf-8") for path in checks)
    )
    for path in SOURCES:
        file = FOLDER / "answers" / f"{path.stem[:2]}.toml"
        for id, answers in tomllib.loads(file.read_text(encoding="utf-8")).items():
            for right in answers["right"]:
                body = CHECKS.squeeze(right["code"])
                assert len(body) < 40 or body not in package, id


def test_the_wheel_holds_practice_checks_alone(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    subprocess.run([*command, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        assert any("exercises/ch01" in name for name in file.namelist())
    assert CHECKS.package_faults(wheel, FOLDER) == []


def test_a_package_with_a_hidden_check_is_refused(tmp_path):
    hidden = sorted((FOLDER / "hidden").glob("*.py"))[0]
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.write(hidden, "lessons/practice.py")
        file.writestr("lessons/answers/01.toml", "")
        file.writestr("lessons/01.ipynb", "{}")
    assert len(CHECKS.package_faults(wheel, FOLDER)) == 3
    sources = tmp_path / "x.tar.gz"
    with tarfile.open(sources, "w:gz") as file:
        file.add(hidden, "lessons-1/src/lessons/practice.py")
    [fault] = CHECKS.package_faults(sources, FOLDER)
    assert fault == f"x.tar.gz holds a hidden check of {hidden.name}"
