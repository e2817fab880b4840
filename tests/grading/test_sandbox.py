"""What hostile and unlucky code does in the sandbox: nothing to anybody else."""

import json
import os
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import SOURCES, solved

from lessons.exercises.plain import AnswerError
from lessons.grading import pipe, walls
from lessons.grading.marking import mark_notebook
from lessons.grading.sandbox import Sandbox
from lessons.grading.walls import Limits, NoSandbox

pytestmark = pytest.mark.usefixtures("boxed")
QUICK = Limits(run=6, call=6, cpu=20, memory=3_000_000_000)
ANSWER = "def relu(x):\n    return jnp.maximum(x, 0)\n\n\n"
ANSWER += "def relu_slope(x):\n    return jnp.where(x > 0, 1.0, 0.0)\n"
WRONG = "def relu(x):\n    return -x\n\n\ndef relu_slope(x):\n    return x\n"

HARMLESS = {
    "a warning": """
import sys, warnings
warnings.warn("odd")
print("odd", file=sys.stderr)
""",
    "50 MB printed": "print('x' * 50_000_000)",
    "all files deleted": """
import os, shutil
for top in ("/course", "/etc", "/home", "/tmp", "/dev/shm"):
    shutil.rmtree(top, ignore_errors=True)
""",
    "a process left behind": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(0.1)
    os._exit(0)
""",
    "a thread that acts later": """
import threading, time, os
def later():
    time.sleep(1)
    for fd in range(3, 64):
        try:
            os.write(fd, b'{"id": 1, "value": {"number": 1}}\\n')
        except OSError:
            pass
# It acts after the calls, in the time of the next exercise.
if os.fork() == 0:
    later()
    os._exit(0)
""",
    "the network": """
import socket
try:
    socket.create_connection(("127.0.0.1", 80), timeout=1)
except OSError:
    pass
""",
    "a comparison with the library": "print(jax.nn.relu(jnp.ones(3)))",
    "a magic": "%timeit 1 + 1\n!ls\n?print",
}

LOST = {
    "an endless loop": "while True:\n    pass\n",
    "a loop that ignores signals": """
import signal
for n in range(1, 32):
    try:
        signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
    "a loop in the call": """
def relu(x):
    while True:
        pass
relu_slope = relu
""",
    "6 GB": "big = bytearray(6 << 30)\n" + ANSWER,
    "a crash": "import os\nos.abort()\n" + ANSWER,
    "a segmentation fault": "import ctypes\nctypes.string_at(0)\n" + ANSWER,
    "an exit": "raise SystemExit\n" + ANSWER,
    "an exit without a word": "import os\nos._exit(0)\n" + ANSWER,
    "the parent killed": "import os\nos.kill(os.getppid(), 9)\n" + ANSWER,
    "everything killed": "import os\nos.kill(-1, 9)\n" + ANSWER,
    "a syntax error": "def relu(x:\n    return x",
    "an endless reply": """
import os
while True:
    for fd in range(3, 20):
        try:
            os.write(fd, b"x" * 65536)
        except OSError:
            pass
""",
    "deep recursion": """
import sys
sys.setrecursionlimit(10**9)
def f(n):
    return f(n + 1)
f(0)
""",
    "an error that cannot be written": """
class Odd(Exception):
    def __str__(self):
        raise self
raise Odd
""",
}

NO_POINT = {
    "numpy patched": "import numpy\nnumpy.allclose = lambda *a, **k: True\n" + WRONG,
    "the checker patched": """
import lessons.exercises.base as base, lessons.exercises.plain as plain
base.close = plain.close = lambda *a, **k: True
base.Trial.equal = lambda *a, **k: True
"""
    + WRONG,
    "the words of success": "print('01.relu: all 4 checks passed.')\n" + WRONG,
    "the checker's protocol": """
import os, json
reply = json.dumps({"id": 2, "value": {"number": 1}}).encode() + b"\\n"
closed = json.dumps({"closed": 1}).encode() + b"\\n"
for fd in range(3, 64):
    try:
        os.write(fd, reply * 5 + closed)
    except OSError:
        pass
"""
    + WRONG,
    "no check at all": "import sys\nsys.modules.clear()\n" + WRONG,
    "NaN": "def relu(x):\n    return x * jnp.nan\nrelu_slope = relu",
    "an object that equals all": """
class All:
    shape, dtype = (3, 4), "f4"
    def __eq__(self, other): return True
    def __array__(self, *a, **k): return np.zeros((3, 4))
def relu(x): return All()
relu_slope = relu
""",
    "an array of objects": """
def relu(x): return np.array([None] * 3)
relu_slope = relu
""",
    "a pickle": """
import pickle, os
class Bad:
    def __reduce__(self): return os._exit, (0,)
def relu(x): return pickle.dumps(Bad())
relu_slope = relu
""",
    "a huge array": "def relu(x): return np.zeros(10**8, 'f4')\nrelu_slope = relu",
    "a nest without end": """
def relu(x):
    a = []
    a.append(a)
    return a
relu_slope = relu
""",
    "the finished function in disguise": """
def relu(x): return getattr(jax.nn, "re" + "lu")(x)
def relu_slope(x): return jnp.where(x > 0, 1.0, 0.0)
""",
    "the finished function by another name": """
from jax.nn import relu as mine
def relu(x): return mine(x)
def relu_slope(x): return jnp.where(x > 0, 1.0, 0.0)
""",
    "the finished function in a list": """
kept = [jax.nn.relu]
def relu(x): return kept[0](x)
def relu_slope(x): return jnp.where(x > 0, 1.0, 0.0)
""",
    "the library's insides by path": """
def relu(x): return jax._src.nn.functions.relu(x)
def relu_slope(x): return jnp.where(x > 0, 1.0, 0.0)
""",
    "the library's insides": """
from jax._src.nn.functions import relu
def relu_slope(x): return jnp.where(x > 0, 1.0, 0.0)
""",
}


def marks(code, checks, cache, limits=QUICK):
    """Return what both exercises earn when one answer is attacked."""
    notebook = solved(relu=code)
    found = mark_notebook(notebook, checks, (1, 0), limits=limits, cache=cache)
    return {each.id[3:]: each.right for each in found}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_no_harm_costs_nothing(name, checks, cache):
    code = f"{HARMLESS[name]}\n{ANSWER}"
    assert marks(code, checks, cache) == {"relu": True, "clinic": True}


@pytest.mark.parametrize("name", LOST)
def test_what_ends_an_answer_ends_only_this_one(name, checks, cache):
    assert marks(LOST[name], checks, cache) == {"relu": False, "clinic": True}


@pytest.mark.parametrize("name", NO_POINT)
def test_what_cheats_gains_no_point(name, checks, cache):
    assert marks(NO_POINT[name], checks, cache) == {"relu": False, "clinic": True}


def test_a_fork_bomb_is_stopped(checks, cache):
    bomb = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
    began = time.monotonic()
    assert marks(bomb, checks, cache) == {"relu": False, "clinic": True}
    assert time.monotonic() - began < 60
    assert not left_behind()


def test_nothing_is_left_behind(checks, cache):
    marks(HARMLESS["a process left behind"] + ANSWER, checks, cache)
    assert not left_behind()


def left_behind():
    """Return this test's workers that still live, after a moment to end."""
    owner = f'"owner": {os.getpid()},'.encode()
    for _ in range(50):
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if b"lessons.grading.worker" in words and owner in words:
                found.append(folder.name)
        if not found:
            return []
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def box(boxed):
    """One sandbox for questions about the view from inside."""
    with Sandbox([], QUICK) as made:
        yield made


ASLEEP = """
import json, os, time
def relu(x):
    for fd in range(3, 32):
        try:
            os.write(fd, LINES)
        except OSError:
            pass
    time.sleep(20)
"""


def sleeper(*lines):
    """Return an answer that writes lines of its own and falls asleep."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    return ASLEEP.replace("LINES", repr(text.encode()))


def test_a_program_that_listens_no_more_holds_nobody_up(boxed):
    """It answers for itself and falls asleep; the next question is a large one."""
    code = sleeper({"id": 3, "value": {"number": 1}})
    began = time.monotonic()
    with Sandbox([], QUICK._replace(call=3)) as box:
        box.open()
        box.run([], [code], ())
        assert box.call("relu", (np.zeros(1),)) == 1
        with pytest.raises(AnswerError, match="does not listen"):
            box.call("relu", (np.zeros(1_000_000),))
        assert not box.alive()
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("lines", "sizes"),
    [([], [1]), ([{"id": 3, "value": {"number": 1}}], [1, 1_000_000])],
    ids=["emptied", "filled"],
)
def test_a_pipe_that_only_seems_ready_holds_nobody_up(boxed, monkeypatch, lines, sizes):
    """Code inside can empty and fill the pipes after `select` has looked."""
    with Sandbox([], QUICK._replace(call=3)) as box:
        box.open()
        box.run([], [sleeper(*lines)], ())
        monkeypatch.setattr(pipe.select, "select", lambda *lists: lists[:3])
        with pytest.raises(AnswerError, match=r"does not listen|no answer within"):
            for size in sizes:
                box.call("relu", (np.zeros(size),))


FORGED = {
    "the end": [],
    "the end and more": [{"more": 1}],
    "the end and a beginning": [{"opened": 4}],
    "the end and the next answer": [
        {"opened": 4},
        {"id": 5, "value": {"text": None}},
        {"id": 6, "value": {"number": 2}},
    ],
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_end_costs_the_next_exercise_nothing(boxed, name):
    lines = [{"id": 3, "value": {"number": 1}}, {"closed": 1}, *FORGED[name]]
    with Sandbox([], QUICK) as box:
        box.open()
        box.run([], [sleeper(*lines)], ())
        assert box.call("relu", (np.zeros(1),)) == 1
        box.close()
        assert inside(box, "found = 1") == 1


@pytest.mark.parametrize(
    "reply",
    [
        {"value": {"array": "", "dtype": "(1f4,f4", "shape": []}},
        {"error": "odd", "hint": []},
        {"value": {"list": [{"list": 1}]}},
        {},
    ],
)
def test_a_forged_reply_ends_this_answer_alone(boxed, reply):
    with Sandbox([], QUICK) as box:
        box.open()
        box.run([], [sleeper({"id": 3, **reply})], ())
        with pytest.raises(AnswerError, match="no answer"):
            box.call("relu", (np.zeros(1),))
        assert inside(box, "found = 1") == 1


def test_an_honest_exercise_leaves_the_sandbox_to_the_next(box):
    inside(box, "found = 1")
    before = box.process.pid
    inside(box, "found = 1")
    assert box.process.pid == before


def test_a_fork_bomb_does_not_take_the_next_sandbox_processes(boxed):
    bomb = """
import os
found = 0
try:
    while True:
        os.posix_spawn("/usr/bin/sleep", ["sleep", "600"], {})
        found += 1
except OSError:
    pass
"""
    one = "import os\nfound = os.fork()\nif not found:\n    os._exit(0)\n"
    with Sandbox([], QUICK) as first, Sandbox([], QUICK) as second:
        first.open()
        first.run([], [bomb], ())
        assert first.value("found") > 10
        assert inside(second, one) > 0


def test_a_trusted_run_leaves_no_process_and_no_folder():
    with Sandbox([], QUICK._replace(call=2), trust=True) as box:
        box.open()
        loop = "import os\nplace = os.getcwd()\ndef relu(x):\n    while True: pass\n"
        box.run([], [loop], ())
        place, processes = Path(box.value("place")), walls.family(box.process.pid)
        assert place.is_dir() and len(processes) == 2
        with pytest.raises(AnswerError, match="no answer within"):
            box.call("relu", (np.zeros(1),))
        time.sleep(0.5)
        assert [pid for pid in processes if working(pid)] == []
    assert not place.exists()


def working(pid):
    """Return whether a process still runs; one that has ended has no words."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def inside(box, code, name="found"):
    """Run code in the sandbox and return one of its values."""
    box.open()
    try:
        box.run([], [code], ())
        return box.value(name)
    finally:
        box.close()


def test_no_hidden_check_and_no_course_is_there_to_read(box, released):
    places = [str(released.root), str(SOURCES), str(SOURCES.parent)]
    code = f"""
import os
found = []
for top, folders, names in os.walk("/"):
    library = {{"proc", "usr", "dev", "site-packages"}}
    folders[:] = [name for name in folders if name not in library]
    for name in names:
        secret = name == "gradebook.db" or name.startswith("ch") and "hidden" in top
        if secret or name.endswith(".toml") and "answers" in top:
            found.append(os.path.join(top, name))
found += [p for p in {places!r} if os.path.exists(p)]
"""
    assert inside(box, code) == []


def test_the_course_stays_hidden_where_it_lies_beside_the_interpreter(boxed, tmp_path):
    place = Path(walls.interpreter()[-1]) / "a-course-of-a-test"
    parts = walls.command({}, QUICK, hide=(place,))
    spot = [i for i, p in enumerate(parts) if p == "--tmpfs"]
    assert str(place) in [parts[i + 1] for i in spot]


def test_an_interpreter_below_the_temporary_folder_is_not_covered(boxed):
    parts = walls.command({}, QUICK)
    empty = [
        i for i in range(len(parts) - 1) if parts[i : i + 2] == ["--tmpfs", "/tmp"]
    ]
    shown = [parts.index(path) for path in walls.interpreter() if path in parts]
    assert len(empty) == 1
    assert shown and empty[0] < min(shown)


def test_nothing_but_the_temporary_folder_can_be_written(box):
    code = """
import os
found = []
for top in ("/", "/usr", "/course", "/course/lessons", "/etc", "/dev", "/proc", "/sys"):
    try:
        open(os.path.join(top, "x"), "w")
        found.append(top)
    except OSError:
        pass
"""
    assert inside(box, code) == []


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_a_folder_has_an_end(box, folder):
    code = f"""
found = 0
try:
    for n in range(100):
        with open({folder!r} + "/" + str(n), "wb") as file:
            file.write(bytes(10_000_000))
        found += 10_000_000
except OSError:
    pass
"""
    assert inside(box, code) <= QUICK.folder


def test_one_file_has_an_end(box):
    code = """
found = 0
try:
    with open("/tmp/big", "wb", buffering=0) as file:
        while True:
            found += file.write(bytes(1_000_000))
except OSError:
    pass
"""
    assert inside(box, code) <= QUICK.file


def test_many_processes_together_hold_no_more_memory_than_one(boxed):
    code = """
import os, time
for n in range(40):
    if os.fork() == 0:
        held = b"x" * 300_000_000
        time.sleep(60)
time.sleep(60)
"""
    with Sandbox([], QUICK._replace(memory=2_000_000_000, run=30)) as box:
        box.open()
        with pytest.raises(AnswerError, match="ended"):
            box.run([], [code], ())


def test_no_network_and_no_socket_of_the_machine(box):
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0a-socket-of-a-test")
    server.listen()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    code = f"""
import socket
found = []
for family, place in (
    (socket.AF_UNIX, "\\0a-socket-of-a-test"),
    (socket.AF_INET, ("127.0.0.1", {port})),
    (socket.AF_INET, ("192.0.2.1", 80)),
):
    try:
        s = socket.socket(family)
        s.settimeout(2)
        s.connect(place)
        found.append(str(place))
    except OSError:
        pass
"""
    assert inside(box, code) == []
    server.close()
    listening.close()


def test_no_rights_no_secrets_and_no_other_process(box):
    os.environ["A_SECRET_OF_A_TEST"] = "1"
    code = """
import os
found = {"uid": os.getuid(), "secret": int("A_SECRET_OF_A_TEST" in os.environ)}
found["processes"] = len([p for p in os.listdir("/proc") if p.isdigit()])
with open("/proc/self/status") as file:
    found["rights"] = [x.split()[1] for x in file if x.startswith("CapEff")][0]
"""
    found = inside(box, code)
    assert found["uid"] != 0
    assert found["secret"] == 0
    assert found["processes"] <= 4
    assert int(found["rights"], 16) == 0


def test_exercises_do_not_see_each_other(box):
    inside(box, "found = 1\nleft = 2\nopen('/tmp/note', 'w').write('x')")
    with pytest.raises(AnswerError, match="left is not defined"):
        inside(box, "found = 1", name="left")


def test_what_an_exercise_leaves_behind_ends_with_it(box):
    count = "import os\nfound = len([p for p in os.listdir('/proc') if p.isdigit()])"
    before = inside(box, count)
    inside(box, f"{HARMLESS['a process left behind']}\nfound = 0")
    assert inside(box, count) == before


LITTER = """
import os
for n in range(300):
    os.makedirs(f"/tmp/{n}/locked")
open("/dev/shm/note", "w").close()
found = 0
"""


@pytest.mark.parametrize("lock", ["", "os.chmod('/tmp/7', 0)\n"])
def test_no_file_is_left_to_the_next_exercise(box, lock):
    """What cannot be deleted ends with its sandbox."""
    look = "import os\nfound = len(os.listdir('/tmp') + os.listdir('/dev/shm'))"
    clean = inside(box, look)
    inside(box, LITTER + lock)
    assert inside(box, look) == clean


def test_a_reply_of_many_arrays_has_an_end(box):
    code = "found = [np.zeros(2_500_000, 'i1')] * 2"
    with pytest.raises(AnswerError, match="too large"):
        inside(box, f"import numpy as np\n{code}")
    assert inside(box, "found = 1") == 1


def test_values_cross_the_pipe_as_they_are(box):
    code = """
import numpy as np
found = {"a": [np.arange(6, dtype="f4").reshape(2, 3), 1, None, "text", True]}
"""
    a, one, none, text, true = inside(box, code)["a"]
    assert (a == np.arange(6).reshape(2, 3)).all()
    assert a.dtype == np.float32
    assert (one, none, text, true) == (1, None, "text", True)


def test_without_a_sandbox_nothing_runs(monkeypatch):
    monkeypatch.setattr(walls.shutil, "which", lambda name: None)
    with pytest.raises(NoSandbox, match=r"(?s)bubblewrap.*--trust"):
        walls.require()


def test_a_system_that_is_not_linux_is_told_of_the_container(monkeypatch):
    monkeypatch.setattr(walls.sys, "platform", "darwin")
    with pytest.raises(NoSandbox, match=r"(?s)needs Linux.*container"):
        walls.require()
