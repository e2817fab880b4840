"""Make what a release gives away: wheel, sources, site, PDF and their hashes.

    python tools/release.py --check     may this checkout be released?
    python tools/release.py             make dist/ from it and the built book

`make release` does both, with a fresh build of the book between them. It refuses
when the tree is dirty, when the changelog has no entry for the version, and when the
site holds a solution of an exercise or a path of this machine. The same commit gives
the same bytes, the PDF perhaps apart: Chromium draws it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

from notebooks import EXERCISES, FOLDER, ROOT, repository, version
from release_checks import (
    checkout_faults,
    machine,
    package_faults,
    pdf_faults,
    secrets,
    site_faults,
)

DIST = ROOT / "dist"
SITE = ROOT / "_build" / "html"


class Names(NamedTuple):
    """The files of a release."""

    wheel: str
    sources: str
    site: str
    pdf: str


def names(address: str, edition: str) -> Names:
    """Name the files after the package or the repository, and the version."""
    course = address.rstrip("/").rsplit("/", 1)[1]
    return Names(
        wheel=f"lessons-{edition}-py3-none-any.whl",
        sources=f"lessons-{edition}.tar.gz",
        site=f"{course}-{edition}-site.zip",
        pdf=f"{course}-{edition}.pdf",
    )


def git(*arguments: str) -> str:
    """Return what git says."""
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def archive(folder: Path, target: Path, moment: int) -> None:
    """Zip a folder; the same files and the same moment give the same bytes.

    Parameters
    ----------
    folder : Path
        What is archived, under the archive's own name.
    target : Path
        The archive.
    moment : int
        The date of every entry, seconds since 1970.
    """
    date = max(time.gmtime(moment)[:6], (1980, 1, 1, 0, 0, 0))
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*")}
    with zipfile.ZipFile(target, "w") as zipped:
        for name, file in sorted(files.items()):
            if not file.is_file():
                continue
            entry = zipfile.ZipInfo(f"{target.stem}/{name}", date)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same on Windows
            entry.external_attr = 0o100644 << 16
            zipped.writestr(entry, file.read_bytes(), compresslevel=9)


def write_hashes(folder: Path) -> None:
    """Write SHA256SUMS, which ``sha256sum --check`` reads."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(folder.iterdir())
        if file.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), newline="\n")


def build(dist: Path, wanted: Names) -> None:
    """Make the files of a release in an empty folder."""
    moment = int(git("log", "-1", "--format=%ct"))
    env = os.environ | {"SOURCE_DATE_EPOCH": str(moment)}
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    hatch = [sys.executable, "-m", "hatchling", "build", "-d", str(dist)]
    for kind in ("wheel", "sdist"):
        subprocess.run([*hatch, "-t", kind], cwd=ROOT, env=env, check=True)
    archive(SITE, dist / wanted.site, moment)
    pdf = [sys.executable, str(ROOT / "tools" / "pdf.py"), str(dist / wanted.pdf)]
    subprocess.run(pdf, cwd=ROOT, env=env, check=True)


def refuse(faults: list[str]) -> None:
    """Stop with what is wrong, if anything is."""
    if faults:
        sys.exit("\n".join(["No release:", *faults[:20]]))


def check_checkout() -> None:
    """Refuse a checkout that may not be released."""
    status = git("status", "--porcelain")
    tags = git("tag", "--points-at", "HEAD").split()
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    refuse(checkout_faults(status, tags, changes, version()))


def main(arguments: list[str] | None = None) -> None:
    """Read the command line; check, and make the release unless told only to check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="make nothing")
    options = parser.parse_args(arguments)
    check_checkout()
    if options.check:
        return
    refuse(site_faults(SITE, secrets(FOLDER), machine()))
    wanted = names(repository(), version())
    build(DIST, wanted)
    made = sorted(file.name for file in DIST.iterdir())
    if made != sorted(wanted):
        refuse([f"dist holds {made} where {sorted(wanted)} was to be made."])
    for package in (wanted.wheel, wanted.sources):
        refuse(package_faults(DIST / package, EXERCISES))
    refuse(pdf_faults(DIST / wanted.pdf))
    # Last, so that a folder with hashes is a release.
    write_hashes(DIST)
    print((DIST / "SHA256SUMS").read_text(), end="")


if __name__ == "__main__":
    main()
