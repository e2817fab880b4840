"""The portable runs: which versions, which interpreter, which leg, what is said."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def load_tool():
    """Import tools/portable.py, which is no package."""
    spec = importlib.util.spec_from_file_location(
        "portable_tool", ROOT / "tools" / "portable.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()


def listed(end):
    """Return {name: requirement} of one end."""
    lines = map(Requirement, TOOL.leg_requirements(end).splitlines())
    return {need.name: need for need in lines}


def test_the_newest_leg_frees_jax_and_pins_the_rest():
    ours = {need.name: need for need in TOOL.dependencies()}
    newest = listed("newest")
    assert newest["jax"].specifier == ours["jax"].specifier
    assert newest["jaxlib"].specifier == ours["jaxlib"].specifier
    assert "ml-dtypes" not in newest
    loose = [
        name for name in newest if not str(newest[name].specifier).startswith("==")
    ]
    assert sorted(loose) == ["jax", "jaxlib"]


def test_the_oldest_leg_takes_the_lower_end_of_every_range():
    oldest = listed("oldest")
    for need in TOOL.dependencies():
        [version] = [p.version for p in need.specifier if p.operator == ">="]
        assert str(oldest[need.name].specifier) == f"=={version}"
    assert all(str(need.specifier).startswith("==") for need in oldest.values())


@pytest.mark.parametrize("end", ["newest", "oldest"])
def test_a_leg_lists_each_package_of_the_lock_once_and_no_hash(end):
    text = TOOL.leg_requirements(end)
    lock = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.M)
    assert set(listed(end)) >= set(lock) - TOOL.FREE[end]
    assert len(text.splitlines()) == len(listed(end))
    assert "hash" not in text and "\\" not in text


def test_our_own_python_is_found_and_a_future_one_is_not():
    own = ".".join(map(str, sys.version_info[:2]))
    assert TOOL.find_python(own) == sys.executable
    with pytest.raises(TOOL.Absent, match=r"no Python 3\.99 here"):
        TOOL.find_python("3.99")


def test_a_leg_without_its_python_is_named_and_is_no_failure(monkeypatch, capsys):
    def absent(wanted):
        raise TOOL.Absent(f"no Python {wanted} here")

    monkeypatch.setattr(TOOL, "find_python", absent)
    monkeypatch.setattr(TOOL, "CACHE", ROOT / "no such folder")
    assert TOOL.main(["--leg", "newest-3.13"]) == 0
    said = capsys.readouterr().out
    assert "newest-3.13  could not run: no Python 3.13 here" in said


@pytest.mark.parametrize("code", [0, 1, 5])
def test_the_flag_reaches_pytest_and_its_exit_code_comes_back(code, monkeypatch):
    runs = []

    def fake(command, **options):
        runs.append((command, options))
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(TOOL.subprocess, "run", fake)
    monkeypatch.setenv("XLA_FLAGS", "--already")
    assert (TOOL.run("sse4") == "passed") is (code == 0)
    command, options = runs[-1]
    assert command[:3] == [sys.executable, "-m", "pytest"]
    assert "--nbval" in command and "notebooks" in command
    assert options["env"]["XLA_FLAGS"] == "--already --xla_cpu_max_isa=SSE4_2"


def test_every_leg_runs_and_one_failure_fails_all(monkeypatch, capsys):
    asked = []

    def fake(name):
        asked.append(name)
        return "FAILED" if name == "avx" else "passed"

    monkeypatch.setattr(TOOL, "run", fake)
    assert TOOL.main([]) == 1
    assert asked == list(TOOL.LEGS)
    assert TOOL.main(["--leg", "sse4"]) == 0
    assert "sse4         passed" in capsys.readouterr().out


@pytest.mark.parametrize("commits", [0, 1, 7, 23])
def test_the_turn_goes_by_commits(commits, monkeypatch):
    def fake(command, **options):
        assert command[:3] == ["git", "rev-list", "--count"]
        return subprocess.CompletedProcess(command, 0, stdout=f"{commits}\n")

    monkeypatch.setattr(TOOL.subprocess, "run", fake)
    assert TOOL.turn() == list(TOOL.LEGS)[commits % 5]


def test_the_legs():
    assert {leg.flags for leg in TOOL.LEGS.values() if leg.flags} == {
        "--xla_cpu_max_isa=AVX",
        "--xla_cpu_max_isa=SSE4_2",
    }
    ends = {(leg.python, leg.end) for leg in TOOL.LEGS.values() if leg.python}
    assert ends == {("3.12", "newest"), ("3.13", "newest"), ("3.11", "oldest")}
