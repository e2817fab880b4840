"""What must not be released: the reasons to refuse, in words.

`tools/release.py` asks. Nothing here makes or changes a file.
"""

from __future__ import annotations

import html
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from notebooks import ROOT

MARKERS = re.compile(r"(BEGIN|END)(SOLUTION|HIDDENTESTS)")
SOLUTION = re.compile(r"BEGIN SOLUTION[^\n]*\n(.*?)\n[^\n]*END SOLUTION", re.DOTALL)
HIDDEN = re.compile(r"\ndef \w+\(t\):\n((?:    .*\n|\n)+)")
TEXTS = {".html", ".ipynb", ".js", ".json", ".md", ".py", ".txt", ".xml"}
LOCAL = re.compile(r"^file:|^https?://(localhost|127\.|\[::1\])", re.IGNORECASE)


def checkout_faults(status: str, tags: list[str], changes: str, edition: str):
    """List what is wrong with a checkout, in words.

    Parameters
    ----------
    status : str
        What ``git status --porcelain`` says.
    tags : list of str
        The tags of the commit.
    changes : str
        The text of the changelog.
    edition : str
        The version.

    Returns
    -------
    list of str
    """
    faults = []
    if status:
        lines = status.splitlines()
        more = [f"  and {len(lines) - 10} more"] if len(lines) > 10 else []
        listed = [f"  {line}" for line in lines[:10]] + more
        faults.append("\n".join(["The tree is dirty. Commit or remove:", *listed]))
    if not re.search(rf"^## {re.escape(edition)}(?!\S)", changes, re.MULTILINE):
        faults.append(f"CHANGELOG.md has no entry '## {edition}'.")
    wrong = [tag for tag in tags if re.match(r"v\d", tag) and tag != f"v{edition}"]
    if wrong:
        faults.append(f"The commit has the tag {wrong[0]}; the version is {edition}.")
    return faults


def squeeze(text: str) -> str:
    """Leave out white space, which differs between a page and its source."""
    return "".join(text.split())


def cells(notebook: str) -> Iterator[dict]:
    """Yield the cells of a notebook, their source as one text."""
    for cell in json.loads(notebook).get("cells", []):
        yield cell | {"source": "".join(cell["source"])}


def visible(file: Path) -> str:
    """Return the text of a built file as a reader sees it, squeezed."""
    text = file.read_text(encoding="utf-8", errors="replace")
    if file.suffix == ".ipynb":
        text = "\n".join(cell["source"] for cell in cells(text))
    elif file.suffix == ".html":
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
    elif file.suffix in {".js", ".json"}:
        text = text.replace("\\n", "\n").replace('\\"', '"')
    return squeeze(text)


def solutions(folder: Path) -> list[str]:
    """Return the solutions in the exercises' sources, squeezed.

    A solution stands between nbgrader's marks, or is a whole cell that nbgrader
    replaces. A short line could stand in any text and is left out.
    """
    found = []
    for file in sorted(folder.rglob("*.ipynb")):
        if file.parent.name == "student":  # handed out, without solutions
            continue
        for cell in cells(file.read_text(encoding="utf-8")):
            bodies = SOLUTION.findall(cell["source"])
            if not bodies and cell["metadata"].get("nbgrader", {}).get("solution"):
                bodies = [cell["source"]]
            found += map(squeeze, bodies)
    return [body for body in found if len(body) >= 40]


def site_faults(site: Path, secret: list[str], places: list[str]) -> list[str]:
    """List the built files that hold a solution or a path of this machine.

    Parameters
    ----------
    site : Path
        The folder of the built book.
    secret : list of str
        Solutions, squeezed.
    places : list of str
        Folders of this machine.

    Returns
    -------
    list of str
    """
    if not (site / "index.html").is_file():
        return [f"There is no book in {site}."]
    inside = re.compile("|".join(map(re.escape, places)).encode())
    faults = []
    for file in sorted(path for path in site.rglob("*") if path.is_file()):
        name = file.relative_to(site).as_posix()
        if hit := inside.search(file.read_bytes()):
            faults.append(f"{name} holds a path of this machine: {hit[0].decode()}")
        if file.suffix not in TEXTS:
            continue
        text = visible(file)
        marked = file.suffix == ".ipynb" and MARKERS.search(text)
        if marked or any(body in text for body in secret):
            faults.append(f"{name} holds a solution.")
    return faults


def published(folder: Path) -> str:
    """Return what every reader has: the chapters and the package, squeezed."""
    chapters = [visible(file) for file in sorted(folder.glob("*.ipynb"))]
    package = [visible(file) for file in sorted((ROOT / "src").rglob("*.py"))]
    return "\n".join(chapters + package)


def secrets(folder: Path) -> list[str]:
    """Return the exercises' solutions that no chapter and no module shows anyway."""
    known = published(folder)
    return [body for body in solutions(folder / "exercises") if body not in known]


def package_faults(file: Path, folder: Path) -> list[str]:
    """List what of the exercises' sources is in a wheel or an archive of sources.

    Parameters
    ----------
    file : Path
        The wheel (``.whl``) or the archive (``.tar.gz``).
    folder : Path
        The exercises, with hidden checks in `hidden`.

    Returns
    -------
    list of str
    """
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as box:
            inside = {name: box.read(name) for name in box.namelist()}
    else:
        with tarfile.open(file) as box:
            inside = {m.name: box.extractfile(m).read() for m in box if m.isfile()}
    text = squeeze("".join(b.decode() for n, b in inside.items() if n.endswith(".py")))
    faults = [
        f"{file.name} holds {name}"
        for name in inside
        if name.endswith(".ipynb") or {"hidden", "answers"} & set(Path(name).parts)
    ]
    for source in sorted((folder / "hidden").glob("*.py")):
        checks = HIDDEN.findall(source.read_text(encoding="utf-8"))
        if any(squeeze(body) in text for body in checks if len(squeeze(body)) >= 60):
            faults.append(f"{file.name} holds a hidden check of {source.name}")
    return faults


def machine() -> list[str]:
    """Return folders that only this machine has."""
    home = str(Path.home())
    return [str(ROOT), *([f"{home}/"] if len(home) > 1 else [])]


def pdf_faults(file: Path) -> list[str]:
    """List what is wrong with the PDF: not one, empty, or links to this machine."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        pages = list(PdfReader(file).pages)
    except (OSError, PyPdfError) as error:
        return [f"{file.name} is no PDF: {error}"]
    addresses = {
        str(note.get_object().get("/A", {}).get("/URI", ""))
        for page in pages
        for note in page.annotations or []
    }
    faults = [f"{file.name} links to {a}" for a in sorted(addresses) if LOCAL.match(a)]
    return faults if pages else [f"{file.name} has no page."]
