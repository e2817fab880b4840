"""What students do to a notebook by accident costs no point."""

import json

import nbformat
import pytest
from conftest import as_json, solved, written
from nbformat.v4 import new_code_cell, new_notebook

from lessons.grading import assemble as a
from lessons.grading.cells import grade_id, student_version
from lessons.grading.marking import cells_of


@pytest.fixture(scope="module")
def plain_release():
    """What students get, without nbgrader's checksums."""
    return student_version(solved())


def assembled(release, notebook):
    """Put a notebook in order."""
    return a.assemble(release, a.read_submission(written(notebook)))


def source(notebook, word):
    """Return the source of a cell by its grade id."""
    [found] = [cell.source for cell in notebook.cells if grade_id(cell) == word]
    return found


def at(notebook, word):
    """Return the place of a cell by its grade id."""
    return [grade_id(cell) for cell in notebook.cells].index(word)


def test_an_untouched_submission_keeps_its_answers(plain_release):
    notebook = solved()
    made = assembled(plain_release, notebook)
    assert made.notes == []
    for word in ("relu", "softmax", "discuss"):
        assert source(made.notebook, word) == source(notebook, word)


def test_putting_in_order_twice_changes_nothing(plain_release):
    notebook = solved()
    notebook.cells.insert(5, new_code_cell("y = 1"))
    once = assembled(plain_release, notebook).notebook
    assert written(assembled(plain_release, once).notebook) == written(once)


def test_a_cell_split_in_two_is_joined(plain_release):
    notebook = solved()
    place = at(notebook, "relu")
    first, second = notebook.cells[place].source.split("\n\n\n")
    notebook.cells[place].source = first
    half = nbformat.from_dict(notebook.cells[place])
    half.source, half.id = second, "half"
    notebook.cells.insert(place + 1, half)
    made = assembled(plain_release, notebook)
    assert first in source(made.notebook, "relu")
    assert second in source(made.notebook, "relu")
    assert "2 pieces" in made.notes[0]


def test_half_a_cell_without_metadata_is_still_run(plain_release):
    notebook = solved()
    place = at(notebook, "relu")
    first, second = notebook.cells[place].source.split("\n\n\n")
    notebook.cells[place].source = first
    notebook.cells.insert(place + 1, new_code_cell(second))
    made = assembled(plain_release, notebook)
    assert second in cells_of(made.notebook, "relu").extras


def test_a_copy_left_empty_is_no_answer(plain_release):
    notebook = solved()
    place = at(notebook, "relu")
    empty = nbformat.from_dict(plain_release.cells[at(plain_release, "relu")])
    empty.id = "copy"
    notebook.cells.insert(place + 1, empty)
    made = assembled(plain_release, notebook)
    assert source(made.notebook, "relu") == source(solved(), "relu")


def test_lost_metadata_are_restored(plain_release):
    notebook = solved()
    for cell in notebook.cells:
        cell.metadata, cell.id = {}, f"new-{len(cell.source)}-{id(cell)}"
    made = assembled(plain_release, notebook)
    for word in ("relu", "softmax", "softplus", "surprise", "clinic", "gain"):
        assert source(made.notebook, word) == source(solved(), word)
    assert any("relu" in note for note in made.notes)


def test_deleted_and_edited_tests_are_restored(plain_release):
    notebook = solved()
    del notebook.cells[at(notebook, "relu-check")]
    notebook.cells[at(notebook, "softmax-check")].source = "print('all passed')"
    notebook.cells[at(notebook, "relu-text")].source = "gone"
    made = assembled(plain_release, notebook).notebook
    for word in ("relu-check", "softmax-check", "relu-text"):
        assert source(made, word) == source(plain_release, word)
        cell = made.cells[at(made, word)]
        assert cell.metadata == plain_release.cells[at(plain_release, word)].metadata


def test_points_in_the_metadata_are_not_believed(plain_release):
    notebook = solved()
    notebook.cells[at(notebook, "relu-check")].metadata["nbgrader"]["points"] = 495
    made = assembled(plain_release, notebook).notebook
    cell = made.cells[at(made, "relu-check")]
    assert cell.metadata["nbgrader"]["points"] == 2


def test_outputs_that_came_are_not_kept(plain_release):
    notebook = solved()
    check = notebook.cells[at(notebook, "relu-check")]
    check.outputs = [
        nbformat.v4.new_output("execute_result", data={"text/plain": "2.0"})
    ]
    made = assembled(plain_release, notebook).notebook
    assert all(not cell.get("outputs") for cell in made.cells)


def test_cells_in_another_order_are_found(plain_release):
    notebook = solved()
    notebook.cells.reverse()
    made = assembled(plain_release, notebook).notebook
    assert source(made, "relu") == source(solved(), "relu")
    assert [grade_id(c) for c in made.cells] == [
        grade_id(c) for c in plain_release.cells
    ]


def test_an_endless_loop_in_one_answer_is_not_run_for_another(plain_release):
    notebook = solved(relu="while True: pass")
    made = assembled(plain_release, notebook).notebook
    cells = cells_of(made, "softmax")
    assert all("while" not in text for text in [*cells.given, *cells.extras])
    assert "softmax" in cells.answer


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'{"cells": [', "broken JSON"),
        (b"\xff\xfe\x00", "broken JSON"),
        (DEEP.encode(), "broken JSON"),
        (b"[1, 2]", "no list of cells"),
        (b'{"worksheets": []}', "no list of cells"),
        (b'{"cells": {"0": 1}}', "no list of cells"),
        (b" " * (a.MAX_BYTES + 1), "MB"),
    ],
)
def test_what_is_no_notebook_is_refused_with_its_reason(content, reason):
    with pytest.raises(a.Refused, match=reason):
        a.read_submission(content)


def test_a_notebook_of_a_hundred_thousand_cells_is_refused():
    cell = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": []}
    content = json.dumps({"cells": [cell] * 100_000}).encode()
    with pytest.raises(a.Refused, match=r"100000 cells|MB"):
        a.read_submission(content)


def test_cells_without_end_are_refused():
    cell = {"cell_type": "code", "source": "x" * 150_000, "metadata": {}}
    content = json.dumps({"cells": [cell] * 40}).encode()
    with pytest.raises(a.Refused, match="two million"):
        a.read_submission(content)


def test_another_notebook_is_refused(plain_release):
    other = new_notebook(cells=[new_code_cell("import math")])
    with pytest.raises(a.Refused, match="another notebook"):
        assembled(plain_release, other)


@pytest.mark.parametrize(
    "spoil",
    [
        {"source": 5},
        {"source": [1, "x", None]},
        {"metadata": None},
        {"metadata": {"nbgrader": "relu"}},
        {"metadata": {"nbgrader": {"grade_id": ["relu"]}}},
        {"cell_type": 3},
        {"id": {"a": 1}},
        {"source": "\ud800"},
        {"source": "x = 1\x00"},
    ],
)
def test_a_cell_of_odd_content_spoils_no_other(plain_release, spoil):
    data = as_json(solved())
    data["cells"][0] |= spoil
    data["cells"].append("no cell at all")
    made = a.assemble(plain_release, a.read_submission(json.dumps(data).encode()))
    assert source(made.notebook, "relu") == source(solved(), "relu")
    nbformat.validate(made.notebook)


def test_a_link_is_no_submission(tmp_path):
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "x.ipynb").symlink_to(tmp_path / "secret")
    with pytest.raises(a.Refused, match="link"):
        a.read_file(tmp_path / "x.ipynb")
