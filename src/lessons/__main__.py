"""Say whether this machine is one the course was tested on: `python -m lessons`.

Versions are compared with the tested ranges, which the package's own metadata
holds. For each difference a line says what to do. The exit code is 0 where
everything is as tested, otherwise 1.
"""

import importlib.metadata
import importlib.resources
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from packaging.requirements import Requirement

import lessons

PYTHON_CLASSIFIER = r"Programming Language :: Python :: (3\.\d+)"


class Finding(NamedTuple):
    """One line of the report; `advice` is empty where all is as tested."""

    name: str
    found: str
    tested: str = ""
    advice: str = ""
    note: str = ""


def check_python(version: str, classifiers: Iterable[str]) -> Finding:
    """Compare the running Python with the tested ones."""
    tested = [
        m[1] for m in map(re.compile(PYTHON_CLASSIFIER).fullmatch, classifiers) if m
    ]
    minor = ".".join(version.split(".")[:2])
    advice = "" if minor in tested else f"make an environment with Python {tested[0]}"
    return Finding("Python", version, ", ".join(tested), advice)


def needed(requirements: Iterable[str]) -> list[Requirement]:
    """Select what the package and its notebooks need on this machine."""
    parsed = map(Requirement, requirements)
    return [
        each
        for each in parsed
        if each.marker is None or each.marker.evaluate({"extra": "notebooks"})
    ]


def check_package(need: Requirement, version_of: Callable[[str], str]) -> Finding:
    """Compare one installed version with its tested range."""
    tested = limits(need)
    try:
        version = version_of(need.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(need.name, "missing", tested, install(need))
    if need.specifier.contains(version, prereleases=True):
        return Finding(need.name, version, tested)
    return Finding(need.name, version, tested, install(need))


def limits(need: Requirement) -> str:
    """Write a range from its lower end to its upper end."""
    order = [">=", "==", "~=", "!=", "<=", "<"]
    parts = sorted(need.specifier, key=lambda part: order.index(part.operator))
    return ",".join(map(str, parts))


def install(need: Requirement) -> str:
    """Write the command that brings a package into its range."""
    return f'python -m pip install "{need.name}{limits(need)}"'


def check_device(devices: Callable[[], list], gpu_here: bool) -> Finding:
    """Name the devices that jax computes on."""
    try:
        found = devices()
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Finding("Device", "none", advice=f"jax finds no device: {reason}")
    name = ", ".join(f"{device.platform}:{device.id}" for device in found)
    kind = found[0].device_kind
    note = ""
    if gpu_here and found[0].platform == "cpu":
        note = (
            'a GPU is here and jax does not use it: python -m pip install "jax[cuda13]"'
        )
    return Finding("Device", name if kind in name else f"{name} ({kind})", note=note)


def jax_devices() -> list:
    """Return jax's devices; imported late, so that the report survives without."""
    import jax

    return jax.devices()


def places() -> list[Finding]:
    """Say where the shipped data and the downloads lie."""
    shipped = importlib.resources.files("lessons") / "datasets"
    try:
        from lessons.download import cache_dir
    except ImportError as error:
        cache, advice = "unknown", f"the package is incomplete: {error}"
    else:
        cache, advice = str(cache_dir()), ""
    note = "LESSONS_DATA=FOLDER moves them"
    return [
        Finding("Shipped data", str(shipped)),
        Finding("Downloads", cache, advice=advice, note=note),
    ]


def findings() -> list[Finding]:
    """Look at this machine."""
    package = Finding("lessons", lessons.__version__)
    try:
        metadata = importlib.metadata.metadata("lessons")
    except importlib.metadata.PackageNotFoundError:
        how = "python -m pip install --no-deps --no-build-isolation -e ."
        lost = package._replace(advice=f"not installed, so no tested ranges: {how}")
        return [lost, *places()]
    return [
        package,
        check_python(platform.python_version(), metadata.get_all("Classifier") or []),
        *(
            check_package(need, importlib.metadata.version)
            for need in needed(metadata.get_all("Requires-Dist") or [])
        ),
        check_device(jax_devices, shutil.which("nvidia-smi") is not None),
        *places(),
    ]


def report(found: list[Finding]) -> str:
    """Set the findings out as text."""
    lines = []
    for each in found:
        tested = f"tested: {each.tested}" if each.tested else ""
        lines.append(f"{each.name:<14}{each.found:<12} {tested}".rstrip())
        lines += [f"{'':<14}-> {text}" for text in (each.advice, each.note) if text]
    differing = sum(bool(each.advice) for each in found)
    if not differing:
        return "\n".join([*lines, "", "This machine is as tested."])
    plural = "" if differing == 1 else "s"
    lines += ["", f"{differing} difference{plural} from what was tested."]
    lines += ["The remedies stand above. Without them the outputs may differ."]
    return "\n".join(lines)


def main() -> int:
    """Print the report; return 0 where everything is as tested, otherwise 1."""
    found = findings()
    print(report(found))
    return int(any(each.advice for each in found))


if __name__ == "__main__":
    sys.exit(main())
