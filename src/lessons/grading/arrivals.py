"""What comes in: zips and folders as learning platforms export them.

Nothing is unpacked to where an archive says. Sizes are counted while reading, because
an archive's own figures may lie, and each student may send so much and no more, so that
one student's files cost nobody else anything.
"""

from __future__ import annotations

import collections
import datetime
import functools
import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lessons.grading.assemble import MAX_BYTES, Refused, bounded, read_file
from lessons.grading.course import CourseError
from lessons.grading.roster import NO_ID, NOBODY, Student, match, platform

MAX_MEMBERS = 20_000
# Of one student, in one run of `collect`.
MAX_FILES = 100
MAX_TOTAL = 100_000_000
# bz2 and LZMA are not read: Python unpacks them whole, and a bomb is a few bytes long.
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
KINDS = (".ipynb", ".zip")


class Arrived(NamedTuple):
    """A notebook that came in, and whose it is."""

    parts: tuple[str, ...]
    content: bytes
    when: float
    student: str


class Line(NamedTuple):
    """A line of the report: what came, whose it is, and what was done."""

    came: str
    student: str
    said: str


class Desk:
    """Who may send something, and how much each has sent so far."""

    def __init__(self, students: list[Student]) -> None:
        self.students = students
        self.files: collections.Counter[str] = collections.Counter()
        self.total: collections.Counter[str] = collections.Counter()

    def owned(self, parts: tuple[str, ...]) -> bool:
        """Return whether a path says who sent it: a student's zip, and no export.

        Without a list any name is somebody's, so only the folders above it count.
        """
        if any(platform(part) for part in parts):
            return True
        known = parts if self.students else parts[:-1]
        return match(known, self.students)[1] not in (NOBODY, NO_ID)

    def full(self, student: str) -> str:
        """Return why nothing more is read of a student; empty if it is."""
        if self.files[student] < MAX_FILES and self.total[student] < MAX_TOTAL:
            return ""
        return f"over {MAX_FILES} files or {MAX_TOTAL // 10**6} MB of one student"

    def read(self, student: str, read: Callable[[], bytes]) -> bytes:
        """Read a file of a student; refuse what cannot be read or is too much."""
        if fault := self.full(student):
            raise Refused(fault)
        self.files[student] += 1
        try:
            content = read()
        except Refused:
            raise
        # zlib, struct and zipfile have errors of their own for what is broken.
        except Exception as error:
            raise Refused(f"it cannot be read: {error}") from None
        self.total[student] += len(content)
        return bounded(content)


def arrivals(paths: list[Path], students: list[Student]) -> Iterator[Arrived | Line]:
    """Yield the notebooks in files, folders and archives.

    What cannot be read, and what is nobody's, is a line of the report.

    Raises
    ------
    CourseError
        If there is no such file or folder.
    """
    if missing := [path for path in paths if not os.path.lexists(path)]:
        raise CourseError(f"expected a file or a folder, found no {missing[0]}")
    desk = Desk(students)
    for path in paths:
        if path.is_symlink():
            yield Line(shown(path.parts), "", "refused: it is a link")
        elif path.is_dir():
            yield from whole_folder(desk, path)
        else:
            yield from one_file(desk, path, (path.name,))


def whole_folder(desk: Desk, path: Path) -> Iterator[Arrived | Line]:
    """Yield what a folder holds: a student's own, or that of many."""
    name = path.resolve().name
    top = (name,) if desk.owned((name,)) else ()
    for folder, _, files in sorted(os.walk(path)):
        for place in (Path(folder) / name for name in sorted(files)):
            yield from one_file(desk, place, (*top, *place.relative_to(path).parts))


def one_file(
    desk: Desk, path: Path, parts: tuple[str, ...]
) -> Iterator[Arrived | Line]:
    """Yield what a file holds: a student's own, or an export of many students'."""
    if path.suffix.lower() not in KINDS:
        return
    try:
        when = path.lstat().st_mtime
        if path.suffix.lower() == ".ipynb" or desk.owned(parts):
            yield from sent(desk, parts, functools.partial(read_file, path), when)
        elif path.is_symlink() or not path.is_file():
            yield Line(shown(parts), "", "refused: it is a link or no ordinary file")
        else:
            with path.open("rb") as file:
                yield from export(desk, file, parts[:-1], when)
    except (Refused, OSError) as error:
        yield Line(shown(parts), "", f"refused: {error}")


def export(
    desk: Desk, file: BinaryIO, top: tuple[str, ...], when: float
) -> Iterator[Arrived | Line]:
    """Yield what students sent, from the archive of a platform."""
    with opened(file) as zipped:
        for member in members(zipped, KINDS):
            read = functools.partial(limited, zipped, member)
            moment = stamp(member) or when
            yield from sent(desk, (*top, *path_of(member)), read, moment)


def sent(
    desk: Desk, parts: tuple[str, ...], read: Callable[[], bytes], when: float
) -> Iterator[Arrived | Line]:
    """Yield what a student sent: a notebook, or the notebooks in a zip."""
    student, why = match(parts, desk.students)
    if not student:
        yield Line(shown(parts), "", f"not matched: {why}")
        return
    try:
        content = desk.read(student, read)
        if parts[-1].lower().endswith(".zip"):
            yield from unpacked(desk, student, parts, content, when)
        else:
            yield Arrived(parts, content, when, student)
    except Refused as error:
        yield Line(shown(parts), student, f"refused: {error}")


def unpacked(
    desk: Desk, student: str, parts: tuple[str, ...], content: bytes, when: float
) -> Iterator[Arrived | Line]:
    """Yield the notebooks in a zip that a student made, but not zips in it.

    Its names and dates are the student's choice, so neither says whose a file is, or
    when it was sent.
    """
    with opened(io.BytesIO(content)) as zipped:
        for member in members(zipped, (".ipynb",)):
            if fault := desk.full(student):
                raise Refused(f"the rest of it: {fault}")
            inner = (*parts, *path_of(member))
            try:
                read = functools.partial(limited, zipped, member)
                yield Arrived(inner, desk.read(student, read), when, student)
            except Refused as error:
                yield Line(shown(inner), student, f"refused: {error}")


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """Open an archive; refuse it if that fails in whatever way."""
    try:
        return zipfile.ZipFile(file)
    except Exception as error:
        raise Refused(f"it is no zip that can be read: {error}") from None


def members(zipped: zipfile.ZipFile, kinds: tuple[str, ...]) -> list[zipfile.ZipInfo]:
    """Return the members of an archive that are of some kind."""
    found = zipped.infolist()
    if len(found) > MAX_MEMBERS:
        raise Refused(f"it holds {len(found)} files; at most {MAX_MEMBERS} are read")
    return [each for each in found if path_of(each)[-1].lower().endswith(kinds)]


def path_of(member: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return the folders and the name of a member."""
    return tuple(member.filename.replace("\\", "/").split("/"))


def limited(zipped: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member up to the limit and a little over."""
    if fault := unfit(member):
        raise Refused(fault)
    with zipped.open(member) as file:
        return file.read(MAX_BYTES + 1)


def unfit(member: zipfile.ZipInfo) -> str:
    """Return why a member of an archive is not read; empty if it is."""
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link"
    if member.flag_bits & 1:
        return "it is encrypted"
    if member.compress_type not in PACKED:
        return "it is packed in an unusual way, which is not read"
    path = path_of(member)
    outside = ".." in path or path[0] == ""
    return "its name points out of the archive" if outside else ""


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
