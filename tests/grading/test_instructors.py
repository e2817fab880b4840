"""The session on the page for instructors prints what the page shows."""

import io
import os
import re
import shlex
import shutil
import sys
import zipfile

import absl.logging
import nbformat
import pytest
from conftest import SOURCES, solved, written

from lessons.grading import course as courses
from lessons.grading import gradebook
from lessons.grading.cells import grade_id
from lessons.grading.cli import main
from lessons.grading.marks import chapter

PAGE = SOURCES.parents[1] / "book" / "instructors.md"
WRONG_GAIN = "def leaky_gain(a):\n    return 2 / (1 + a)\n"


def session():
    """Return the commands of the page with what each prints."""
    text = PAGE.read_text(encoding="utf-8")
    part = text.split("<!-- session -->")[1].split("<!-- /session -->")[0]
    blocks = re.findall(r"```console\n(.*?)```", part, re.DOTALL)
    steps = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def in_two(notebook):
    """Return a notebook in which the answer of ReLU was cut into two cells."""
    place = [grade_id(cell) for cell in notebook.cells].index("relu")
    first, second = notebook.cells[place].source.split("\n\n\n")
    half = nbformat.from_dict(notebook.cells[place])
    notebook.cells[place].source, half.source, half.id = first, second, "half"
    notebook.cells.insert(place + 1, half)
    return notebook


def class_list():
    """Return the list that the page shows."""
    [lines] = [shown for command, shown in session() if command == "cat class.csv"]
    return "\n".join(lines) + "\n"


def export(path):
    """Write a zip as Canvas exports it."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {
            "curiemarie_5555_9_01_activations.ipynb": written(solved()),
            "hoppergrace_4712_8_01_activations.ipynb": written(
                solved(gain=WRONG_GAIN, discuss="It waves.")
            ).replace(b"It has no dead half.", b"It waves."),
            "lovelaceada_4711_7_01_activations.ipynb": written(solved(relu="x = 1")),
            "lovelaceada_4711_7_01_activations-1.ipynb": written(in_two(solved())),
            "noetheremmy_4713_6_01_activations.ipynb": b'{"cells": [',
        }.items():
            file.writestr(name, content)


def run(command, capsys):
    """Do what a line of the session says and return what it prints."""
    words = shlex.split(command)
    if words[0] == "cd":
        os.chdir(words[1])
        return ""
    if words[0] == "cat":
        return open(words[1], encoding="utf-8").read()
    assert words[0] == "lessons"
    extra = ["--sources", str(SOURCES)] if words[1] == "course" else []
    main([*words[1:], *extra])
    return capsys.readouterr().out


def test_the_session_of_the_page(tmp_path, monkeypatch, capsys, boxed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class.csv").write_text(class_list(), encoding="utf-8")
    export(tmp_path / "submissions.zip")
    steps = session()
    assert len(steps) == 8
    for command, shown in steps:
        printed = run(command, capsys).rstrip("\n")
        assert [line.rstrip() for line in printed.splitlines()] == shown, command
    here = courses.load(tmp_path / "dl-2027")
    with gradebook.nbgrader(here) as api, api.gradebook as book:
        ada = book.find_student("ada")
        named = (ada.first_name, ada.last_name, ada.email)
    assert named == ("Ada", "Lovelace", "ada@example.org")


def test_a_log_that_the_grade_book_closes_is_not_what_pytest_captures():
    handler = absl.logging.get_absl_handler().python_handler
    assert handler.stream is sys.__stderr__


@pytest.mark.parametrize("word", ["course init", "release", "collect", "grade"])
def test_help_shows_an_example(word, capsys):
    with pytest.raises(SystemExit) as done:
        main([*word.split(), "--help"])
    assert done.value.code == 0
    assert f"examples:\n  lessons {word}" in capsys.readouterr().out


def test_a_new_exercise_begins_complete(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "notebooks" / "exercises"
    shutil.copytree(SOURCES, folder)
    options = ["--sources", str(folder), "--points", "4"]
    assert main(["new-exercise", "01.twice", *options]) == 0
    [path] = folder.glob("01_*.ipynb")
    words = [grade_id(cell) for cell in nbformat.read(path, 4).cells]
    assert words.index("twice-text") < words.index("twice") < words.index("twice-check")
    assert words.index("twice-check") < words.index("discuss-text")
    assert '@hidden("01.twice")' in (folder / "hidden" / "ch01.py").read_text()
    assert '[["01.twice".wrong]]' in (folder / "answers" / "01.toml").read_text()
    assert "01.twice" in chapter("01", folder / "hidden").exercises
    assert main(["new-exercise", "01.twice", *options]) == 1
    assert "expected a new id" in capsys.readouterr().err


def test_the_container_installs_what_the_page_says():
    text = (SOURCES.parents[1] / "tools" / "grading" / "Dockerfile").read_text()
    page = PAGE.read_text(encoding="utf-8")
    assert "bubblewrap" in text
    admins = ("--cap-add SYS_ADMIN", "--cap-add NET_ADMIN")
    for option in ("seccomp=unconfined", "apparmor=unconfined", *admins):
        assert option in text
        assert option in page


def test_zip_members_are_what_the_page_lists(tmp_path):
    export(tmp_path / "x.zip")
    names = zipfile.ZipFile(io.BytesIO((tmp_path / "x.zip").read_bytes())).namelist()
    page = PAGE.read_text(encoding="utf-8")
    assert all(name in page for name in names)
