"""What comes in: zips and folders as learning platforms export them.

Nothing is unpacked to where an archive says. Files are read up to a limit, and sizes
are counted while reading, because an archive's own figures may lie.
"""

from __future__ import annotations

import datetime
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lessons.grading.assemble import MAX_BYTES, Refused, read_file
from lessons.grading.course import CourseError

MAX_FILES = 20_000
MAX_ARCHIVE = 1_000_000_000


class Arrived(NamedTuple):
    """A file that came in."""

    parts: tuple[str, ...]
    content: bytes
    when: float


class Line(NamedTuple):
    """A line of the report: what came, whose it is, and what was done."""

    came: str
    student: str
    said: str


def arrivals(path: Path) -> Iterator[Arrived | Line]:
    """Yield the notebooks in a file, a folder or an archive.

    A file that cannot be read is a line of the report.
    """
    if path.is_symlink():
        yield Line(str(path), "", "refused: it is a link")
    elif path.is_dir():
        for folder, _, files in sorted(os.walk(path)):
            for name in sorted(files):
                place = Path(folder) / name
                yield from one_file(place, place.relative_to(path).parts)
    elif path.exists():
        yield from one_file(path, (path.name,))
    else:
        raise CourseError(f"expected a file or a folder, found no {path}")


def one_file(path: Path, parts: tuple[str, ...]) -> Iterator[Arrived | Line]:
    """Yield what a single file holds."""
    try:
        if path.suffix.lower() == ".zip" and not path.is_symlink():
            with path.open("rb") as file:
                top = () if len(parts) == 1 else parts[:-1]
                yield from archive(file, top, path.stat().st_mtime)
        elif path.suffix.lower() == ".ipynb":
            yield Arrived(parts, read_file(path), path.lstat().st_mtime)
    except (Refused, OSError, zipfile.BadZipFile) as error:
        yield Line("/".join(parts), "", f"refused: {error}")


def archive(
    file: io.IOBase, top: tuple[str, ...], when: float, depth: int = 0
) -> Iterator[Arrived | Line]:
    """Yield the notebooks in a zip; a zip in a zip is opened once."""
    total = 0
    with zipfile.ZipFile(file) as zipped:
        members = zipped.infolist()
        if len(members) > MAX_FILES:
            raise Refused(
                f"it holds {len(members)} files; at most {MAX_FILES} are read"
            )
        for member in members:
            parts = (*top, *member.filename.replace("\\", "/").split("/"))
            suffix = Path(parts[-1]).suffix.lower()
            if member.is_dir() or suffix not in (".ipynb", ".zip"):
                continue
            if fault := unfit(member, parts):
                yield Line(shown(parts), "", f"refused: {fault}")
                continue
            content = limited(zipped, member)
            total += len(content)
            if total > MAX_ARCHIVE:
                raise Refused(f"it holds over {MAX_ARCHIVE // 10**6} MB")
            moment = stamp(member) or when
            if suffix == ".ipynb":
                yield Arrived(parts, content, moment)
            elif depth == 0:
                yield from nested(content, parts, moment)


def nested(content: bytes, parts: tuple, when: float) -> Iterator[Arrived | Line]:
    """Yield the notebooks of a zip that a student sent."""
    try:
        top = (*parts[:-1], Path(parts[-1]).stem)
        yield from archive(io.BytesIO(content), top, when, depth=1)
    except (Refused, zipfile.BadZipFile) as error:
        yield Line(shown(parts), "", f"refused: {error}")


def unfit(member: zipfile.ZipInfo, parts: tuple[str, ...]) -> str:
    """Return why a member of an archive is not read; empty if it is."""
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link"
    if member.flag_bits & 1:
        return "it is encrypted"
    outside = ".." in parts or member.filename.startswith(("/", "\\"))
    return "its name points out of the archive" if outside else ""


def limited(zipped: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member up to the limit; what is longer is refused later, by its size."""
    try:
        with zipped.open(member) as file:
            return file.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise Refused(f"{member.filename} cannot be read: {error}") from None


def stamp(member: zipfile.ZipInfo) -> float | None:
    """Return when a member was written; zips that do not know say 1980."""
    if member.date_time[0] <= 1980:
        return None
    try:
        moment = datetime.datetime(*member.date_time, tzinfo=datetime.UTC)
    except ValueError:
        return None
    return moment.timestamp()


def shown(parts: tuple[str, ...]) -> str:
    """Write a path for the report, without what a terminal would obey."""
    text = "/".join(parts)
    return "".join(c if c.isprintable() else "?" for c in text)[:200]
