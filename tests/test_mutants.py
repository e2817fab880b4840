"""The mutation tester: what it sows, what it leaves alone, and what it reports."""

import ast
import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "mutants.py"
sys.path.insert(0, str(TOOL.parent))

import mutant_sites  # noqa: E402

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def found(body):
    """Return (kind, changed text) of the mutants of a public function's body."""
    source = "def f(a, b, n, key):\n" + textwrap.indent(body, "    ")
    return [(m.kind, m.mutated) for m in mutant_sites.find_mutants(source)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a + b", ["return a - b"]),
        ("return a - b", ["return a + b"]),
        ("return a * b", ["return a / b"]),
        ("return a / b", ["return a * b"]),
        ("return a @ b", ["return a * b"]),
        ("return a ** b", ["return a * b"]),
        ("return a // b", ["return a * b"]),
        ("return a % b", ["return a * b"]),
        ("return a & b", ["return a | b"]),
        ("return a < b", ["return a <= b", "return a >= b"]),
        ("return a <= b", ["return a < b", "return a > b"]),
        ("return a > b", ["return a >= b", "return a <= b"]),
        ("return a >= b", ["return a > b", "return a < b"]),
        ("return a == b", ["return a != b"]),
        ("return a != b", ["return a == b"]),
        ("return a is b", ["return a is not b"]),
        ("return a not in b", ["return a in b"]),
        ("return a < b <= n", ["return a <= b <= n", "return a < b < n"]),
        ("return 0", ["return 1"]),
        ("return 1", ["return 0", "return 2"]),
        ("return 7", ["return 8"]),
        ("return 0.5", ["return 1.0", "return -0.5"]),
        ("return 0.0", ["return 1.0"]),
        ("return True", ["return False"]),
        ("return -a", ["return a"]),
        ("return not a", ["return a"]),
        ("return ~a", ["return a"]),
        ("return a and b", ["return a or b"]),
        ("return a.sum(axis=-1)", ["return a.sum(axis=0)", "return a.sum()"]),
        ("return a.sum(axis=0)", ["return a.sum(axis=-1)", "return a.mean(axis=0)"]),
        ("return a[:n]", ["return a[1:n]", "return a[:n - 1]"]),
        ("return a[n:]", ["return a[n + 1:]", "return a[n:-1]"]),
        ("return a[:, b]", ["return a[1:, b]"]),
        ("return a[:-1]", ["return a[1:-1]", "return a[:1]", "return a[:-2]"]),
        ("return range(n)", ["return range(1, n)", "return range(n - 1)"]),
        ("return range(1, n)", ["return range(1, n - 1)", "return range(2, n)"]),
        ("return a.T", ["return a"]),
        ("return dot(a, b)", ["return dot(b, a)"]),
        ("return n.where(key, a, b)", ["return n.where(key, b, a)"]),
        ("return a if key else b", ["return b if key else a"]),
        ("return max(a, b)", ["return min(a, b)"]),
        ("return f(a, key=n)", ["return f(a)"]),
        ("a.append(b)", ["pass"]),
        ("n += b", ["pass", "n -= b"]),
        ("a[b] = n", ["pass"]),
        ("a = f(a)", ["pass"]),
        ("if a:\n    return b", ["if False:", "if True:"]),
        ("if a:\n    raise b", ["if False:"]),
        ("while a:\n    key()", ["while False:", "pass"]),
    ],
)
def test_a_site_has_the_faults_that_are_claimed(body, expected):
    texts = [text for _, text in found(body)]
    assert set(expected) <= set(texts)
    assert len(texts) == len(set(texts))


TWICE_KEY = "lambda *args, **kwargs: 2 * key(*args, **kwargs)"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("def f(a, n=3):", "def f(a, n=4):"),
        ("def f(a, *, n=-1):", "def f(a, *, n=1):"),
        ("def f(a, n=True):", "def f(a, n=False):"),
        ("def f(a, g=key):", f"def f(a, g={TWICE_KEY}):"),
    ],
)
def test_defaults_are_changed(header, expected):
    mutants = mutant_sites.find_mutants(f"{header}\n    return a")
    assert expected in [m.mutated for m in mutants]


@pytest.mark.parametrize(
    "source",
    [
        '"""Add 1 + 1."""\n__all__ = ["a" "b"]\n__version__ = 1',
        "from math import pi\nimport os.path",
        "def f(a: list[1]) -> tuple[2]:\n    '''Return 3.'''\n    b: int[4] = a",
        "def f(a):\n    raise ValueError('expected 1, got ' + str(1 + a))",
        "def f(a):\n    return f'{a + 1}'",
        "def f(a):\n    return 'a' + a",
        "def f(a):\n    return maximum(a, a.b)",
        "def f(a):\n    return isinstance(a, int | float)",
        "def f(a):\n    return dot(a, a)",
        "def f(a, b):\n    return zip(*a, strict=b)",
        "def _helper_that_nothing_calls(a):\n    return a + 1",
        "if TYPE_CHECKING:\n    a = 1",
    ],
)
def test_what_carries_no_fault(source):
    assert mutant_sites.find_mutants(source) == []


def test_private_helpers_and_constants_belong_to_the_public_code_that_reaches_them():
    source = "LIMIT = 3\ndef f(a): return _g(a)\ndef _g(a): return _h(-a)\n"
    source += "def _h(a): return a + a\ndef _unused(a): return -a"
    mutants = mutant_sites.find_mutants(source)
    assert [m.function for m in mutants] == ["<module>", "_g", "_h"]
    assert [m.line for m in mutants] == [1, 3, 4]
    assert mutant_sites.callers(source, "_h") == {"_h", "_g", "f"}
    assert mutant_sites.callers(source, "f") == {"f"}


def test_mutants_that_compile_alike_count_once():
    # The minus dropped and the number negated are both 0.5.
    texts = [text for _, text in found("return a.sum(axis=-0.5)")]
    arguments = ["0.5", "-1.0"]
    expected = {f"return a.sum(axis={axis})" for axis in arguments}
    assert set(texts) == expected | {"return a.sum()", "return a.mean(axis=-0.5)"}
    assert len(texts) == 4


def test_mutate_changes_one_place_and_leaves_the_tree_alone():
    source = "def f(a, b):\n    return a + b\n\ndef g(a, b):\n    return a + b"
    tree = ast.parse(source)
    (first, second) = mutant_sites.find_mutants(source)
    assert ast.unparse(mutant_sites.mutate(tree, second.path, second.replacement)) == (
        source.replace("a + b", "a - b").replace("a - b", "a + b", 1)
    )
    assert (first.line, second.line) == (2, 5)
    assert ast.unparse(tree) == ast.unparse(ast.parse(source))


def test_a_long_statement_is_cut_around_the_change():
    body = f"return ({'a + ' * 30}b) * n"
    (last,) = [text for kind, text in found(body) if " / n" in text]
    assert last == "… + a + a + a + a + a + a + b) / n"


def three_functions():
    body = "    return a + 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8\n"
    return (
        "".join(f"def {name}(a):\n{body}" for name in ("f", "g", "_h")) + "USED = [_h]"
    )


@pytest.mark.parametrize(
    ("count", "shares"),
    [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (8, [3, 3, 2]), (999, [17, 17, 17])],
)
def test_the_sample_is_spread_over_the_functions_public_ones_first(count, shares):
    sample = mutant_sites.draw(
        mutant_sites.find_mutants(three_functions()), count, "seed"
    )
    drawn = Counter(m.function for m in sample)
    assert [drawn[name] for name in ("f", "g", "_h") if drawn[name]] == shares
    assert len({(m.path, m.mutated) for m in sample}) == len(sample)


def test_another_seed_draws_another_sample():
    mutants = mutant_sites.find_mutants(three_functions())
    one, two = (mutant_sites.draw(mutants, 12, seed) for seed in ("0 m", "1 m"))
    assert one == mutant_sites.draw(mutants, 12, "0 m")
    assert one != two


# A small package: `strong` is well tested, `weak` is not, `shared` has no test of its
# own but is used by both, `slow` hangs under most faults, and `shapes.strong` has the
# name of another module.
FILES = {
    "src/lessons/__init__.py": "",
    # The tool must read this before it imports anything, as early does.
    "conftest.py": "import os\nos.environ['EARLY'] = '1'",
    "early/early.py": "import os\nSEEN = os.environ.get('EARLY')",
    "src/lessons/shared.py": "def half(x):\n    return x / 2\n",
    "src/lessons/strong.py": '''
        """Strong."""
        from lessons.shared import half

        def above(x, limit=3):
            """Tell whether half of x lies above a limit.

            >>> above(8)
            True
            """
            return half(x) > limit
        ''',
    "src/lessons/weak.py": '''
        """Weak."""
        import subprocess
        import sys

        def clip(x):
            return 9 if x > 9 else x

        def here():
            return 1

        def elsewhere():
            code = "from lessons import weak; print(weak.here())"
            return subprocess.check_output([sys.executable, "-c", code], text=True)
        ''',
    "src/lessons/slow.py": """
        def wait(n):
            while n > 0.5:
                n -= 1
            return n
        """,
    "src/lessons/shapes/__init__.py": "",
    "src/lessons/shapes/strong.py": """
        def area(a, b):
            return a * b
        """,
    "tests/shapes/test_strong.py": """
        from lessons.shapes import strong

        def test_area():
            assert strong.area(2, 3) == 6
        """,
    "tests/test_strong.py": """
        import early
        import pytest
        from lessons import strong

        @pytest.mark.parametrize("x, answer", [(6, False), (7, True), (4, False)])
        def test_above(x, answer):
            assert strong.above(x) is answer

        def test_limit():
            assert early.SEEN == "1"
            assert strong.above(7, 4) is False
        """,
    "tests/test_weak.py": """
        from lessons import weak

        def test_clip():
            assert weak.clip(20) == 9
            assert weak.clip(5) == 5

        def test_elsewhere():
            assert weak.elsewhere() == "1\\n"
        """,
    "tests/test_slow.py": """
        from lessons import slow

        def test_wait():
            assert slow.wait(2) == 0
            assert slow.wait(1.5) == 0.5
        """,
    "tools/survivors.toml": """
        [[survivor]]
        module = "weak"
        function = "clip"
        original = "return 9 if x > 9 else x"
        mutated = "return 9 if x >= 9 else x"
        reason = "At 9 both branches give 9."

        [[survivor]]
        module = "weak"
        function = "clip"
        original = "return 9 if x > 8 else x"
        mutated = "return 9 if x >= 8 else x"
        reason = "This line is gone."
        """,
}


@pytest.fixture
def project(tmp_path):
    """Write the small package."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
    return tmp_path


def run_tool(project, *args, hash_seed="0"):
    """Run the tool on a project in a fresh process; plugins would only cost time."""
    env = dict(os.environ, PYTHONHASHSEED=hash_seed, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    env["PYTHONPATH"] = str(project / "early")
    command = [sys.executable, str(TOOL), "--root", str(project), *args]
    done = subprocess.run(command, capture_output=True, env=env, encoding="utf-8")
    return done.returncode, done.stdout, done.stderr


def scores(output):
    """Read the table: module -> (mutants, killed, by time, explained, score)."""
    table = output.split("\n\n")[0].splitlines()[1:]
    return {row.split()[0]: tuple(row.split()[1:6]) for row in table}


@needs_fork
def test_a_strong_test_kills_every_fault_and_a_weak_one_does_not(project):
    before = {path: path.read_bytes() for path in project.rglob("*.*")}
    report = project.parent / "report.json"
    modules = ("shared", "strong", "weak")
    args = (*modules, "--sample", "0", "--report", str(report))
    status, output, errors = run_tool(project, *args)
    assert (status, errors) == (1, "")
    table = scores(output)
    # shared has no test file: those of strong, which imports it, must kill.
    assert table["shared"] == ("2", "2", "0", "0", "100%")
    # In strong.py: limit=4, > to >= and <.
    assert table["strong"] == ("3", "3", "0", "0", "100%")
    rows = json.loads(report.read_text("utf-8"))
    left = {row["mutated"] for row in rows if row["status"] == "survived"}
    assert left == {"return 9 if x >= 9 else x", "return 9 if x > 10 else x"}
    weak = [row for row in rows if row["module"] == "weak"]
    assert table["weak"][:2] == (str(len(weak)), str(len(weak) - 2))
    assert table["weak"][3] == "1"
    assert "explained: At 9 both branches give 9." in output
    place = Path("src/lessons/weak.py")
    assert f"{place}:7 clip, constant\n    return 9 if x > 9 else x\n" in output
    assert "fits no mutant: weak: clip: return 9 if x > 8 else x" in output
    # Only the process that the test starts ever calls here().
    here = {row["status"] for row in weak if row["function"] == "here"}
    assert here == {"killed by tests/test_weak.py::test_elsewhere"}
    after = {path: path.read_bytes() for path in project.rglob("*.*")}
    assert {path: after[path] for path in before} == before


@needs_fork
def test_a_fault_that_hangs_is_killed_by_the_time_limit(project):
    args = ("slow", "--sample", "0", "--jobs", "8", "--timeout", "3")
    status, output, _ = run_tool(project, *args)
    mutants, killed, late, *_ = scores(output)["slow"]
    # Without end: n -= 1 removed, n += 1 and n -= 0.
    assert (status, killed, late) == (0, mutants, "3")


@needs_fork
def test_a_module_in_a_folder_has_the_tests_of_that_folder(project):
    report = project.parent / "report.json"
    args = ("shapes.strong", "--sample", "0", "--report", str(report))
    status, output, errors = run_tool(project, *args)
    assert (status, errors) == (0, "")
    assert scores(output) == {"shapes.strong": ("1", "1", "0", "0", "100%")}
    (row,) = json.loads(report.read_text("utf-8"))
    assert row["status"] == "killed by tests/shapes/test_strong.py::test_area"


@needs_fork
def test_all_modules_with_tests_are_taken_and_the_others_are_named(project):
    (project / "src" / "lessons" / "shapes" / "alone.py").write_text("A = 1", "utf-8")
    status, output, errors = run_tool(project, "--list", "--sample", "1")
    assert status == 0
    assert errors == "no tests by name, so no score: shapes.alone\n"
    places = ["shapes/strong", "shared", "slow", "strong", "weak"]
    found = [line.split(":")[0] for line in output.splitlines() if line[:3] == "src"]
    assert found == [f"src/lessons/{place}.py" for place in places]


@needs_fork
def test_the_same_seed_gives_the_same_list_in_every_process(project):
    args = ("strong", "weak", "--list", "--sample", "3")
    one = run_tool(project, *args, hash_seed="1")
    assert one == run_tool(project, *args, hash_seed="2")
    assert one[0] == 0
    assert one[1].count("  → ") == 6
    assert one != run_tool(project, *args, "--seed", "1")


@needs_fork
@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("def test(): assert False", "strong: the tests fail as they stand, without"),
        (
            "seen = []\ndef test_a(): seen.append(1)\ndef test_b(): assert seen",
            "strong: the tests fail in reverse order, without",
        ),
    ],
)
def test_tests_that_fail_without_a_fault_stop_the_run(project, test, message):
    (project / "tests" / "test_strong.py").write_text(test, "utf-8")
    status, output, errors = run_tool(project, "strong", "--timeout", "20")
    assert status == 2
    assert message in errors
    assert output.splitlines()[1:] == []


@needs_fork
def test_a_run_that_did_not_see_the_fault_is_no_survivor(project):
    drop = "import sys; del sys.meta_path[0]"
    (project / "tests" / "conftest.py").write_text(drop, "utf-8")
    status, _, errors = run_tool(project, "strong")
    assert (status, errors) == (2, "strong: the tests ran without the fault\n")


@needs_fork
@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("absent", "no such module in"),
        ("alone", "no tests/test_MODULE.py, nor one above: alone"),
    ],
)
def test_a_module_without_file_or_test_is_named(project, module, message):
    (project / "src" / "lessons" / "alone.py").write_text("A = 1", "utf-8")
    status, _, errors = run_tool(project, module)
    assert status == 2
    assert message in errors
