"""Sow faults in the package, one at a time, and see whether its unit tests notice.

    python tools/mutants.py [MODULE ...] [--sample 30] [--seed 0] [--jobs 2]

A seeded sample of faults is drawn from each module of `src/lessons`, those of its
folders included: `widgets.look` is `widgets/look.py` (`mutant_sites.py` says which
faults exist). For each one a forked process, in which jax is already imported,
compiles the changed source in memory, takes it for the module, and runs the module's
doctests and tests: `tests/test_MODULE.py` and `tests/test_MODULE_*.py` (for
`widgets.look` in `tests/widgets`), or, where there are none, those of the modules that
import it. Processes the tests start see the same change. No file on disk is touched.

A mutant is killed by a failing test, a crash, or the time limit: so many seconds of
processor time, which a busy machine does not use up, or 4 times as many in all. The
exit status is 0 if every module scores 90 % or more, 1 if one does not, and 2 if the
tests already fail without a fault. `tools/survivors.toml` gives reasons for survivors
that change nothing a test could see; they are named as explained and still count.
"""

import argparse
import ast
import contextlib
import functools
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import marshal
import math
import os
import pathlib
import re
import runpy
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import types
import warnings
from collections.abc import Iterator
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import mutant_sites  # noqa: E402
from mutant_sites import Mutant  # noqa: E402

THRESHOLD = 0.9
NOT_LOADED = 71
LATE = "killed by the time limit"
WALL = 4
SITECUSTOMIZE = """
import marshal, pathlib, sys
sys.path.insert(0, {here!r})
import mutants
sys.path.remove({here!r})
here = pathlib.Path(__file__).parent
mutants.install({name!r}, {path!r}, marshal.loads((here / "code").read_bytes()))
"""


class Stop(Exception):
    """What makes a score impossible; the tool says so and exits with 2."""


class Project(NamedTuple):
    """Where the package and its tests lie, and the sources as they were read."""

    root: pathlib.Path
    texts: dict[str, str]
    package: str = "lessons"

    @property
    def sources(self) -> pathlib.Path:
        """Return the folder of the package."""
        return self.root / "src" / self.package

    def path(self, module: str) -> pathlib.Path:
        """Return a module's file."""
        return self.sources / f"{module.replace('.', '/')}.py"

    def source(self, module: str) -> str:
        """Return a module's text as it first was, should the file change meanwhile."""
        if module not in self.texts:
            self.texts[module] = self.path(module).read_text("utf-8")
        return self.texts[module]

    def modules(self) -> list[str]:
        """Return the names of all modules but `__init__` and `__main__`."""
        files = (path.relative_to(self.sources) for path in self.sources.rglob("*.py"))
        own = (path.with_suffix("") for path in files if not path.stem.startswith("__"))
        return sorted(".".join(path.parts) for path in own)

    def importers(self, module: str) -> list[str]:
        """Return the modules that import this one."""
        full = f"{self.package}.{module}"
        found = [m for m in self.modules() if full in _imports(self.path(m))]
        return [m for m in found if m != module]

    def tests(self, module: str, seen: frozenset[str] = frozenset()) -> list[str]:
        """Return a module's test files, or else those of its importers."""
        *folder, name = module.split(".")
        word = name.lstrip("_")
        stems = [self.path(m).stem for m in self.modules()]
        longer = [stem for stem in stems if stem.startswith(f"{word}_")]
        named = [
            path
            for pattern in (f"test_{word}.py", f"test_{word}_*.py")
            for path in sorted(self.root.joinpath("tests", *folder).glob(pattern))
            if not any(path.stem.startswith(f"test_{stem}") for stem in longer)
        ]
        if named:
            return [str(path) for path in named]
        seen |= {module}
        above = [m for m in self.importers(module) if m not in seen]
        return sorted({path for m in above for path in self.tests(m, seen)})


class Job(NamedTuple):
    """One run of a module's tests: which, where, and with which fault."""

    module: str
    targets: list[str]
    work: pathlib.Path
    limit: float
    mutant: Mutant | None = None
    first: frozenset[str] = frozenset()
    backwards: bool = False


class Outcome(NamedTuple):
    """What came of a job, and the seconds of processor time it took."""

    job: Job
    status: str
    seconds: float

    @property
    def killed(self) -> bool:
        """Tell whether anything noticed the fault."""
        return self.status != "survived"


def _imports(path: pathlib.Path) -> set[str]:
    """Return the full names a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names |= {node.module}
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def warm(project: Project, files: list[pathlib.Path]) -> None:
    """Import what pytest and the files need, the package and test helpers excepted.

    Only imports happen here: a process whose XLA threads run must not be forked.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("MPLBACKEND", "Agg")
    # Libraries read the environment when first imported, so conftest.py comes first.
    if (project.root / "conftest.py").exists():
        runpy.run_path(str(project.root / "conftest.py"))
    helpers = {path.stem for path in (project.root / "tests").glob("*")}
    local = helpers | {project.package, "tests", "conftest"}
    wanted = set().union({"pytest", "hypothesis"}, *(_imports(path) for path in files))
    for name in sorted(wanted):
        if name.split(".")[0] not in local:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    if not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        for plugin in importlib.metadata.entry_points(group="pytest11"):
            plugin.load()
    if project.package in sys.modules:
        raise Stop(f"{project.package} was imported before the fork")


class _Loader(importlib.machinery.SourceFileLoader):
    """Give the module of a file, but with other code."""

    def __init__(self, name: str, path: str, code: types.CodeType) -> None:
        super().__init__(name, path)
        self.code = code

    def get_code(self, fullname: str) -> types.CodeType:
        return self.code


class _Finder:
    """Find one module, before any other finder does."""

    def __init__(self, name: str, path: str, code: types.CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            loader = _Loader(name, self.path, self.code)
            return importlib.util.spec_from_file_location(name, loader=loader)
        return None


def install(name: str, path: str, code: types.CodeType) -> None:
    """Make `import name` run this code."""
    if name in sys.modules:
        raise RuntimeError(f"{name} is already imported")
    sys.meta_path.insert(0, _Finder(name, path, code))


class _Plugin:
    """Run the tests nearest to the fault first, and write down which one failed."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def distance(self, item) -> int:
        """Rank a test: 0 names the function, 1 uses it, 2 does neither."""
        words = "|".join(map(re.escape, sorted(self.job.first)))
        if not words or re.search(
            rf"(?<![a-zA-Z0-9])({words})(?![a-zA-Z0-9])", item.nodeid
        ):
            return 0
        code = getattr(getattr(item, "function", None), "__code__", None)
        return 1 if code and self.job.first & set(code.co_names) else 2

    def pytest_collection_modifyitems(self, items):
        if self.job.backwards:
            items.reverse()
        elif self.job.first:
            items.sort(key=self.distance)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            (self.job.work / "failed").write_text(report.nodeid, "utf-8")


def _prepare(project: Project, job: Job) -> None:
    """Give a forked process its own home, output and limits, and the fault."""
    import resource

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 3
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    seconds = math.ceil(job.limit)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    output = os.open(job.work / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(project.root)
    source = str(project.sources.parent)
    sys.path.insert(0, source)
    path = [source, os.environ.get("PYTHONPATH", "")]
    if job.mutant:
        file = project.path(job.module)
        name = f"{project.package}.{job.module}"
        tree = ast.parse(project.source(job.module))
        tree = mutant_sites.mutate(tree, job.mutant.path, job.mutant.replacement)
        code = compile(tree, str(file), "exec", dont_inherit=True)
        install(name, str(file), code)
        (job.work / "code").write_bytes(marshal.dumps(code))
        text = SITECUSTOMIZE.format(here=str(HERE), name=name, path=str(file))
        (job.work / "sitecustomize.py").write_text(text, "utf-8")
        path.insert(0, str(job.work))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = str(job.work)


def _settle_libraries(cache: pathlib.Path) -> None:
    """Share compiled programs between the runs, and draw the same examples in each."""
    if "jax" in sys.modules:
        import jax

        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if "hypothesis" in sys.modules:
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        options = {"database": None, "derandomize": True, "deadline": None}
        settings.register_profile("mutants", phases=phases, **options)
        settings.load_profile("mutants")


def _child(project: Project, job: Job) -> None:
    """Run the tests in a forked process; never returns."""
    status = 70
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        _prepare(project, job)
        _settle_libraries(job.work.parent / "xla")
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "--doctest-modules"]
        options += ["--override-ini=addopts=", f"--rootdir={project.root}"]
        # Without this pytest would load the module itself, to rewrite its asserts.
        options += ["--assert=plain"]
        options += [f"--basetemp={job.work / 'tmp'}"]
        status = pytest.main([*options, *job.targets], plugins=[_Plugin(job)])
        if status == 0 and job.mutant and not _was_loaded(project, job):
            status = NOT_LOADED
        sys.stdout.flush()
    finally:
        os._exit(int(status))


def _was_loaded(project: Project, job: Job) -> bool:
    """Tell whether the tests imported the changed module, and not another."""
    module = sys.modules.get(f"{project.package}.{job.module}")
    return isinstance(getattr(module, "__loader__", None), _Loader)


def _start(project: Project, job: Job) -> int:
    job.work.mkdir(parents=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        _child(project, job)
    return pid


def _end(pid: int) -> None:
    """Kill what is left of a process and of those it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _status(job: Job, code: int) -> str:
    """Say in words how a run ended; `code` is the exit code or minus the signal."""
    if code == 0:
        return "survived"
    if code == NOT_LOADED:
        raise Stop(f"{job.module}: the tests ran without the fault")
    if code == -signal.SIGXCPU:
        return LATE
    if code < 0:
        return f"crashed with signal {-code}"
    failed = job.work / "failed"
    return f"killed by {failed.read_text('utf-8')}" if failed.exists() else "no import"


class _Child:
    """A running job and the time it has had; time in which all stood still is none."""

    def __init__(self, project: Project, job: Job) -> None:
        self.job, self.seconds = job, 0.0
        self.pid = _start(project, job)
        self.seen = time.monotonic()

    def poll(self) -> Outcome | None:
        """Return what came of the job, or None while it runs within its limits."""
        now = time.monotonic()
        self.seconds += min(now - self.seen, 1.0)
        self.seen = now
        done, state, usage = os.wait4(self.pid, os.WNOHANG)
        if done:
            _end(self.pid)
            self.pid = 0
            status = _status(self.job, os.waitstatus_to_exitcode(state))
            return Outcome(self.job, status, usage.ru_utime + usage.ru_stime)
        if self.seconds < WALL * self.job.limit:
            return None
        self.stop()
        return Outcome(self.job, LATE, self.seconds)

    def stop(self) -> None:
        """End the process, unless it has ended, and wait until it is gone."""
        if not self.pid:
            return
        _end(self.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def run(project: Project, jobs: list[Job], width: int) -> Iterator[Outcome]:
    """Run jobs in forked processes, `width` at a time, and yield what came of them."""
    waiting = list(jobs)[::-1]
    running: list[_Child] = []
    try:
        while waiting or running:
            while waiting and len(running) < width:
                running.append(_Child(project, waiting.pop()))
            time.sleep(0.02)
            for child in list(running):
                outcome = child.poll()
                if outcome:
                    running.remove(child)
                    yield outcome
    finally:
        for child in running:
            child.stop()


def check_clean(project: Project, job: Job) -> float:
    """Run the unchanged tests forwards and backwards; return the longer time.

    The second run shows that the tests need neither their order nor a cold cache.
    """
    longest = 0.0
    for backwards in (False, True):
        twin = job._replace(backwards=backwards, work=job.work / str(backwards))
        (outcome,) = run(project, [twin], 1)
        if outcome.killed:
            text = (twin.work / "output").read_text("utf-8", "replace")
            order = "in reverse order" if backwards else "as they stand"
            print(text[-4000:], file=sys.stderr)
            message = f"{job.module}: the tests fail {order}, without any fault"
            raise Stop(f"{message} ({outcome.status})")
        longest = max(longest, outcome.seconds)
    return longest


def sow(
    project: Project, module: str, sample: list[Mutant], args, work: pathlib.Path
) -> list[Outcome]:
    """Run a module's tests once for each mutant of the sample."""
    targets = [str(project.path(module)), *project.tests(module)]
    clean = Job(module, targets, work / f"{module}-clean", args.timeout or 1800)
    limit = 5 * check_clean(project, clean) + 15
    jobs = []
    for i, mutant in enumerate(sample):
        first = mutant_sites.callers(project.source(module), mutant.function)
        job = Job(module, targets, work / f"{module}-{i}", args.timeout or limit)
        jobs.append(job._replace(mutant=mutant, first=frozenset(first)))
    outcomes = []
    for outcome in run(project, jobs, args.jobs):
        outcomes.append(outcome)
        shutil.rmtree(outcome.job.work, ignore_errors=True)
        if sys.stderr.isatty():
            print(f"\r{module} {len(outcomes)}/{len(jobs)} ", end="", file=sys.stderr)
    return sorted(outcomes, key=lambda outcome: jobs.index(outcome.job))


@functools.cache
def explanations(path: pathlib.Path) -> tuple[dict, ...]:
    """Read the list of explained survivors; no file is an empty list."""
    if not path.exists():
        return ()
    return tuple(tomllib.loads(path.read_text("utf-8")).get("survivor", []))


def _matches(entry: dict, module: str, mutant: Mutant) -> bool:
    keys = ("module", "function", "original", "mutated")
    ours = (module, mutant.function, mutant.original, mutant.mutated)
    return tuple(entry.get(key) for key in keys) == ours


def reason(project: Project, module: str, mutant: Mutant) -> str | None:
    """Return why a survivor is accepted, if `tools/survivors.toml` says so."""
    for entry in explanations(project.root / "tools" / "survivors.toml"):
        if _matches(entry, module, mutant):
            return entry["reason"]
    return None


def stale(project: Project, module: str) -> list[str]:
    """Name the explanations of a module that fit none of its mutants."""
    mutants = mutant_sites.find_mutants(project.source(module))
    entries = explanations(project.root / "tools" / "survivors.toml")
    mine = [entry for entry in entries if entry.get("module") == module]
    return [
        f"{entry['function']}: {entry['original']} → {entry['mutated']}"
        for entry in mine
        if not any(_matches(entry, module, mutant) for mutant in mutants)
    ]


def write_row(project: Project, module: str, outcomes: list[Outcome]) -> bool:
    """Print a module's line of the table; tell whether its score is high enough."""
    left = [outcome for outcome in outcomes if not outcome.killed]
    killed = len(outcomes) - len(left)
    late = sum(outcome.status == LATE for outcome in outcomes)
    known = sum(bool(reason(project, module, o.job.mutant)) for o in left)
    score = killed / len(outcomes) if outcomes else 1.0
    seconds = sum(outcome.seconds for outcome in outcomes)
    counts = f"{len(outcomes):>7}{killed:>8}{late:>9}{known:>11}"
    print(f"{module:<22}{counts}{score:>7.0%}{seconds:>9.0f}", flush=True)
    return score >= THRESHOLD


def write_survivors(project: Project, results: dict[str, list[Outcome]]) -> None:
    """Print every survivor, and every explanation that has lost its mutant."""
    for module, outcomes in results.items():
        for outcome in outcomes:
            if not outcome.killed:
                print(describe(project, module, outcome.job.mutant))
    for module in results:
        for line in stale(project, module):
            print(f"\nsurvivors.toml, fits no mutant: {module}: {line}")


def describe(project: Project, module: str, mutant: Mutant) -> str:
    """Write a mutant in two or three lines."""
    place = project.path(module).relative_to(project.root)
    why = reason(project, module, mutant)
    return (
        f"\n{place}:{mutant.line} {mutant.function}, {mutant.kind}"
        f"\n    {mutant.original}\n  → {mutant.mutated}"
        + (f"\n    explained: {why}" if why else "")
    )


def write_report(path: pathlib.Path, results: dict[str, list[Outcome]]) -> None:
    """Write every mutant and what became of it as JSON."""
    rows = [
        {
            "module": module,
            "function": outcome.job.mutant.function,
            "line": outcome.job.mutant.line,
            "kind": outcome.job.mutant.kind,
            "original": outcome.job.mutant.original,
            "mutated": outcome.job.mutant.mutated,
            "status": outcome.status,
            "seconds": round(outcome.seconds, 1),
        }
        for module, outcomes in results.items()
        for outcome in outcomes
    ]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("modules", nargs="*", help="names in src/lessons; all with tests by default")
    add("--sample", type=int, default=30, help="mutants a module; 0 takes all")
    add("--seed", type=int, default=0)
    add("--jobs", type=int, default=2, help="processes at a time")
    add(
        "--timeout",
        type=float,
        help="processor seconds a mutant; default 15 + 5 clean runs",
    )
    add("--list", action="store_true", help="print the sample and run nothing")
    add("--report", type=pathlib.Path, help="write every mutant's fate here, as JSON")
    add("--root", type=pathlib.Path, default=HERE.parent, help="the repository")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Draw the samples, run the tests, print the table; return the exit status."""
    args = _arguments(argv)
    # Ended from outside, the tool still ends the processes it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _main(args)
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 2


def _main(args: argparse.Namespace) -> int:
    if not hasattr(os, "fork"):
        raise Stop("mutants.py needs fork: run it on Linux or macOS")
    project = Project(args.root.resolve(), {})
    modules = args.modules or _tested(project)
    unknown = sorted(set(modules) - set(project.modules()))
    if unknown:
        raise Stop(f"no such module in {project.sources}: {', '.join(unknown)}")
    samples = {module: _sample(project, module, args) for module in modules}
    if args.list:
        for module, sample in samples.items():
            for mutant in sample:
                print(describe(project, module, mutant))
        return 0
    results: dict[str, list[Outcome]] = {}
    try:
        passed = _sow_all(project, samples, args, results)
    finally:
        write_survivors(project, results)
        if args.report:
            write_report(args.report, results)
    return 0 if passed else 1


def _tested(project: Project) -> list[str]:
    """Return the modules that have tests, and name those that have none."""
    modules = project.modules()
    tested = [module for module in modules if project.tests(module)]
    untested = ", ".join(sorted(set(modules) - set(tested)))
    if untested:
        print(f"no tests by name, so no score: {untested}", file=sys.stderr)
    return tested


def _sample(project: Project, module: str, args) -> list[Mutant]:
    mutants = mutant_sites.find_mutants(project.source(module))
    return mutant_sites.draw(
        mutants, args.sample or len(mutants), f"{args.seed} {module}"
    )


def _sow_all(project: Project, samples: dict, args, results: dict) -> bool:
    """Warm up once, then go through the modules in a folder that is removed."""
    untested = [module for module in samples if not project.tests(module)]
    if untested:
        raise Stop(f"no tests/test_MODULE.py, nor one above: {', '.join(untested)}")
    tests = {pathlib.Path(path) for module in samples for path in project.tests(module)}
    warm(project, [*(project.path(m) for m in project.modules()), *sorted(tests)])
    print(f"{'module':<22}mutants  killed  by time  explained  score  seconds")
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for module, sample in samples.items():
            results[module] = sow(project, module, sample, args, work)
            passed &= write_row(project, module, results[module])
            shutil.rmtree(work / "xla", ignore_errors=True)
    return passed


if __name__ == "__main__":
    sys.exit(main())
