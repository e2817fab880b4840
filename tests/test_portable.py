"""The portable runs: which versions, which interpreter, which leg, what is said."""

import importlib.util
import json
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
    assert (TOOL.run("sse4", ["notebooks"]) == "passed") is (code == 0)
    command, options = runs[-1]
    assert command[:3] == [sys.executable, "-m", "pytest"]
    assert "--nbval" in command and "notebooks" in command
    assert not {"src", "tests"} & set(command)
    TOOL.run("sse4", list(TOOL.PARTS))
    assert {"notebooks", "src", "tests"} <= set(runs[-1][0])
    assert options["env"]["XLA_FLAGS"] == "--already --xla_cpu_max_isa=SSE4_2"
    assert options["env"]["COMPILE_FULLY"], "as the reader's programs are compiled"


def test_every_leg_runs_and_one_failure_fails_all(monkeypatch, capsys):
    asked = []

    def fake(name, parts):
        asked.append((name, *parts))
        return "FAILED" if name == "avx" else "passed"

    monkeypatch.setattr(TOOL, "run", fake)
    assert TOOL.main([]) == 1
    assert asked == [(name, "notebooks", "tests") for name in TOOL.LEGS]
    assert TOOL.main(["--leg", "sse4"]) == 0
    assert "sse4         passed" in capsys.readouterr().out
    monkeypatch.setattr(TOOL, "turn", lambda: ("colab", "tests"))
    assert TOOL.main(["--rotate"]) == 0
    assert asked[-1] == ("colab", "tests")


@pytest.mark.parametrize(
    ("commits", "part"),
    [(1, "notebooks"), (7, "tests"), (12, "notebooks"), (23, "tests")],
)
def test_the_turn_goes_by_commits(commits, part, monkeypatch):
    def fake(command, **options):
        assert command[:3] == ["git", "rev-list", "--count"]
        return subprocess.CompletedProcess(command, 0, stdout=f"{commits}\n")

    monkeypatch.setattr(TOOL.subprocess, "run", fake)
    assert TOOL.turn() == (list(TOOL.LEGS)[commits % 6], part)


def test_the_legs():
    assert {leg.flags for leg in TOOL.LEGS.values() if leg.flags} == {
        "--xla_cpu_max_isa=AVX",
        "--xla_cpu_max_isa=SSE4_2",
    }
    ends = {(leg.python, leg.end) for leg in TOOL.LEGS.values() if leg.end}
    assert ends == {("3.12", "newest"), ("3.13", "newest"), ("3.11", "oldest")}
    scripts = {(leg.python, leg.script) for leg in TOOL.LEGS.values() if leg.script}
    assert scripts == {("3.12", "tools/colab.py")}


# The leg that imitates Colab.


@pytest.mark.parametrize("code", [0, 1])
def test_a_script_gets_its_python_and_its_exit_code_comes_back(code, monkeypatch):
    runs = []

    def fake(command, **options):
        runs.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(TOOL.subprocess, "run", fake)
    monkeypatch.setattr(TOOL, "find_python", lambda wanted: f"/python{wanted}")
    assert (TOOL.run("colab", ["tests"]) == "passed") is (code == 0)
    assert runs == [[sys.executable, "tools/colab.py", "/python3.12"]]


def load_colab():
    """Import tools/colab.py, which imports its neighbours."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("colab")
    finally:
        sys.path.pop(0)


COLAB = load_colab()
BEFORE = {"jax": "0.12.0", "jaxlib": "0.12.0", "numpy": "2.3.5"}
TOLD = "jax 0.8.2 is untested: 0.12.0 replaces it on the CPU\n"


def executed(first="", jax="0.12.0", where="/env/lib/lessons.py", x=3.0, manager="on"):
    """Make what a kernel returns: the first cell, and the probe with its figure."""
    said = {"version": COLAB.version(), "file": where, "jax": jax, "prefix": "/env"}
    said["manager"] = manager
    view = "application/vnd.jupyter.widget-view+json"
    new = COLAB.nbformat.v4
    shown = new.new_output("display_data", {view: {"model_id": "m"}})
    stdout = new.new_output("stream", text=f"a line before\n{json.dumps(said)}\n")
    cells = [new.new_code_cell(), new.new_code_cell()]
    cells[0].outputs = [new.new_output("stream", text=first)] if first else []
    cells[1].outputs = [shown, stdout]
    state = {"state": {"m": {"state": {"x": x}}}}
    return new.new_notebook(cells=cells, metadata={"widgets": {COLAB.WIDGETS: state}})


@pytest.mark.parametrize(
    ("stays", "before", "after", "notebook", "fault"),
    [
        (True, BEFORE, BEFORE | {"lessons": "1"}, executed(), ""),
        (True, BEFORE, BEFORE | {"numpy": "2.4"}, executed(), "pip changed ['numpy']"),
        (True, BEFORE, {"jax": "0.12.0", "jaxlib": "0.12.0"}, executed(), "['numpy']"),
        (True, BEFORE, BEFORE, executed(jax="0.12.0.1"), "jax 0.12.0.1 is imported"),
        (True, BEFORE, BEFORE, executed(where="/src/lessons/__init__.py"), "from /src"),
        (True, BEFORE, BEFORE, executed(TOLD * 2), "the first cell says"),
        (True, BEFORE, BEFORE, executed("ERROR: conflict"), "pip says"),
        (True, BEFORE, BEFORE, executed(x=2.0), "does not follow"),
        (True, BEFORE, BEFORE, executed(manager=""), "manager of foreign widgets"),
    ],
)
def test_what_colab_must_keep(stays, before, after, notebook, fault):
    case = COLAB.Case([], stays)
    found = COLAB.faults(case, before, after, notebook)
    assert bool(found) == bool(fault)
    assert all(fault in line for line in found)


def test_a_jax_that_is_too_old_must_be_replaced_and_named():
    case, old = COLAB.Case([], False), BEFORE | {"jax": "0.8.2", "jaxlib": "0.8.2"}
    assert COLAB.faults(case, old, BEFORE, executed(TOLD)) == []
    [silent] = COLAB.faults(case, old, BEFORE, executed())
    assert silent == "the first cell says: ''"
    kept = COLAB.faults(case, old, old, executed(TOLD, jax="0.8.2"))
    assert [fault.split(" ")[0] for fault in kept] == ["pip", "jax"]


def test_the_two_machines():
    newer, old = COLAB.cases()["newer"], COLAB.cases()["too old"]
    lock = re.search(r"^jax==(\S+)", (ROOT / "requirements.txt").read_text(), re.M)[1]
    ours = {need.name: need.specifier for need in TOOL.dependencies()}
    want = Requirement(newer.jax[0]).specifier
    assert newer.stays and not old.stays
    assert lock not in want and not (set(map(str, ours["jax"])) - set(map(str, want)))
    assert COLAB.TOO_OLD not in ours["jax"]
    assert old.jax == [f"{name}=={COLAB.TOO_OLD}" for name in ("jax", "jaxlib")]
    brought = {need.name: need for need in map(Requirement, COLAB.BROUGHT)}
    assert "lessons" not in brought and "anywidget" not in brought
    assert "7.7.1" in brought["ipywidgets"].specifier


@pytest.mark.parametrize("chapter", COLAB.CHAPTERS)
def test_only_the_address_of_the_release_is_replaced(chapter, tmp_path):
    stored = COLAB.nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", 4)
    code = [cell.source for cell in stored.cells if cell.cell_type == "code"]
    made = [cell.source for cell in COLAB.first_cells(chapter, tmp_path).cells]
    address = f"{COLAB.repository()}/releases/download/v{COLAB.version()}"
    assert made[0] == code[0].replace(address, tmp_path.as_uri()) != code[0]
    assert made[1:-1] == code[1 : COLAB.CELLS] and made[-1] == COLAB.PROBE


def test_a_first_cell_that_installs_from_elsewhere_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(COLAB, "repository", lambda: "https://example.org/other")
    with pytest.raises(SystemExit, match=r"does not install from https://example\.org"):
        COLAB.first_cells(COLAB.CHAPTERS[0], tmp_path)
