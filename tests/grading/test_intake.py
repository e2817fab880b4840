"""What learning platforms export is taken in, and nothing gets out of its folder."""

import io
import os
import stat
import zipfile

import pytest
from conftest import ASSIGNMENT, solved, written

from lessons.grading import arrivals, intake
from lessons.grading import course as courses
from lessons.grading.roster import match, plain, read_students

CLASS = """\
id,first_name,last_name,email,lms_id
ada,Ada,Lovelace,ada@example.org,4711
jose,José,Núñez,jn@example.org,4712
wei,Wei,李,wei@example.org,4713
bob,Bob,Smith,bob.smith@example.org,4714
bob2,Bob,Smith,bob2@example.org,4715
"""


@pytest.fixture
def course(released, tmp_path):
    """A course with a class and a released assignment, of its own."""
    import shutil

    shutil.copytree(released.root, tmp_path / "dl")
    (tmp_path / "dl" / "students.csv").write_text(CLASS, encoding="utf-8")
    return courses.load(tmp_path / "dl")


@pytest.fixture
def students(tmp_path):
    """The class."""
    (tmp_path / "class.csv").write_text(CLASS, encoding="utf-8")
    return read_students(tmp_path / "class.csv")


def zipped(path, members):
    """Write a zip of names and bytes, or of prepared members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


GOOD = written(solved())
NAME = "01_activations.ipynb"


def graded(course):
    """Return who has a submission in order."""
    return course.students(ASSIGNMENT)


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("lovelaceada_4711_99001_01_activations.ipynb", "ada"),
        ("lovelaceada_LATE_4711_99001_01_activations-2.ipynb", "ada"),
        ("nunezjose_4712_99002_01_activations.ipynb", "jose"),
        ("smithbob_4715_99003_01_activations.ipynb", "bob2"),
        ("Ada Lovelace_123_assignsubmission_file_/01_activations.ipynb", "ada"),
        ("José Núñez_124_assignsubmission_file_/homework.ipynb", "jose"),
        ("Jose Nunez_124_assignsubmission_file_/homework.ipynb", "jose"),
        ("Ada Lovelace_1_assignsubmission_file_01_activations.ipynb", "ada"),
        ("Ada Lovelace - 01_activations.ipynb", "ada"),
        ("Wei 李 - 01_activations.ipynb", "wei"),
        ("ada/01/01_activations.ipynb", "ada"),
        ("jn@example.org/01_activations.ipynb", "jose"),
        ("ada.ipynb", "ada"),
        ("ADA LOVELACE/x.ipynb", "ada"),
        ("Ａｄａ Lovelace/x.ipynb", "ada"),
    ],
)
def test_a_name_is_matched(path, student, students):
    assert match(tuple(path.split("/")), students) == (student, "")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("Bob Smith - 01_activations.ipynb", "bob or bob2"),
        ("Аdа Lovelace - 01_activations.ipynb", "nobody"),  # Cyrillic A and a
        ("01_activations.ipynb", "nobody"),
        ("Grace Hopper_5_assignsubmission_file_/x.ipynb", "nobody"),
    ],
)
def test_a_name_that_is_not_sure_is_reported(path, reason, students):
    student, why = match(tuple(path.split("/")), students)
    assert student == ""
    assert reason in why


def test_marks_that_turn_text_round_do_not_count():
    assert plain("a\u202eda\u200b") == "ada"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../../evil/ada_4711_9_01.ipynb", "points out"),
        ("/etc/ada.ipynb", "points out"),
        ("..\\..\\ada.ipynb", "points out"),
    ],
)
def test_a_path_out_of_the_archive_is_refused(course, tmp_path, name, why):
    path = zipped(tmp_path / "x.zip", [(name, GOOD), (f"jose/{NAME}", GOOD)])
    before = {p for p in tmp_path.rglob("*") if "dl" not in p.parts}
    lines = intake.collect(course, [path])
    assert any(why in line.said for line in lines)
    assert graded(course) == ["jose"]
    assert {p for p in tmp_path.rglob("*") if "dl" not in p.parts} == before


def test_a_link_in_an_archive_is_refused(course, tmp_path):
    link = zipfile.ZipInfo(f"ada/{NAME}")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "x.zip", [(link, b"/etc/passwd")])
    [line] = intake.collect(course, [path])
    assert "link" in line.said
    assert graded(course) == []


def test_a_bomb_is_not_unpacked(course, tmp_path):
    bomb = b" " * 300_000_000
    path = zipped(tmp_path / "x.zip", [(f"ada/{NAME}", bomb), (f"jose/{NAME}", GOOD)])
    assert path.stat().st_size < 1_000_000
    lines = intake.collect(course, [path])
    assert any("MB" in line.said for line in lines)
    assert graded(course) == ["jose"]


def test_many_bombs_end_the_archive_and_not_the_batch(course, tmp_path, monkeypatch):
    monkeypatch.setattr(arrivals, "MAX_ARCHIVE", 50_000_000)
    big = b" " * 19_000_000
    members = [(f"ada/{n}_{NAME}", big) for n in range(5)]
    bad = zipped(tmp_path / "bad.zip", members)
    good = zipped(tmp_path / "good.zip", [(f"jose/{NAME}", GOOD)])
    lines = intake.collect(course, [bad, good])
    assert any("over" in line.said for line in lines)
    assert graded(course) == ["jose"]


def test_a_zip_in_a_zip_is_opened_once(course, tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr(NAME, GOOD)
        file.writestr("again.zip", b"PK\x05\x06" + bytes(18))
    folder = "Ada Lovelace_123_assignsubmission_file_"
    path = zipped(tmp_path / "x.zip", [(f"{folder}/work.zip", inner.getvalue())])
    intake.collect(course, [path])
    assert graded(course) == ["ada"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"no zip"])
def test_a_broken_archive_is_reported(course, tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    [line] = intake.collect(course, [tmp_path / "x.zip"])
    assert line.said.startswith("refused")


def test_the_latest_of_two_is_graded_and_both_are_kept(course, tmp_path):
    early, late = solved(relu="early = 1"), solved(relu="late = 1")
    members = [
        ("lovelaceada_4711_1_01_activations-1.ipynb", written(late)),
        ("lovelaceada_4711_1_01_activations.ipynb", written(early)),
    ]
    lines = intake.collect(course, [zipped(tmp_path / "x.zip", members)])
    assert [line.said.split(";")[0] for line in lines] == ["taken", "kept"]
    text = (course.submitted(ASSIGNMENT, "ada") / NAME).read_text()
    assert "late = 1" in text
    assert "early = 1" not in text
    kept = list((course.root / "received" / "ada" / ASSIGNMENT).iterdir())
    assert sorted(p.read_bytes() for p in kept) == sorted(
        [written(early), written(late)]
    )


def test_a_broken_second_attempt_does_not_hide_the_first(course, tmp_path):
    members = [
        ("lovelaceada_4711_1_01_activations.ipynb", GOOD),
        ("lovelaceada_4711_1_01_activations-1.ipynb", b"{"),
    ]
    lines = intake.collect(course, [zipped(tmp_path / "x.zip", members)])
    assert {line.said.split(":")[0] for line in lines} == {"refused", "taken"}
    assert graded(course) == ["ada"]


def test_collecting_twice_changes_nothing(course, tmp_path):
    path = zipped(tmp_path / "x.zip", [(f"ada/{NAME}", GOOD), (f"jose/{NAME}", GOOD)])
    intake.collect(course, [path])
    first = {p: p.read_bytes() for p in course.root.rglob("*") if p.is_file()}
    intake.collect(course, [path])
    assert {p: p.read_bytes() for p in course.root.rglob("*") if p.is_file()} == first


def test_a_renamed_file_is_matched_by_its_content(course, tmp_path):
    path = zipped(tmp_path / "x.zip", [("ada/my homework (final).ipynb", GOOD)])
    intake.collect(course, [path])
    assert graded(course) == ["ada"]


def test_links_and_strange_files_beside_a_submission_are_set_aside(course):
    folder = course.submitted(ASSIGNMENT, "ada")
    folder.mkdir(parents=True)
    (folder / "work.ipynb").write_bytes(GOOD)
    (folder / "grab").symlink_to(course.root / "gradebook.db")
    (folder / "deep").mkdir()
    (folder / "deep" / "link").symlink_to("/etc")
    (folder / "notes.txt").write_text("mine")
    assert intake.tidy(course, ASSIGNMENT, "ada") == ""
    assert [p.name for p in folder.iterdir()] == [NAME]
    kept = {p.name for p in (course.root / "received" / "ada" / ASSIGNMENT).iterdir()}
    assert kept == {"work.ipynb", "notes.txt"}
    assert (course.root / "gradebook.db").is_file()
    assert os.path.isdir("/etc")


def test_a_submission_that_is_a_link_is_refused(course):
    folder = course.submitted(ASSIGNMENT, "ada")
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to(course.source(ASSIGNMENT))
    assert "link" in intake.tidy(course, ASSIGNMENT, "ada")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name\nada\n", "columns"),
        ("id\n../evil\n", "line 2"),
        ("id\nada\nADA\n", "twice"),
        ("id\n.hidden\n", "line 2"),
    ],
)
def test_a_list_that_would_do_harm_is_refused(tmp_path, text, reason):
    (tmp_path / "class.csv").write_text(text)
    with pytest.raises(courses.CourseError, match=reason):
        read_students(tmp_path / "class.csv")
