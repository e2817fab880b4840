"""What the tests of the book share: where it is, which pages and chapters it has."""

import functools
import pathlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"

# Pages that Sphinx adds to those of _toc.yml.
ADDED = ["index", "genindex", "py-modindex", "search"]


def read(name: str) -> dict:
    """Read a YAML file of the repository's root."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def entries(node) -> list[dict]:
    """List the entries of `_toc.yml` below a node, in reading order."""
    if isinstance(node, list):
        return [entry for part in node for entry in entries(part)]
    below = [node.get(key, []) for key in ("parts", "chapters", "sections")]
    return [node] * ("file" in node) + entries(
        [part for parts in below for part in parts]
    )


def documents() -> list[str]:
    """Name the documents of the book, in reading order."""
    toc = read("_toc.yml")
    return [toc["root"], *(entry["file"] for entry in entries(toc))]


def chapters() -> dict[str, str]:
    """Map the chapters' documents to their titles in `_toc.yml`."""
    listed = entries(read("_toc.yml"))
    return {
        e["file"]: e["title"] for e in listed if e["file"].startswith("notebooks/0")
    }


def pages() -> list[str]:
    """Name every page of the built book."""
    return documents() + ADDED


@functools.cache
def parsed(page: str):
    """Parse a built page."""
    # Here, because a machine that only runs the notebooks has no parser.
    from bs4 import BeautifulSoup

    path = HTML / f"{page}.html"
    assert path.is_file(), f"{path} is missing: run 'make book' first"
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
