"""The machine check, with faked versions, devices and metadata."""

import importlib.metadata
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from lessons import __main__ as check

CLASSIFIERS = [
    "License :: OSI Approved",
    "Programming Language :: Python :: 3",
    "Programming Language :: Python :: 3.11",
    "Programming Language :: Python :: 3.12",
]
RANGE = "jax>=0.9,!=0.11.1,<0.12.1"


def fake(**versions):
    """Return a stand-in for importlib.metadata.version."""

    def version_of(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    return version_of


def device(platform, number=0, kind="cpu"):
    """Return a stand-in for a jax device."""
    return SimpleNamespace(platform=platform, id=number, device_kind=kind)


@pytest.mark.parametrize(
    ("version", "fine"),
    [("3.11.0", True), ("3.12.9", True), ("3.10.4", False), ("3.14.0", False)],
)
def test_python(version, fine):
    finding = check.check_python(version, CLASSIFIERS)
    assert finding.found == version
    assert finding.tested == "3.11, 3.12"
    assert finding.advice == ("" if fine else "make an environment with Python 3.11")


@pytest.mark.parametrize(
    ("version", "fine"),
    [
        ("0.8.3", False),
        ("0.9", True),
        ("0.9.0", True),
        ("0.10.2", True),
        ("0.11.0", True),
        ("0.11.1", False),
        ("0.11.2", True),
        ("0.12.0.1", True),
        ("0.12.1.dev20261122", False),
        ("0.12.1", False),
        ("1.0", False),
    ],
)
def test_package_version(version, fine):
    finding = check.check_package(Requirement(RANGE), fake(jax=version))
    assert finding[:3] == ("jax", version, RANGE.removeprefix("jax"))
    assert (finding.advice == "") is fine
    if not fine:
        assert finding.advice == f'python -m pip install "{RANGE}"'


def test_missing_package():
    finding = check.check_package(Requirement(RANGE), fake())
    assert finding.found == "missing"
    assert "pip install" in finding.advice


def test_needed_follows_markers_and_the_notebooks_extra():
    here = f'alpha>=1; python_version >= "{sys.version_info[0]}"'
    names = check.needed(
        [
            RANGE,
            here,
            'beta; python_version < "3"',
            'gamma; extra == "notebooks"',
            'delta; extra == "book"',
        ]
    )
    assert [need.name for need in names] == ["jax", "alpha", "gamma"]


@pytest.mark.parametrize(
    ("devices", "gpu_here", "found", "note"),
    [
        ([device("cpu")], False, "cpu:0", False),
        ([device("cpu")], True, "cpu:0", True),
        (
            [device("gpu", 0, "H200"), device("gpu", 1, "H200")],
            True,
            "gpu:0, gpu:1 (H200)",
            False,
        ),
    ],
)
def test_device(devices, gpu_here, found, note):
    finding = check.check_device(lambda: devices, gpu_here)
    assert finding.found == found
    assert finding.advice == ""
    assert ("jax[cuda13]" in finding.note) is note


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("No module named 'jax'\nmore"), "No module named 'jax'"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_no_device(error, said):
    def devices():
        raise error

    finding = check.check_device(devices, False)
    assert finding.found == "none"
    assert finding.advice == f"jax finds no device: {said}"


def test_places_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LESSONS_DATA", str(tmp_path))
    shipped, downloads = check.places()
    assert os.path.exists(os.path.join(shipped.found, "mnist_10k.npz"))
    assert downloads.found == str(tmp_path)
    assert "LESSONS_DATA" in downloads.note


@pytest.mark.parametrize(
    ("advices", "ending", "code"),
    [
        (["", ""], "This machine is as tested.", 0),
        (["", "do it"], "1 difference from", 1),
        (["do this", "do it"], "2 differences from", 1),
    ],
)
def test_report_and_exit_code(advices, ending, code, monkeypatch, capsys):
    found = [check.Finding("name", "1.0", ">=2", text) for text in advices]
    monkeypatch.setattr(check, "findings", lambda: found)
    assert check.main() == code
    printed = capsys.readouterr().out
    assert ending in printed
    assert printed.count("-> do") == sum(map(bool, advices))
    assert "name          1.0          tested: >=2" in printed


def metadata(**fields):
    """Return a stand-in for importlib.metadata.metadata."""
    return lambda _: SimpleNamespace(get_all=fields.get)


def test_findings_cover_python_packages_device_and_places(monkeypatch):
    fields = {"Classifier": CLASSIFIERS, "Requires-Dist": [RANGE, "numpy>=99"]}
    monkeypatch.setattr(check.importlib.metadata, "metadata", metadata(**fields))
    monkeypatch.setattr(
        check.importlib.metadata, "version", fake(jax="0.10.2", numpy="2.4.6")
    )
    found = {finding.name: finding for finding in check.findings()}
    assert list(found) == [
        *("lessons", "Python", "jax", "numpy", "Device"),
        *("Shipped data", "Downloads"),
    ]
    assert found["jax"].advice == ""
    assert found["numpy"].advice == 'python -m pip install "numpy>=99"'


def test_a_package_that_was_never_installed(monkeypatch):
    def lost(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(check.importlib.metadata, "metadata", lost)
    first = check.findings()[0]
    assert "not installed" in first.advice
    assert "pip install" in first.advice


def test_the_command_runs():
    done = subprocess.run(
        [sys.executable, "-m", "lessons"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.startswith("lessons")
    assert (done.returncode == 0) == ("This machine is as tested." in done.stdout)
