"""What learning platforms export is taken in, and nothing gets out of its folder."""

import io
import os
import shutil
import stat
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from conftest import ASSIGNMENT, solved, written
from test_roster import CLASS

from lessons.grading import arrivals, intake
from lessons.grading import course as courses


@pytest.fixture
def course(released, tmp_path):
    """A course with a class and a released assignment, of its own."""
    shutil.copytree(released.root, tmp_path / "dl")
    (tmp_path / "dl" / "students.csv").write_text(CLASS, encoding="utf-8")
    return courses.load(tmp_path / "dl")


def zipped(path, members):
    """Write a zip of names and bytes, or of prepared members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


GOOD = written(solved())
NAME = "01_activations.ipynb"


def archived(*members, kind=zipfile.ZIP_DEFLATED):
    """Return the bytes of a zip, as a student may make one."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as file:
        for name, content in members:
            file.writestr(name, content)
    return made.getvalue()


def dated(name, *moment):
    """Return a member of a zip with its date."""
    return zipfile.ZipInfo(name, (*moment, 12, 0, 0))


def kept(course):
    """Return what is kept of Ada, by name."""
    folder = course.root / "received" / "ada" / ASSIGNMENT
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def graded(course):
    """Return who has a submission in order."""
    return course.students(ASSIGNMENT)


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


BIG = b" " * 19_000_000


@pytest.mark.parametrize(
    "members",
    [
        [(f"ada/{n}_{NAME}", BIG) for n in range(5)],
        [(f"ada/{n}.zip", archived((NAME, BIG), (f"2_{NAME}", BIG))) for n in range(3)],
        [("ada/x.zip", archived(*((f"{n}_{NAME}", BIG) for n in range(5))))],
    ],
)
def test_many_bombs_of_one_student_cost_nobody_else(
    course, tmp_path, monkeypatch, members
):
    monkeypatch.setattr(arrivals, "MAX_TOTAL", 50_000_000)
    path = zipped(tmp_path / "x.zip", [*members, (f"jose/{NAME}", GOOD)])
    lines = intake.collect(course, [path])
    assert any("50 MB of one student" in line.said for line in lines)
    assert len(kept(course)) <= 3
    assert graded(course) == ["jose"]


def test_a_student_may_send_so_many_files(course, tmp_path, monkeypatch):
    monkeypatch.setattr(arrivals, "MAX_FILES", 5)
    many = archived(*((f"{n}_{NAME}", b"{%d" % n) for n in range(50)))
    path = zipped(tmp_path / "x.zip", [("ada/x.zip", many), (f"jose/{NAME}", GOOD)])
    lines = intake.collect(course, [path])
    assert [line.said for line in lines if "the rest of it: over 5" in line.said]
    assert len(kept(course)) == 4
    assert graded(course) == ["jose"]


def test_a_whole_class_may_send_more_than_one_student(course, tmp_path, monkeypatch):
    monkeypatch.setattr(arrivals, "MAX_TOTAL", 2 * len(GOOD))
    sent = [(f"{name}/{NAME}", GOOD) for name in ("ada", "jose", "wei", "bob")]
    intake.collect(course, [zipped(tmp_path / "x.zip", sent)])
    assert graded(course) == ["ada", "bob", "jose", "wei"]


def test_what_came_in_is_not_held_in_memory(course, tmp_path):
    sent = [(f"ada/{n}_{NAME}", b"%d" % n + BIG[:9_000_000]) for n in range(9)]
    path = zipped(tmp_path / "x.zip", sent)
    tracemalloc.start()
    intake.collect(course, [path])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept(course)) == 9
    assert peak < 60_000_000


def test_a_bomb_of_another_packing_is_not_unpacked(course, tmp_path):
    bomb = archived((NAME, bytes(100_000_000)), kind=zipfile.ZIP_BZIP2)
    tracemalloc.start()
    lines = intake.collect(course, [zipped(tmp_path / "x.zip", [("ada/x.zip", bomb)])])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ["packed" in line.said for line in lines] == [True]
    assert peak < 60_000_000


def spoiled(kind):
    """Return a zip of two notebooks, of which the content of the first is broken."""
    made = bytearray(archived((NAME, b"x" * 9000), (f"2_{NAME}", GOOD), kind=kind))
    start = 30 + len(NAME)
    made[start : start + 12] = b"\xff" * 12
    return bytes(made)


@pytest.mark.parametrize(
    "kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_broken_member_is_a_line_and_ends_nothing(course, tmp_path, kind):
    sent = [("ada/x.zip", spoiled(kind)), (f"jose/{NAME}", GOOD)]
    lines = intake.collect(course, [zipped(tmp_path / "x.zip", sent)])
    assert lines[0].said.startswith("refused")
    assert lines[0].student == "ada"
    readable = ["ada"] if kind == zipfile.ZIP_DEFLATED else []
    assert graded(course) == [*readable, "jose"]


def test_an_encrypted_member_is_refused(course, tmp_path):
    content = bytearray(archived((NAME, GOOD)))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path = zipped(tmp_path / "x.zip", [("ada/x.zip", bytes(content))])
    [line] = intake.collect(course, [path])
    assert "encrypted" in line.said


def test_a_zip_in_a_zip_is_opened_once(course, tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr(NAME, GOOD)
        file.writestr("again.zip", b"PK\x05\x06" + bytes(18))
    folder = "Ada Lovelace_123_assignsubmission_file_"
    path = zipped(tmp_path / "x.zip", [(f"{folder}/work.zip", inner.getvalue())])
    intake.collect(course, [path])
    assert graded(course) == ["ada"]


STRANGER = "curiemarie_5555_9_work"  # Marie is not on the list


@pytest.mark.parametrize(
    "inner", ["ada.ipynb", "ada/x.ipynb", "lovelaceada_4711_1_x.ipynb"]
)
@pytest.mark.parametrize("place", ["x.zip", f"in/{STRANGER}.zip", f"{STRANGER}.zip"])
def test_a_zip_of_somebody_else_takes_nobodys_place(course, tmp_path, inner, place):
    work = archived((inner, GOOD))
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    if place == "x.zip":
        work = archived((f"{STRANGER}.zip", work))
    path.write_bytes(work)
    path = path.parent if place.startswith("in") else path
    [line] = intake.collect(course, [path], ASSIGNMENT)
    assert "nobody" in line.said
    assert graded(course) == []


def test_a_folder_of_somebody_else_takes_nobodys_place(course, tmp_path):
    folder = tmp_path / "Marie Curie_5_assignsubmission_file_"
    folder.mkdir()
    (folder / "ada.ipynb").write_bytes(GOOD)
    [line] = intake.collect(course, [folder])
    assert "nobody" in line.said


def test_a_zip_that_its_student_is_named_by_is_taken(course, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.zip").write_bytes(archived((NAME, GOOD)))
    intake.collect(course, [tmp_path / "in"])
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
    assert sorted(kept(course).values()) == sorted([written(early), written(late)])


def when(course):
    """Return when the work in order was sent."""
    return (course.submitted(ASSIGNMENT, "ada") / "timestamp.txt").read_text()[:10]


@pytest.mark.parametrize("year", [1990, 2099])
def test_the_date_in_a_students_own_zip_does_not_count(course, tmp_path, year):
    own = archived((dated(NAME, year, 1, 1), GOOD))
    outer = dated("lovelaceada_4711_1_work.zip", 2027, 1, 15)
    intake.collect(course, [zipped(tmp_path / "x.zip", [(outer, own)])])
    assert when(course) == "2027-01-15"
    (tmp_path / "lovelaceada_4711_1_work.zip").write_bytes(own)
    os.utime(tmp_path / "lovelaceada_4711_1_work.zip", (1_802_000_000,) * 2)
    intake.collect(course, [tmp_path / "lovelaceada_4711_1_work.zip"])
    assert when(course) == "2027-02-07"


def test_mondays_work_does_not_replace_fridays(course, tmp_path):
    early, late = written(solved(relu="e = 1")), written(solved(relu="late = 1"))
    monday = zipped(tmp_path / "m.zip", [(dated(f"ada/{NAME}", 2027, 2, 1), early)])
    friday = zipped(tmp_path / "f.zip", [(dated(f"ada/{NAME}", 2027, 2, 5), late)])
    said = [intake.collect(course, [path])[0].said for path in (friday, monday)]
    assert said == ["taken", "kept; a later one was taken before"]
    assert "late = 1" in (course.submitted(ASSIGNMENT, "ada") / NAME).read_text()
    assert when(course) == "2027-02-05"


def test_only_the_latest_few_are_tried(course, tmp_path, monkeypatch):
    tried = []

    def counted(*args, whole=intake.assembled):
        tried.append(args)
        return whole(*args)

    monkeypatch.setattr(intake, "assembled", counted)
    sent = [(f"ada/{n}_{NAME}", b"{" * n) for n in range(1, 20)]
    lines = intake.collect(course, [zipped(tmp_path / "x.zip", sent)])
    assert len(tried) == intake.MAX_TRIED
    assert lines[-1].said == "kept; only the latest 6 are tried"
    assert len(kept(course)) == 19


def test_keeping_a_file_reads_none_that_is_kept(tmp_path, monkeypatch):
    monkeypatch.delattr(Path, "read_bytes")
    contents = [b"1", b"2", b"3", b"1"]
    places = [intake.keep(tmp_path, NAME, content) for content in contents]
    assert len({*places}) == len(list(tmp_path.iterdir())) == 3
    assert places[0] == places[3]
    assert intake.keep(tmp_path, places[0].name, b"1") == places[0]


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


@pytest.fixture
def folder(course):
    """Return the folder of a submission that came by nbgrader's exchange."""
    made = course.submitted(ASSIGNMENT, "ada")
    made.mkdir(parents=True)
    (made / "work.ipynb").write_bytes(GOOD)
    return made


def test_links_and_strange_files_beside_a_submission_are_set_aside(course, folder):
    (folder / "grab").symlink_to(course.root / "gradebook.db")
    (folder / "deep").mkdir()
    (folder / "deep" / "link").symlink_to("/etc")
    (folder / "notes.txt").write_text("mine")
    assert intake.tidy(course, ASSIGNMENT, "ada") == ""
    assert [p.name for p in folder.iterdir()] == [NAME]
    assert {name.split("-")[1] for name in kept(course)} == {"work.ipynb", "notes.txt"}
    assert (course.root / "gradebook.db").is_file()
    assert os.path.isdir("/etc")


def test_only_the_time_of_the_submission_itself_stays(course, folder):
    for place in ("sub", "timestamp.txt"):
        (folder / place).mkdir()
        (folder / place / "timestamp.txt").write_text("2027-02-01")
    assert intake.tidy(course, ASSIGNMENT, "ada") == ""
    assert [p.name for p in folder.iterdir()] == [NAME]
    (folder / "timestamp.txt").write_text("2027-02-02")
    assert intake.tidy(course, ASSIGNMENT, "ada") == ""
    assert (folder / "timestamp.txt").read_text() == "2027-02-02"


def test_a_large_file_beside_a_submission_is_kept(course, folder):
    large = b"x" * 21_000_000
    (folder / "data.bin").write_bytes(large)
    assert intake.tidy(course, ASSIGNMENT, "ada") == ""
    assert not (folder / "data.bin").exists()
    assert large in kept(course).values()


def test_a_file_that_cannot_be_read_is_its_students_reason(course, folder, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(intake, "read_file", denied)
    assert "Permission denied" in intake.tidy(course, ASSIGNMENT, "ada")


def test_folders_without_end_are_their_students_reason(course, folder, monkeypatch):
    monkeypatch.chdir(folder)
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    monkeypatch.undo()
    try:
        why = intake.tidy(course, ASSIGNMENT, "ada")
    finally:
        subprocess.run(["rm", "-rf", folder / "d"], check=True)
    # Newer versions of Python walk through any depth.
    assert why == "" or "recursion" in why


def test_a_folder_in_the_place_of_the_notebook_ends_nothing(course, tmp_path, folder):
    (folder / NAME).mkdir()
    sent = [(f"ada/{NAME}", GOOD), (f"jose/{NAME}", GOOD)]
    lines = intake.collect(course, [zipped(tmp_path / "x.zip", sent)])
    assert [line.said.split(":")[0] for line in lines] == ["refused", "taken"]
    assert "Is a directory" in intake.tidy(course, ASSIGNMENT, "ada")


def test_a_submission_that_is_a_link_is_refused(course):
    folder = course.submitted(ASSIGNMENT, "ada")
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to(course.source(ASSIGNMENT))
    assert "link" in intake.tidy(course, ASSIGNMENT, "ada")
