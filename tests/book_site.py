"""What the tests of the built book share: where it is and which pages it has."""

import functools
import pathlib

import yaml
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"

# Pages that Sphinx adds to those of _toc.yml.
ADDED = ["index", "genindex", "py-modindex", "search"]


def documents() -> list[str]:
    """Name the documents of `_toc.yml`, in reading order."""
    return list(parse_toc_yaml(ROOT / "_toc.yml"))


def pages() -> list[str]:
    """Name every page of the built book."""
    return documents() + ADDED


def config() -> dict:
    """Read `_config.yml`."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


@functools.cache
def parsed(page: str) -> BeautifulSoup:
    """Parse a built page."""
    path = HTML / f"{page}.html"
    assert path.is_file(), f"{path} is missing: run 'make book' first"
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
