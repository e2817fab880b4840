"""The class is read from a list, and a file is given to nobody but its sender."""

from pathlib import Path

import pytest
from conftest import SOURCES

from lessons.exercises.plain import AnswerError
from lessons.grading import course as courses
from lessons.grading.cli import main
from lessons.grading.roster import match, plain, read_students, take_list

CLASS = """\
id,first_name,last_name,email,lms_id
ada,Ada,Lovelace,ada@example.org,4711
jose,José,Núñez,jn@example.org,4712
wei,Wei,李,wei@example.org,4713
bob,Bob,Smith,bob.smith@example.org,4714
bob2,Bob,Smith,bob2@example.org,4715
eve,Eve,Evil,eve@example.org,4716
"""


@pytest.fixture
def students(tmp_path):
    """The class."""
    (tmp_path / "class.csv").write_text(CLASS, encoding="utf-8")
    return read_students(tmp_path / "class.csv")


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
        ("ada.IPYNB", "ada"),
        # Moodle's number is the participant's: 4712 is not José here.
        ("Ada Lovelace_4712_assignsubmission_file_/01.ipynb", "ada"),
        # Eve chose what follows the two numbers.
        ("evileve_4716_99_x_4711_assignsubmission_file_.ipynb", "eve"),
        ("Ada Lovelace - hw_2027_01_final.ipynb", "ada"),
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
        # Below what a platform has named, a student chooses the names.
        ("Grace Hopper_5_assignsubmission_file_/ada.ipynb", "nobody"),
        ("curiemarie_5555_9_work/ada.ipynb", "nobody"),
        ("evileve_5_99_x_4711_assignsubmission_file_/01.ipynb", "number 5 is not"),
        ("Grace Hopper - Ada Lovelace.ipynb", "nobody"),
        # The number is José's, or not the one that the list has for Ada.
        ("lovelaceada_4712_9_01_activations.ipynb", "number 4712 is not"),
        ("lovelaceada_5_9_01_activations.ipynb", "number 5 is not"),
        ("d/" * 1000 + "ada.ipynb", "over 20 parts"),
    ],
)
def test_a_name_that_is_not_sure_is_reported(path, reason, students):
    student, why = match(tuple(path.split("/")), students)
    assert student == ""
    assert reason in why


def test_marks_that_turn_text_round_do_not_count():
    assert plain("a\u202eda\u200b") == "ada"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name\nada\n", "columns"),
        ("id\n../evil\n", "line 2"),
        ("id\nada\nADA\n", "twice"),
        ("id\n.hidden\n", "line 2"),
        ("", "is empty"),
        ("id,email\n", "is empty"),
        ("id;email\nada;a@b\n", "with commas"),
        ("id\n" + "a" * 200_000 + "\n", "CSV UTF-8"),
    ],
)
def test_a_list_that_would_do_harm_is_refused(tmp_path, text, reason):
    (tmp_path / "class.csv").write_text(text)
    with pytest.raises(courses.CourseError, match=reason):
        read_students(tmp_path / "class.csv")


@pytest.mark.parametrize("code", ["latin-1", "utf-16"])
def test_a_list_in_another_code_is_named_with_advice(tmp_path, code):
    (tmp_path / "class.csv").write_text("id,first_name\njose,José\n", encoding=code)
    with pytest.raises(courses.CourseError, match=r"class.csv .* CSV UTF-8"):
        read_students(tmp_path / "class.csv")


def test_the_columns_may_be_written_in_capitals(tmp_path):
    (tmp_path / "class.csv").write_text("First_Name, ID\nAda,ada\n")
    [student] = read_students(tmp_path / "class.csv")
    assert (student.id, student.first_name) == ("ada", "Ada")


class Killed(BaseException):
    """The program ends here."""


@pytest.fixture
def killed(monkeypatch):
    """Write half of a certain file and end."""
    whole = Path.write_bytes

    def prepare(word):
        def half(path, content):
            whole(path, content[: len(content) // 2] if word in path.name else content)
            if word in path.name:
                raise Killed

        monkeypatch.setattr(Path, "write_bytes", half)

    yield prepare
    monkeypatch.setattr(Path, "write_bytes", whole)


@pytest.mark.parametrize("word", ["ch01.py", "01_activations.ipynb"])
def test_a_course_whose_making_was_killed_is_made_whole(tmp_path, killed, word):
    root = tmp_path / "dl"
    killed(word)
    with pytest.raises(Killed):
        courses.init(root, "dl", SOURCES)
    killed("nothing")
    courses.init(root, "dl", SOURCES)
    [made] = [*root.glob(f"source/01/{word}"), *root.glob(f"hidden/{word}")]
    [given] = [*SOURCES.glob(word), *SOURCES.glob(f"hidden/{word}")]
    assert made.read_bytes() == given.read_bytes()
    assert [p.name for p in (root / "source" / "01").iterdir()] == [
        "01_activations.ipynb"
    ]


def test_a_list_half_written_does_not_replace_a_good_one(tmp_path, killed):
    course = courses.Course(tmp_path, "dl", "salt")
    (tmp_path / "students.csv").write_text(CLASS, encoding="utf-8")
    (tmp_path / "new.csv").write_text("id\nada\njose\n")
    killed("students.csv")
    with pytest.raises(Killed):
        take_list(course, tmp_path / "new.csv")
    assert (tmp_path / "students.csv").read_text(encoding="utf-8") == CLASS


@pytest.mark.parametrize("text", ['{"salt": "1"}', "{", "[]"])
def test_damaged_settings_are_named(tmp_path, text, capsys):
    (tmp_path / "course.json").write_text(text)
    assert main(["grades", "--course", str(tmp_path)]) == 1
    assert "course.json: take it from a backup" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["release", "1"], "expected one of 01, 02, 03, 04, 07, 08, 09, got '1'"),
        (["grades", "--assignment", "77"], "expected one of 01, 02"),
        (["collect", "x.zip", "--assignment", "77"], "expected one of 01, 02"),
        (["grade", "02", "--trust"], "02 is not released. Run: lessons release 02"),
    ],
)
def test_an_assignment_that_is_not_there_is_named(released, capsys, command, said):
    assert main([*command, "--course", str(released.root)]) == 1
    assert said in capsys.readouterr().err


def test_an_answer_that_fails_is_told_without_a_traceback(monkeypatch, capsys):
    def ended(*args):
        raise AnswerError("the program ended before")

    monkeypatch.setattr(courses, "init", ended)
    assert main(["course", "init", "dl"]) == 1
    assert "lessons: the program ended before" in capsys.readouterr().err
