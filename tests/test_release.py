"""A release: names, the same bytes twice, hashes, and what is refused."""

import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "https://example.org/somebody/one-neuron"


def load(name):
    """Import a tool, which is in no package."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


RELEASE = load("release")
CHECKS = load("release_checks")


def site(folder, **files):
    """Write a small site; a key's double underscore stands for the dot."""
    for name, text in {"index__html": "<p>Welcome</p>", **files}.items():
        file = folder / name.replace("__", ".")
        file.write_text(text, encoding="utf-8")
    return folder


def notebook(*sources, solution=True):
    """Write a notebook whose code cells nbgrader replaces."""
    meta = {"nbgrader": {"solution": solution}}
    made = [{"cell_type": "code", "metadata": meta, "source": s} for s in sources]
    return json.dumps({"cells": made})


# Names.


def test_the_names_carry_the_version():
    made = RELEASE.names(ADDRESS, "1.2.3")
    assert made == (
        "lessons-1.2.3-py3-none-any.whl",
        "lessons-1.2.3.tar.gz",
        "one-neuron-1.2.3-site.zip",
        "one-neuron-1.2.3.pdf",
    )


def test_the_notebooks_install_the_wheel_that_a_release_makes():
    tool = load("notebooks")
    made = RELEASE.names(tool.repository(), tool.version())
    assert f"/{made.wheel}" in tool.setup_source()
    assert f"/releases/download/v{tool.version()}" in tool.setup_source()


# The archive.


def pages(folder):
    """Write files whose order on disk is not that of their names."""
    for name in ("z.html", "a/b.txt", "a.html", "a/B.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name * 100)
    return folder


def test_an_archive_has_the_same_bytes_at_another_time_and_place(tmp_path):
    moment = 1_800_000_000
    first, second = pages(tmp_path / "one"), pages(tmp_path / "two")
    for file in second.rglob("*.*"):
        os.utime(file, (0, 400_000_000))
        file.chmod(0o600)
    (tmp_path / "x").mkdir()
    made = [tmp_path / "book-1.zip", tmp_path / "x" / "book-1.zip"]
    for folder, target in zip((first, second), made, strict=True):
        RELEASE.archive(folder, target, moment)
    assert made[0].read_bytes() == made[1].read_bytes()
    (second / "z.html").write_text("changed")
    RELEASE.archive(second, made[1], moment)
    assert made[0].read_bytes() != made[1].read_bytes()


def test_an_archive_is_sorted_dated_and_whole(tmp_path):
    folder, target = pages(tmp_path / "one"), tmp_path / "book-1.zip"
    RELEASE.archive(folder, target, 1_800_000_000)
    with zipfile.ZipFile(target) as zipped:
        entries = zipped.infolist()
        texts = {entry.filename: zipped.read(entry).decode() for entry in entries}
    assert list(texts) == [
        "book-1/a.html",
        "book-1/a/B.txt",
        "book-1/a/b.txt",
        "book-1/z.html",
    ]
    assert texts["book-1/a/b.txt"] == "a/b.txt" * 100
    assert {entry.date_time for entry in entries} == {(2027, 1, 15, 8, 0, 0)}


def test_a_date_before_zip_knew_dates_is_moved(tmp_path):
    RELEASE.archive(pages(tmp_path / "one"), tmp_path / "old.zip", 0)
    with zipfile.ZipFile(tmp_path / "old.zip") as zipped:
        assert zipped.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_the_hashes_are_in_the_form_that_sha256sum_checks(tmp_path):
    (tmp_path / "b.pdf").write_bytes(b"two")
    (tmp_path / "a.zip").write_bytes(b"one")
    RELEASE.write_hashes(tmp_path)
    RELEASE.write_hashes(tmp_path)  # the list does not list itself
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert lines == [
        f"{hashlib.sha256(b'one').hexdigest()}  a.zip",
        f"{hashlib.sha256(b'two').hexdigest()}  b.pdf",
    ]


# The checkout.

CHANGES = "# Changelog\n\n## 1.2.3 (2026-11-25)\n\n- All.\n\n## 1.2.0\n"


@pytest.mark.parametrize("heading", ["## 1.2.3", "## 1.2.3 (2026-11-25)"])
def test_a_clean_checkout_with_its_entry_is_released(heading):
    changes = f"# Changelog\n\n{heading}\n\n- All.\n"
    assert CHECKS.checkout_faults("", ["v1.2.3", "draft"], changes, "1.2.3") == []


@pytest.mark.parametrize(
    "changes",
    [
        "# Changelog\n\n## Unreleased\n",
        CHANGES.replace("1.2.3", "1.2.30"),
        CHANGES.replace("1.2.3", "1.2.3rc1"),
        CHANGES.replace("## 1.2.3", "### 1.2.3"),
        CHANGES.replace("1.2.3", "1x2y3"),
    ],
)
def test_a_version_without_its_entry_is_refused(changes):
    [fault] = CHECKS.checkout_faults("", [], changes, "1.2.3")
    assert fault == "CHANGELOG.md has no entry '## 1.2.3'."


def test_a_dirty_tree_is_refused_and_the_first_files_named():
    status = "".join(f"?? file{number}\n" for number in range(14))
    [fault] = CHECKS.checkout_faults(status, [], CHANGES, "1.2.3")
    assert fault.startswith("The tree is dirty.")
    assert "file0" in fault and "file9" in fault and "file10" not in fault
    assert fault.endswith("and 4 more")


def test_a_tag_of_another_version_is_refused():
    [fault] = CHECKS.checkout_faults("", ["v1.2.2"], CHANGES, "1.2.3")
    assert fault == "The commit has the tag v1.2.2; the version is 1.2.3."


def test_several_faults_are_all_told(capsys):
    faults = CHECKS.checkout_faults(" M a\n", ["v9.9"], "", "1.2.3")
    assert len(faults) == 3
    with pytest.raises(SystemExit) as stop:
        RELEASE.refuse(faults)
    assert all(fault in str(stop.value) for fault in faults)
    RELEASE.refuse([])


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Make a small repository of git with a changelog, and point the tool at it."""
    (tmp_path / "CHANGELOG.md").write_text(f"## {RELEASE.version()}\n")
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "First"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(RELEASE, "ROOT", tmp_path)
    monkeypatch.setattr(RELEASE, "DIST", tmp_path / "dist")
    return tmp_path


def test_check_passes_on_a_clean_checkout_and_stops_on_an_untracked_file(checkout):
    RELEASE.main(["--check"])
    (checkout / "new.txt").write_text("not committed")
    with pytest.raises(SystemExit, match=r"(?s)No release:.*dirty.*\?\? new\.txt"):
        RELEASE.main(["--check"])
    with pytest.raises(SystemExit, match="dirty"):
        RELEASE.main([])
    assert not (checkout / "dist").exists()


def test_without_a_book_nothing_is_made(checkout, monkeypatch):
    monkeypatch.setattr(RELEASE, "SITE", checkout / "nowhere")
    with pytest.raises(SystemExit, match="There is no book in"):
        RELEASE.main([])
    assert not (checkout / "dist").exists()


# The site.

ANSWER = "def relu(x):\n    # the larger of the two\n    return jnp.maximum(x, 0.0)"


def marked(body):
    """Put nbgrader's marks round a solution, indented as in a source."""
    return f"### BEGIN SOLUTION\n{body}\n### END SOLUTION"


@pytest.mark.parametrize("source", [marked(ANSWER), ANSWER])
def test_the_solutions_are_found_in_the_exercises(tmp_path, source):
    (tmp_path / "01.ipynb").write_text(notebook(source))
    assert CHECKS.solutions(tmp_path) == [CHECKS.squeeze(ANSWER)]


def test_short_lines_and_given_cells_are_no_solutions(tmp_path):
    (tmp_path / "01.ipynb").write_text(notebook(marked("return x"), "pass"))
    (tmp_path / "02.ipynb").write_text(notebook(ANSWER, solution=False))
    assert CHECKS.solutions(tmp_path) == []


def test_a_students_version_is_no_source_of_solutions(tmp_path):
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "01.ipynb").write_text(notebook(ANSWER))
    assert CHECKS.solutions(tmp_path) == []


def test_what_a_chapter_shows_is_no_secret(tmp_path):
    other = ANSWER.replace("relu", "rectified_linear_unit_by_me")
    exercises = tmp_path / "exercises"
    exercises.mkdir()
    (exercises / "01.ipynb").write_text(notebook(marked(ANSWER), marked(other)))
    (tmp_path / "01.ipynb").write_text(notebook(ANSWER, solution=False))
    assert CHECKS.secrets(tmp_path) == [CHECKS.squeeze(other)]


HIGHLIGHTED = (
    '<div class="highlight"><pre><span class="k">def</span> '
    '<span class="nf">relu</span>(x):\n'
    '    <span class="c1"># the larger of the two</span>\n'
    "    return jnp.maximum(x, 0.0)</pre></div>"
)


@pytest.mark.parametrize(
    "files",
    [
        {"page__html": HIGHLIGHTED},
        {"page__txt": f"Look:\n{ANSWER}"},
        {"page__ipynb": notebook("x = 1\n" + ANSWER)},
        {"page__ipynb": notebook(marked("pass"))},
        {"page__ipynb": notebook("### BEGIN HIDDEN TESTS\nassert f(2) == 4")},
    ],
    ids=["highlighted", "text", "notebook", "marks", "hidden tests"],
)
def test_a_site_with_a_solution_is_refused(tmp_path, files):
    secret = [CHECKS.squeeze(ANSWER)]
    [fault] = CHECKS.site_faults(site(tmp_path, **files), secret, ["/nowhere"])
    assert fault == f"{next(iter(files)).replace('__', '.')} holds a solution."


def test_a_site_with_a_path_of_the_machine_is_refused(tmp_path):
    page = {"page__js": 'const where = "/srv/course/book";'}
    found = CHECKS.site_faults(site(tmp_path, **page), [], ["/srv/course", "/opt/me/"])
    assert found == ["page.js holds a path of this machine: /srv/course"]


def test_a_clean_site_passes(tmp_path):
    text = "<p>An exercise's source has BEGIN SOLUTION in a comment.</p>"
    clean = site(tmp_path, instructors__html=text)
    assert CHECKS.site_faults(clean, [CHECKS.squeeze(ANSWER)], ["/srv/course"]) == []


def test_the_machine_is_known():
    assert str(ROOT) in CHECKS.machine()
    assert all(len(place) > 1 for place in CHECKS.machine())


# The PDF.


def pdf(file, *addresses):
    """Write a PDF of one page with links."""
    from pypdf import PdfWriter
    from pypdf.annotations import Link

    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    for address in addresses:
        writer.add_annotation(0, Link(rect=(0, 0, 9, 9), url=address))
    writer.write(file)
    return file


def test_links_to_this_machine_are_refused(tmp_path):
    wrong = ["file:///srv/book.html", "http://127.0.0.1:8000/a", "http://localhost/"]
    file = pdf(tmp_path / "a.pdf", "https://docs.jax.dev", *wrong)
    assert CHECKS.pdf_faults(file) == [f"a.pdf links to {a}" for a in sorted(wrong)]
    assert CHECKS.pdf_faults(pdf(tmp_path / "b.pdf", "https://docs.jax.dev")) == []


@pytest.mark.parametrize("content", [b"", b"no PDF"])
def test_what_is_no_pdf_is_refused(tmp_path, content):
    (tmp_path / "a.pdf").write_bytes(content)
    [fault] = CHECKS.pdf_faults(tmp_path / "a.pdf")
    assert fault.startswith("a.pdf is no PDF")


# The command.


def test_make_release_checks_first_and_builds_the_book_afresh():
    makefile = (ROOT / "Makefile").read_text()
    [recipe] = re.findall(r"^release:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    steps = [line.strip() for line in recipe.splitlines()]
    assert steps[0].endswith("tools/release.py --check")
    assert steps[1:3] == ["rm -rf _build/html", "$(MAKE) book"]
    assert steps[3].endswith("tools/release.py")


def test_what_a_release_needs_is_installed_with_the_book():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "pypdf" in project["optional-dependencies"]["book"]
    assert re.search(r"^dist/$", (ROOT / ".gitignore").read_text(), re.MULTILINE)
