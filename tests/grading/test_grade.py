"""A class is graded: hostile and unlucky submissions cost nobody else anything."""

import concurrent.futures
import gc
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import nbformat
import pytest
from conftest import ASSIGNMENT, SOURCES, solved, written

from lessons.grading import course as courses
from lessons.grading import (
    export,
    feedback,
    grade,
    gradebook,
    intake,
    marking,
    marks,
    sandbox,
    walls,
)
from lessons.grading.cli import main
from lessons.grading.forget import forget

NAME = "01_activations.ipynb"
FULL = 17.0  # the eighth question waits for a person
LOOP = "while True:\n    pass\n"
STOLEN = """
import glob, os, sqlite3
for path in glob.glob("/*/gradebook.db") + ["PLACE/gradebook.db"]:
    try:
        with sqlite3.connect(path) as book:
            book.execute("update grade set auto_score = 495")
    except Exception:
        pass
"""
SCRIPT = """
from IPython.display import HTML, Javascript, display
display(HTML("<script>window.stolen = 1</script><img src=x onerror='stolen()'>"))
display(Javascript("window.stolen = 1"))
print("<script>window.stolen = 1</script>")
print("x" * 50_000_000)
"""


@pytest.fixture(scope="module", autouse=True)
def impatient():
    """Wait less long for an endless loop than for a student on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "Limits", lambda: walls.Limits(run=10, call=10))
        patch.setattr(feedback, "CELL_SECONDS", 10)
        yield


@pytest.fixture(scope="module")
def course(released, cache, tmp_path_factory):
    """A course of the module's own, with its programs compiled."""
    root = tmp_path_factory.mktemp("graded") / "dl"
    shutil.copytree(released.root, root)
    return courses.load(root)


def hand_in(course, student, notebook):
    """Put a submission where collect would, as it came."""
    folder = course.submitted(ASSIGNMENT, student)
    folder.mkdir(parents=True, exist_ok=True)
    content = notebook if isinstance(notebook, bytes) else written(notebook)
    (folder / NAME).write_bytes(content)


@pytest.fixture(scope="module")
def batch(course):
    """Everybody hands in, and the whole batch is graded once."""
    own = solved(discuss="<script>stolen()</script> It has no dead half.")
    hand_in(course, "good", own)
    hand_in(course, "loop", solved(relu=LOOP))
    hand_in(
        course, "thief", solved(relu=f"+{STOLEN.replace('PLACE', str(course.root))}")
    )
    hand_in(course, "syntax", solved(relu="def relu(x:"))
    hand_in(course, "script", solved(relu=f"+{SCRIPT}"))
    hand_in(course, "broken", b'{"cells": [')
    hand_in(course, "empty", b"")
    hand_in(course, "other", nbformat.v4.new_notebook())
    hand_in(course, "untouched", nbformat.read(course.release(ASSIGNMENT), 4))
    return grade.grade(course, ASSIGNMENT)


def score(course, student):
    """Return the points of a student in the grade book."""
    rows = gradebook.scores(course, ASSIGNMENT)
    [found] = [row["score"] for row in rows if row["student"] == student]
    return found


@pytest.mark.parametrize(
    ("student", "points"),
    [
        ("good", FULL),
        ("loop", FULL - 2),
        ("thief", FULL),
        ("syntax", FULL - 2),
        ("script", FULL),
        ("untouched", 0),
    ],
)
def test_everybody_gets_the_marks_of_their_own_work(course, batch, student, points):
    assert score(course, student) == points


@pytest.mark.parametrize(
    ("student", "reason"),
    [("broken", "broken JSON"), ("empty", "empty"), ("other", "another notebook")],
)
def test_what_cannot_be_graded_is_named_with_its_reason(course, batch, student, reason):
    assert reason in batch.refused[student]
    assert student not in batch.marks


def test_grading_again_runs_nothing_and_changes_no_mark(course, batch, monkeypatch):
    def never(*args, **options):
        raise AssertionError("a submission was marked again")

    before = gradebook.scores(course, ASSIGNMENT)
    monkeypatch.setattr(marking, "mark_notebook", never)
    again = grade.grade(course, ASSIGNMENT)
    assert again.refused == batch.refused
    assert gradebook.scores(course, ASSIGNMENT) == before


def test_one_that_nbgrader_refuses_stops_nobody(course, batch, tmp_path):
    root = tmp_path / "dl"
    shutil.copytree(course.root, root)
    copy = courses.load(root)
    for student in ("loop", "thief"):
        copy.marks(ASSIGNMENT, student).with_suffix(".entered").unlink()
    shutil.rmtree(copy.submitted(ASSIGNMENT, "loop"))
    refused = gradebook.autograde(copy, ASSIGNMENT, ["loop", "thief"])
    assert list(refused) == ["loop"] and "nbgrader refused" in refused["loop"]
    assert copy.marks(ASSIGNMENT, "thief").with_suffix(".entered").is_file()


def test_two_answers_may_be_parsed_at_once():
    """Whenever memory is tidied up, another thread may come in."""
    source = "\n".join(f"x{n} = [{n}, (1 + {n}) * 2]" for n in range(3000))
    before, pause = gc.get_threshold(), lambda phase, about: time.sleep(0)
    gc.callbacks.append(pause)
    gc.set_threshold(50)
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            trees = list(pool.map(marks.parsed, [source] * 16))
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(pause)
    assert [len(tree.body) for tree in trees] == [3000] * 16


def test_the_same_submission_marked_anew_has_the_same_mark(course, batch):
    before = courses.read_json(course.marks(ASSIGNMENT, "syntax"))
    course.marks(ASSIGNMENT, "syntax").unlink()
    assert marking.mark_submission(course, ASSIGNMENT, "syntax") == before


def test_a_corrected_submission_is_graded_anew(course, batch):
    hand_in(course, "late", solved(relu="def relu(x:"))
    grade.grade(course, ASSIGNMENT)
    assert score(course, "late") == FULL - 2
    hand_in(course, "late", solved())
    grade.grade(course, ASSIGNMENT)
    assert score(course, "late") == FULL


def test_a_mark_by_hand_stays(course, batch):
    with gradebook.nbgrader(course) as api, api.gradebook as book:
        found = book.find_grade("discuss", NAME[:-6], ASSIGNMENT, "good")
        found.manual_score = 3
        book.db.commit()
    hand_in(course, "good", solved(gain="def leaky_gain(a):\n    return 2.0"))
    grade.grade(course, ASSIGNMENT)
    assert score(course, "good") == FULL - 3 + 3
    hand_in(course, "good", solved(discuss="<script>stolen()</script> No dead half."))
    grade.grade(course, ASSIGNMENT)


def test_a_late_submission_loses_what_the_policy_says(course, batch, tmp_path):
    root = tmp_path / "dl"
    shutil.copytree(course.root, root)
    late = courses.load(root)
    config = root / "nbgrader_config.py"
    rule = 'c.LateSubmissionPlugin.penalty_method = "zero"'
    config.write_text(config.read_text().replace(f"# {rule}", rule))
    with gradebook.nbgrader(late) as api, api.gradebook as book:
        book.update_or_create_assignment(ASSIGNMENT, duedate="2026-01-01 12:00 UTC")
    stamp = "2026-01-02 12:00:00 UTC\n"
    (late.submitted(ASSIGNMENT, "good") / "timestamp.txt").write_text(stamp)
    grade.grade(late, ASSIGNMENT)
    [row] = [r for r in gradebook.scores(late, ASSIGNMENT) if r["student"] == "good"]
    assert row["score"] == 0
    assert row["late_penalty"] > 0
    assert "2026-01-02" in row["submitted"]


def kill_when(course, pattern):
    """Start the grader and kill it as soon as it has written a certain file."""
    command = [sys.executable, "-m", "lessons.grading.cli", "grade", ASSIGNMENT]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    run = subprocess.Popen(command, cwd=course.root, **quiet)
    while run.poll() is None and not list(course.root.glob(pattern)):
        time.sleep(0.02)
    assert run.poll() is None, "it ended before it was killed"
    run.send_signal(signal.SIGKILL)
    run.wait()


def test_a_grader_that_is_killed_goes_on_where_it_stopped(course, batch, tmp_path):
    root = tmp_path / "dl"
    shutil.copytree(course.root, root)
    again = courses.load(root)
    shutil.rmtree(root / "marks")
    shutil.rmtree(root / "autograded")
    few = {"good", "syntax", "untouched"}
    for folder in (root / "submitted").iterdir():
        if folder.name not in few:
            shutil.rmtree(folder)
    with sqlite3.connect(root / "gradebook.db") as book:
        book.execute("update grade set auto_score = null")
    kill_when(again, f"marks/{ASSIGNMENT}/*.json")
    kill_when(again, f"autograded/*/{ASSIGNMENT}/*")
    kill_when(again, f"marks/{ASSIGNMENT}/*.entered")
    grade.grade(again, ASSIGNMENT)
    before = {row["student"]: row for row in gradebook.scores(course, ASSIGNMENT)}
    after = {row["student"]: row for row in gradebook.scores(again, ASSIGNMENT)}
    assert after == {student: before[student] for student in few}


def test_the_tables_hold_each_score(course, batch):
    (course.root / "students.csv").write_text(
        "id,first_name,last_name,email,lms_id\n"
        "good,Ada,Lovelace,ada@example.org,4711\n"
        "loop,=1+1,Evil,x@example.org,4712\n"
    )
    points = score(course, "good")
    plain = export.grades(course)
    assert f"good,01,{points:g},21,0,yes" in plain.splitlines()
    canvas = export.grades(course, "canvas")
    assert f'"Lovelace, Ada",4711,good,ada@example.org,,{points:g}' in canvas
    assert "    Points Possible,,,,,21" in canvas
    moodle = export.grades(course, "moodle")
    assert f"good,Ada,Lovelace,ada@example.org,{points:g}" in moodle
    assert "'=1+1" in moodle
    (course.root / "students.csv").unlink()


@pytest.fixture(scope="module")
def pages(course, batch):
    """The pages of feedback, by student."""
    made, refused = feedback.feedback(course, ASSIGNMENT)
    assert refused == {}
    return {p.parent.name: next(p.glob("*.html")).read_text() for p in made}


def test_a_page_shows_outputs_marks_and_hints(pages):
    assert "all 4 checks passed" in pages["good"]
    assert "Score: 2.0 / 2.0" in pages["good"]
    assert "no answer within" in pages["loop"]


def test_a_page_runs_nothing_in_the_readers_browser(pages):
    for page in pages.values():
        assert "<script" not in page.lower()
        assert "onerror" not in page.lower().replace("&#x27;", "'").split("<pre>")[0]
        assert 'href="javascript:' not in page.lower()


def test_a_page_loads_nothing_from_elsewhere(pages):
    import re

    for page in pages.values():
        loaded = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\S+", page)
        assert [tag for tag in loaded if "//" in tag and "data:" not in tag] == []


def test_a_page_does_not_grow_with_what_is_printed(pages):
    assert len(pages["script"]) < 600_000
    assert "[cut]" in pages["script"]


def test_no_page_shows_a_hidden_check_or_a_path(pages, course):
    assert str(course.root) not in pages["good"]
    for page in pages.values():
        assert "/course/" not in page
        assert "hidden" not in page.replace("overflow: hidden", "").split("<body")[-1]


def test_what_the_sandbox_tells_is_not_believed():
    html = {"output_type": "display_data", "data": {"text/html": "<b>x</b>"}}
    assert feedback.believed(html) is None
    picture = {"output_type": "display_data", "data": {"image/png": "PHN2Zz4="}}
    assert feedback.believed(picture) is None
    bell = {"output_type": "stream", "name": "stdout", "text": "a\x07\x1b[2J\u202eb"}
    assert feedback.believed(bell).text == "a??[2J?b"
    trace = {"output_type": "error", "ename": "a", "evalue": "b", "traceback": 5}
    stream = {"output_type": "stream", "name": "x", "text": "y"}
    for odd in (None, 5, [], stream, trace):
        assert feedback.believed(odd) is None


def test_one_without_a_page_does_not_stop_the_others(course, pages, tmp_path):
    root = tmp_path / "dl"
    shutil.copytree(course.root, root)
    copy = courses.load(root)
    hand_in(copy, "loop", solved())
    (copy.submitted(ASSIGNMENT, "thief") / NAME).unlink()
    made, refused = feedback.feedback(copy, ASSIGNMENT)
    assert "changed since it was graded" in refused["loop"]
    assert set(refused) == {"loop", "thief"}
    assert {path.parent.name for path in made} == set(pages) - {"loop", "thief"}


def test_each_student_has_numbers_of_their_own(course):
    settings = courses.read_json(course.root / "course.json")
    assert course.variant(ASSIGNMENT, "good") == 0
    courses.write_json(course.root / "course.json", settings | {"variants": ["01"]})
    numbers = {course.variant(ASSIGNMENT, s) for s in ("good", "loop", "thief")}
    assert len(numbers) == 3
    assert course.variant(ASSIGNMENT, "good") == course.variant(ASSIGNMENT, "good")
    courses.write_json(course.root / "course.json", settings)


def test_a_student_can_be_forgotten(course, batch, tmp_path):
    root = tmp_path / "dl"
    shutil.copytree(course.root, root)
    here = courses.load(root)
    for file in (here.marks(ASSIGNMENT, "thief"), here.marks(ASSIGNMENT, "good")):
        (file.parent / f".{file.name}.77.tmp").write_text("{")
    other = here.marks(ASSIGNMENT, "thief.other")
    courses.write_json(other, {"key": "its own"})
    refused = root / "marks" / ASSIGNMENT / ".refused.json"
    courses.write_json(refused, {"thief": "why", "loop": "why"})
    roster = root / "students.csv"
    roster.write_text("id,first_name\ngood,Ada\nthief,Bob\n")
    assert forget(here, "thief") > 0
    left = {p.name for p in root.rglob("*") if "thief" in p.name}
    assert left == {other.name}
    assert courses.read_json(refused) == {"loop": "why"}
    assert roster.read_text() == "id,first_name\ngood,Ada\n"
    assert all(r["student"] != "thief" for r in gradebook.scores(here))
    assert b"thief" not in (root / "gradebook.db").read_bytes()
    with pytest.raises(courses.CourseError, match="found no 'thief'"):
        forget(here, "thief")


def test_without_a_sandbox_no_command_runs_code(course, batch, monkeypatch, capsys):
    monkeypatch.setattr(walls, "missing", lambda: "bwrap is not here.")
    for command in ("grade", "feedback"):
        assert main([command, ASSIGNMENT, "--course", str(course.root)]) == 1
        assert "--trust" in capsys.readouterr().err


def test_trust_runs_without_a_sandbox(course, batch, tmp_path, monkeypatch):
    root = tmp_path / "dl"
    shutil.copytree(course.root, root)
    monkeypatch.setattr(walls, "missing", lambda: "bwrap is not here.")
    (root / "marks" / ASSIGNMENT / "good.json").unlink()
    shutil.rmtree(root / "submitted")
    here = courses.load(root)
    hand_in(here, "good", solved())
    done = grade.grade(here, ASSIGNMENT, trust=True)
    assert all(each["right"] for each in done.marks["good"]["results"].values())


def test_the_commands_from_the_folder_to_the_grade_book(tmp_path, capsys, boxed):
    root = tmp_path / "dl"
    assert main(["course", "init", str(root), "--sources", str(SOURCES)]) == 0
    assert main(["release", ASSIGNMENT, "--course", str(root)]) == 0
    student = root / "release" / ASSIGNMENT / NAME
    assert "BEGIN SOLUTION" not in student.read_text()
    (tmp_path / "in" / "ada").mkdir(parents=True)
    (tmp_path / "in" / "ada" / NAME).write_bytes(written(solved()))
    assert main(["collect", str(tmp_path / "in"), "--course", str(root)]) == 0
    assert main(["grade", ASSIGNMENT, "--course", str(root)]) == 0
    assert main(["grades", "--csv", "--course", str(root)]) == 0
    said = capsys.readouterr().out
    assert "17 of 21" in said
    assert "ada,01,17,21,0,yes" in said
    assert os.stat(root).st_mode & 0o077 == 0


def test_a_command_in_the_wrong_place_says_what_to_do(tmp_path, capsys):
    assert main(["grade", "01", "--course", str(tmp_path)]) == 1
    assert "lessons course init" in capsys.readouterr().err


def test_the_marks_name_neither_seed_nor_reference(course, batch):
    text = json.dumps(batch.marks)
    assert course.salt not in text
    assert str(course.seed(ASSIGNMENT, "good")) not in text


def test_collect_then_grade_with_the_report(course, batch, tmp_path):
    lines = intake.collect(course, [course.root / "received"])
    assert all(line.said for line in lines)
