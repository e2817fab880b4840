"""The repository keeps its word: versions, addresses, imports, commands, licences."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import types
import urllib.parse
import zipfile
from pathlib import Path

import pytest
import yaml
from book_site import chapters, parsed
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

import lessons

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "lessons"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADDRESS = PROJECT["urls"]["Repository"]
PYTHONS = ["3.11", "3.12", "3.13"]


def tracked():
    """Return the files that git holds."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    command = ["git", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in done.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def texts():
    """Yield (name, text) of every tracked text file."""
    for file in tracked():
        content = file.read_bytes()
        if b"\0" not in content:
            name = file.relative_to(ROOT).as_posix()
            yield name, content.decode("utf-8", errors="replace")


# Imports.

# What each module may import of the others. A file too long for one idea is split:
# its parts stand in the second table and are imported by that module alone.
MAY_IMPORT = {
    "__init__": set(),
    "__main__": {"download"},
    "activations": set(),
    "losses": {"activations"},
    "dnn": {"activations"},
    "backprop": {"activations", "dnn", "losses"},
    "norms": set(),
    "masks": set(),
    "cnn": {"activations", "dnn", "norms"},
    "rnn": {"activations", "dnn", "masks"},
    "attention": {"activations", "dnn", "masks", "norms"},
    "transformer": {"activations", "attention", "dnn", "masks", "norms"},
    "seq2seq": {
        "activations",
        "attention",
        "dnn",
        "losses",
        "masks",
        "norms",
        "transformer",
    },
    "decoding": set(),
    "counts": set(),
    "optimizers": set(),
    "metrics": set(),
    "training": {"optimizers"},
    "data": set(),
    "text": set(),
    "plots": set(),
}
PARTS = {
    "__init__": {"_precision"},
    "rnn": {"_recurrence"},
    "optimizers": {"schedules", "update_rules"},
    "data": {"_readers", "augment", "download", "scaling", "toys"},
    "metrics": {"curves", "intervals"},
    "training": {"checkpoints", "evaluation", "sweeps"}
    | {"_batching", "_epochs", "_progress", "_runs"},
}
EVERYWHERE = {"_checks"}


def imports(file):
    """Return the top names that a file imports, and the lessons modules."""
    outside, own = set(), set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}: relative import"
            names = [node.module]
            if node.module == "lessons":
                names = [f"lessons.{alias.name}" for alias in node.names]
        else:
            continue
        outside |= {name.split(".")[0] for name in names}
        own |= {name.split(".")[1] for name in names if name.startswith("lessons.")}
    return outside, own


MODULES = sorted(PACKAGE.glob("*.py"))


@pytest.mark.parametrize("file", MODULES, ids=[file.stem for file in MODULES])
def test_imports_point_one_way(file):
    _, own = imports(file)
    whole = [module for module, parts in PARTS.items() if file.stem in parts]
    if file.stem in EVERYWHERE:
        allowed = set()
    elif whole:
        # Parts may use one another; the order among them has no cycle, see below.
        allowed = PARTS[whole[0]] | MAY_IMPORT[whole[0]] | EVERYWHERE
    else:
        assert file.stem in MAY_IMPORT, "a new module takes its place in the table"
        allowed = MAY_IMPORT[file.stem] | PARTS.get(file.stem, set()) | EVERYWHERE
    assert own <= allowed, f"{file.stem} may not import {sorted(own - allowed)}"


def test_imports_have_no_cycle():
    left = {file.stem: imports(file)[1] for file in MODULES}
    while left:
        free = {name for name, needs in left.items() if not needs & set(left)}
        assert free, f"these import each other: {sorted(left)}"
        left = {name: needs for name, needs in left.items() if name not in free}


@pytest.mark.parametrize("file", MODULES, ids=[file.stem for file in MODULES])
def test_only_plots_imports_matplotlib(file):
    assert ("matplotlib" in imports(file)[0]) == (file.stem == "plots")


# The interactive figures show what the other modules compute: none imports them.
FIGURES = sorted((PACKAGE / "widgets").glob("*.py"))


@pytest.mark.parametrize("file", FIGURES, ids=[file.stem for file in FIGURES])
def test_interactive_figures_stand_on_the_other_modules(file):
    outside, own = imports(file)
    assert own <= set(MAY_IMPORT) | {"widgets"}
    assert "matplotlib" not in outside


# Exercises check what the other modules teach; grading stands on the exercises.
CHECKS = sorted((PACKAGE / "exercises").glob("*.py"))
GRADING = sorted((PACKAGE / "grading").glob("*.py"))


@pytest.mark.parametrize("file", CHECKS, ids=[file.stem for file in CHECKS])
def test_exercises_need_nothing_but_the_package(file):
    outside, own = imports(file)
    assert own <= set(MAY_IMPORT) | {"exercises"}
    assert not outside & {"nbgrader", "nbformat", "optax", "sklearn", "matplotlib"}


@pytest.mark.parametrize("file", GRADING, ids=[file.stem for file in GRADING])
def test_grading_stands_on_the_exercises(file):
    _, own = imports(file)
    assert own <= {"exercises", "grading"}


def test_nothing_but_grading_needs_grading():
    files = [*MODULES, *FIGURES, *CHECKS]
    assert [f.name for f in files if "grading" in imports(f)[1]] == []


# Versions.

LOCK = (ROOT / "requirements.txt").read_text()
PINS = re.findall(r"^([\w.-]+)==(\S+)(?: ; ([^\\\n]+?))? \\$", LOCK, re.MULTILINE)
EXTRAS = PROJECT["optional-dependencies"]
LOCKED = [
    *PROJECT["dependencies"],
    *(line for name in EXTRAS if name not in ("cuda", "tpu") for line in EXTRAS[name]),
    *tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"],
]


def pins(python):
    """Return {name: version} of the lock on Linux under one Python."""
    here = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "os_name": "posix",
        "implementation_name": "cpython",
    }
    chosen = [
        (name, version)
        for name, version, marker in PINS
        if not marker or Requirement(f"{name}; {marker}").marker.evaluate(here)
    ]
    assert len(dict(chosen)) == len(chosen), "two versions for one Python"
    return dict(chosen)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("line", [x for x in LOCKED if not x.startswith("lessons[")])
def test_the_lock_lies_in_the_tested_ranges(line, python):
    need = Requirement(line)
    assert need.specifier.contains(pins(python)[need.name])


@pytest.mark.parametrize("line", PROJECT["dependencies"])
def test_each_dependency_has_a_lower_end(line):
    operators = [part.operator for part in Requirement(line).specifier]
    assert operators.count(">=") == 1


def test_the_lock_holds_hashes_and_nothing_else():
    entries = re.findall(r"^[\w.-]+==.*", LOCK, re.MULTILINE)
    assert len(PINS) == len(entries) > 100
    assert re.findall(r"^-.*", LOCK, re.MULTILINE) == []
    for entry in re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_release_of_jax_with_slow_scans_is_left_out():
    for name in ("jax", "jaxlib"):
        [need] = [
            n for n in map(Requirement, PROJECT["dependencies"]) if n.name == name
        ]
        assert "0.11.1" not in need.specifier
        assert "0.11.0" in need.specifier and "0.11.2" in need.specifier


def test_the_pythons():
    named = [
        line.rsplit(" ", 1)[1]
        for line in PROJECT["classifiers"]
        if re.search(r":: 3\.\d+$", line)
    ]
    assert named == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def test_the_conda_environment_is_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, packages = environment["dependencies"]
    assert python.removeprefix("python=") in PYTHONS
    assert pip == "pip"
    assert packages == {"pip": ["-r requirements.txt"]}
    install = "pip install --no-deps --no-build-isolation -e ."
    assert install in (ROOT / "environment.yml").read_text()
    assert install in (ROOT / "postBuild").read_text()
    assert install in (ROOT / "Makefile").read_text().replace("--quiet ", "")


def test_the_version_is_one():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == lessons.__version__
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", str(citation["date-released"]))
    assert str(Version(lessons.__version__)) == lessons.__version__
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## (Unreleased|{lessons.__version__})", changes, re.MULTILINE)


# Addresses.


def test_the_address_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert citation["repository-code"] == ADDRESS
    assert config["repository"]["url"] == ADDRESS
    assert config["repository"]["branch"] == "main"
    host, owner, name = re.fullmatch(r"https://(.+)/(.+)/(.+)", ADDRESS).groups()
    assert host == "github.com" and environment["name"] == name
    places = {f"github.com/{owner}/{name}", f"{owner}.github.io/{name}"}
    # The forms in which a host of notebooks or of pages names a repository.
    forms = rf"github\.com/[\w.-]+/{name}\b|\b[\w-]+\.github\.io/{name}\b"
    for file, text in texts():
        assert set(re.findall(forms, text)) <= places, file


def test_every_wheel_and_release_that_is_named_is_of_this_version():
    named = r"lessons-(\d[^-\s]*)-py3-none-any|/releases/download/v(\d[\w.]*)"
    found = 0
    for file, text in texts():
        if file.startswith("tests/"):  # they name made-up versions
            continue
        for versions in re.findall(named, text):
            assert "".join(versions) == lessons.__version__, file
            found += 1
    assert found >= 2 * len(list((ROOT / "notebooks").glob("*.ipynb")))


@pytest.mark.parametrize("chapter", list(chapters()))
def test_the_buttons_of_a_chapter_lead_to_this_repository(chapter):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    place = ADDRESS.removeprefix("https://github.com/")
    branch = config["repository"]["branch"]
    links = [a["href"] for a in parsed(chapter).select("a[href]")]
    colab = [link for link in links if link.startswith("https://colab.")]
    binder = [link for link in links if link.startswith("https://mybinder.")]
    host = config["launch_buttons"]["colab_url"]
    # Its own notebook, and that of its exercises: 07 and 07b share a set.
    number = chapter.split("/")[1][:2]
    [tasks] = (ROOT / "notebooks/exercises/student").glob(f"{number}_*.ipynb")
    opened = {chapter, f"notebooks/exercises/student/{tasks.stem}"}
    start = f"{host}/github/{place}/blob/{branch}"
    assert set(colab) == {f"{start}/{each}.ipynb" for each in opened}
    host = config["launch_buttons"]["binderhub_url"]
    [link] = set(binder)
    start, query = link.split("?")
    assert start == f"{host}/v2/gh/{place}/{branch}"
    # JupyterLab, which the lock brings, opens the chapter's file.
    opened = urllib.parse.parse_qs(query)["urlpath"]
    assert opened == [f"lab/tree/{chapter}.ipynb"]


def test_no_package_address_in_the_repository():
    # Written in two pieces, so that this file does not match itself.
    words = ["pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.(org|com)"]
    words += ["(extra-)?index" + "-url", "find" + "-links", '"resolved": ' + '*"http']
    words += [r"https?://[^ \"]*/" + "simple/", "anaconda" + r"\.org"]
    pattern = re.compile("|".join(words))
    found = {file for file, text in texts() if pattern.search(text)}
    assert not found


def test_no_path_of_a_machine_in_the_repository():
    home = re.compile("/(home|Users)" + r"/\w+/|/ro" + "ot/|" + re.escape(str(ROOT)))
    found = {file for file, text in texts() if home.search(text)}
    # Two tests name such paths in order to refuse them.
    assert found <= {"tests/test_notebooks.py", "tests/test_project.py"}


def test_the_repository_is_small():
    sizes = {file: file.stat().st_size for file in tracked()}
    data = {file for file in sizes if file.parent == PACKAGE / "datasets"}
    large = [str(file) for file in sizes.keys() - data if sizes[file] > 1_000_000]
    assert not large
    # What everybody who installs the package downloads.
    assert sum(sizes[file] for file in data) < 10_000_000
    assert max(sizes[file] for file in data) < 5_000_000


# Commands.

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE)


def test_help_lists_every_command():
    if not shutil.which("make"):
        pytest.skip("no make")
    asked = {"book", "serve", "test", "lab", "notebooks", "test-portable", "mutants"}
    assert asked | {"lock", "help", "release"} <= set(TARGETS)
    [phony] = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == set(TARGETS)
    command = ["make", "--no-print-directory"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert re.findall(r"make ([a-z-]+) ", done.stdout) == TARGETS


@pytest.mark.parametrize("file", re.findall(r"(tools/\w+\.py)", MAKEFILE))
def test_commands_call_files_that_exist(file):
    assert (ROOT / file).is_file()


def test_windows_readers_run_the_same_tests():
    [command] = re.findall(r"\$\(PYTEST\) ((?:.*\\\n)*.*)", MAKEFILE)
    words = command.replace("\\\n", " ").split()
    pages = [ROOT / "README.md", ROOT / "book" / "use.md"]
    pages = " ".join(" ".join(page.read_text().split()) for page in pages)
    assert " ".join(words) in pages


def test_ci_runs_the_tests_and_one_portable_leg():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert "make test" in lines
    assert any(line.endswith("tools/portable.py --rotate") for line in lines)


def test_the_notebooks_run_first_and_in_one_piece_each():
    spec = importlib.util.spec_from_file_location("root", ROOT / "conftest.py")
    root = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(root)
    few, many, short, long = "tests/a.py", "tests/b.py", "n/2.ipynb", "n/1.ipynb"
    ids = [f"{few}::x", f"{many}::a", f"{many}::b", f"{short}::Cell 0"]
    ids += [f"{long}::Cell {number}" for number in (0, 1, 10, 2)]
    items = [types.SimpleNamespace(nodeid=each) for each in ids]
    root.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == [*ids[4:], ids[3], *ids[1:3], ids[0]]


# The workflow of the host.

WORKFLOW = ROOT / ".github" / "workflows" / "book.yml"
JOBS = yaml.safe_load(WORKFLOW.read_text())["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
RUNS = [step["run"] for step in STEPS if "run" in step]


def test_the_workflow_runs_on_pushes_pull_requests_and_tags():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    events = workflow[True]  # YAML 1.1 reads the key `on` so
    assert set(events) == {"push", "pull_request"}
    assert events["push"] == {"branches": ["**"], "tags": ["v*"]}
    assert "github.ref" in workflow["concurrency"]["group"]
    assert all(job["timeout-minutes"] <= 60 for job in JOBS.values())


def test_the_workflow_calls_commands_that_exist():
    called = {m for run in RUNS for m in re.findall(r"\bmake (\S+)", run)}
    assert called == {".venv/.installed", "test", "release"}
    assert called - {".venv/.installed"} <= set(TARGETS)
    assert "STAMP := $(VENV)/.installed" in MAKEFILE and "VENV := .venv" in MAKEFILE
    style = [line for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    for line in "\n".join(RUNS).splitlines():
        if line.startswith(".venv/"):
            assert line in style, "CI and the workflow ask for the same style"


def test_the_workflow_may_do_little():
    assert yaml.safe_load(WORKFLOW.read_text())["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "test": {"contents": "read"},
        "publish": {"pages": "write", "id-token": "write"},
        "release": {"contents": "read"},
        "attach": {"contents": "write"},
    }
    # What may write runs no code of the repository, so a package cannot use it.
    for name in ("publish", "attach"):
        steps = str(JOBS[name]["steps"])
        assert "checkout" not in steps and "make" not in steps and "pip" not in steps
    for step in STEPS:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
    # An expression inside a script could be a command of whoever names a branch.
    assert not [run for run in RUNS if "${{" in run]
    assert "pull_request_target" not in WORKFLOW.read_text()


def test_the_workflow_publishes_main_and_releases_tags():
    main = "github.event_name == 'push' && github.ref == 'refs/heads/main'"
    tag = "github.event_name == 'push' && startsWith(github.ref, 'refs/tags/v')"
    assert JOBS["publish"]["if"] == main and JOBS["publish"]["needs"] == "test"
    assert JOBS["release"]["if"] == tag and JOBS["release"]["needs"] == "test"
    assert JOBS["attach"]["needs"] == "release" and "if" not in JOBS["attach"]
    paths = {step["with"]["path"] for step in STEPS if "upload" in step.get("uses", "")}
    assert paths == {"_build/screenshots", "_build/html", "dist"}


def test_the_actions_are_the_hosts_own_by_full_version():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", each) for each in used)
    versions = {}
    for each in used:
        name, one = each.split("@")
        assert versions.setdefault(name, one) == one, "one version of each"


def test_the_workflow_keeps_what_it_fetches_by_the_locks():
    for name in ("test", "release"):
        withs = [step.get("with", {}) for step in JOBS[name]["steps"]]
        [python] = [each for each in withs if "python-version" in each]
        assert python["python-version"] in PYTHONS
        assert python["cache"] == "pip"
        assert python["cache-dependency-path"] == "requirements.txt"
        [assets] = [each for each in withs if "key" in each]
        [lock] = re.findall(r"hashFiles\('(.+)'\)", assets["key"])
        assert (ROOT / lock).is_file()


# What is given away.


def test_the_wheel_holds_the_whole_package(tmp_path):
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    # The set-up cell of the notebooks installs the wheel by this name.
    assert wheel.name == f"lessons-{lessons.__version__}-py3-none-any.whl"
    held = set(zipfile.ZipFile(wheel).namelist())
    src = ROOT / "src"
    ours = {f.relative_to(src).as_posix() for f in tracked() if src in f.parents}
    assert ours <= held
    assert any(name.startswith("lessons/datasets/") for name in ours)
    assert any(name.endswith("licenses/LICENSE") for name in held)


DATA = sorted((PACKAGE / "datasets").glob("*.*z"))


@pytest.mark.parametrize("file", DATA, ids=[file.name for file in DATA])
def test_each_data_set_has_its_licence_beside_it(file):
    note = file.with_name(f"{file.name}.about").read_text(encoding="utf-8")
    assert re.search("licen[cs]e", note, re.IGNORECASE)


def test_licences():
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    text = (ROOT / "LICENSE-text").read_text()
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in text
    assert PROJECT["license"] == "MIT"


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("file", FORMS, ids=[file.stem for file in FORMS])
def test_issue_forms_ask_for_what_is_needed(file):
    form = yaml.safe_load(file.read_text())
    assert {"name", "description", "body"} <= set(form)
    ids = [part["id"] for part in form["body"]]
    assert "place" in ids and len(set(ids)) == len(ids)
