"""The README: its example runs, its table is the book's, its links lead somewhere."""

import json
import re
import subprocess
import sys

import pytest
from book_site import ROOT, chapters

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHAPTERS = chapters()
ROW = re.compile(r"^\| \[(\d\d\w?) (.+?)\]\((.+?)\.ipynb\) \| (.+?) \| (\d+) \|$", re.M)


def blocks(language):
    """List the README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def table():
    """Read the chapter table: {document: (number, title, question, minutes)}."""
    text = README.split("<!-- chapters -->")[1].split("<!-- /chapters -->")[0]
    rows = ROW.findall(text)
    assert len(rows) == text.count("]("), "a row of another form"
    return {
        page: (number, title, question, minutes)
        for number, title, page, question, minutes in rows
    }


def prose(document):
    """Join the Markdown cells of a notebook."""
    notebook = json.loads((ROOT / f"{document}.ipynb").read_text(encoding="utf-8"))
    cells = [c["source"] for c in notebook["cells"] if c["cell_type"] == "markdown"]
    return "\n\n".join(c if isinstance(c, str) else "".join(c) for c in cells)


def test_the_example_prints_what_the_readme_says(tmp_path):
    [code], [expected] = blocks("python"), blocks("text")
    assert 10 <= len([line for line in code.splitlines() if line.strip()]) <= 12
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == expected, done.stderr


def test_the_example_would_notice_an_optimizer_that_does_not_learn(tmp_path):
    [code] = blocks("python")
    still = code.replace("adam(1e-3)", "adam(0.0)").replace("epochs=5", "epochs=1")
    assert "adam(0.0)" in still
    command = [sys.executable, "-c", still]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.count(": False") == 2, done.stderr


def test_the_table_lists_the_books_chapters_in_order():
    assert list(table()) == list(CHAPTERS)


@pytest.mark.parametrize("document", CHAPTERS)
def test_a_row_says_what_the_chapter_says(document):
    number, title, question, minutes = table()[document]
    text = prose(document)
    assert document.startswith(f"notebooks/{number}_")
    assert CHAPTERS[document] == f"{number} {title}", "the line in _toc.yml"
    assert re.search(r"^# (.+)$", text, re.M).group(1) == title
    assert question.endswith("?")
    [stated] = re.findall(r"\*\*Time:?\*\*:? (?:about )?(\d+) minutes", text)
    assert minutes == stated


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_a_link_leads_to_a_file(target):
    assert target.startswith("https://") or (ROOT / target).is_file()


def test_the_figure_is_described():
    [(text, file)] = re.findall(r"!\[(.*?)\]\((.*?)\)", README)
    assert len(text) > 40
    assert (ROOT / file).read_bytes().startswith(b"\x89PNG")


def test_windows_steps_are_those_of_the_book():
    use = (ROOT / "book" / "use.md").read_text(encoding="utf-8")
    [steps] = blocks("powershell")
    missing = [line for line in steps.splitlines() if line not in use]
    assert not missing


def test_the_build_is_that_of_make_book():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [command] = re.findall(r"jupyter-book (build .*)", makefile)
    assert f"jupyter-book {command}" in README
