"""The walls round student code: what bubblewrap shows it, and its limits.

The code has a view of the system of its own: no network, no files but the interpreter
and the package, two small empty folders, no other process.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import lessons

MEGABYTE = 1 << 20
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/tmp",
    "JAX_PLATFORMS": "cpu",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp",
    "TQDM_DISABLE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": "/course",
    # A cache that cannot be written costs a warning that nobody sees.
    "JAX_COMPILATION_CACHE_DIR": "/cache",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    # Otherwise the folder's path is part of each key.
    "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
}
HELP = (
    "Student code runs in a sandbox only, and there is none here: {reason}\n"
    "On Linux install bubblewrap (Debian, Ubuntu: apt install bubblewrap). Elsewhere "
    "use the container that the page for instructors describes. With --trust the code "
    "runs without a sandbox and may do all that you may: read and delete files, the "
    "grade book too."
)


class NoSandbox(RuntimeError):
    """There is no sandbox on this machine."""


class Limits(NamedTuple):
    """What an exercise may use: seconds, bytes and counts.

    A call that compiles takes seconds on a busy machine, and a deadline that is missed
    costs a student the points: the deadlines are long.
    """

    start: float = 60
    run: float = 30
    call: float = 30
    notebook: float = 90
    cpu: int = 60
    memory: int = 4000 * MEGABYTE
    file: int = 16 * MEGABYTE
    folder: int = 64 * MEGABYTE
    processes: int = 128


def existing(*paths: str) -> list[str]:
    """Return the paths that exist, without those that lie below another."""
    both = [f(path) for path in paths for f in (os.path.abspath, os.path.realpath)]
    found = sorted({path for path in both if os.path.exists(path)})
    return [p for p in found if not any(p.startswith(q + "/") for q in found)]


def interpreter() -> list[str]:
    """Return the folders that Python and its packages need."""
    return existing(sys.prefix, sys.base_prefix, sysconfig.get_paths()["purelib"])


def command(
    worker: dict,
    limits: Limits,
    hide: tuple[Path, ...] = (),
    cache: Path | None = None,
) -> list[str]:
    """Return the command that starts the worker in a sandbox.

    Parameters
    ----------
    worker : dict
        The options of `lessons.grading.worker`.
    limits : Limits
        The sizes of the folders.
    hide : tuple of Path
        Folders that stay empty even if they lie in one that is shown.
    cache : Path, optional
        Compiled programs to show.
    """
    root = os.geteuid() == 0
    parts = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc"]
    parts += ["--unshare-uts", "--unshare-cgroup-try", "--die-with-parent"]
    parts += ["--new-session", "--hostname", "sandbox", "--clearenv"]
    if root:
        # Without a user namespace, so that the limit on processes counts for a user
        # who is not root; the worker gives the rights up before it reads a cell.
        parts += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        parts += ["--unshare-user", "--uid", "1001", "--gid", "1001"]
    for name, value in ENVIRONMENT.items():
        parts += ["--setenv", name, value]
    parts += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
    for name in ("lib", "lib64", "bin"):
        if os.path.exists(f"/{name}"):
            parts += ["--symlink", f"usr/{name}", f"/{name}"]
    for path in ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives"):
        parts += ["--ro-bind-try", path, path]
    # Before what is shown: the interpreter itself may lie below /tmp.
    for folder in ("/tmp", "/dev/shm"):
        parts += ["--perms", "1777", "--size", str(limits.folder), "--tmpfs", folder]
    package = os.path.dirname(os.path.abspath(lessons.__file__))
    shown = {p: p for p in interpreter() if not f"{p}/".startswith("/usr/")}
    for path, place in (shown | {package: "/course/lessons"}).items():
        for parent in reversed(Path(place).parents[:-1]):
            parts += ["--perms", "0755", "--dir", str(parent)]
        parts += ["--ro-bind", path, place]
    if cache:
        parts += ["--ro-bind", str(cache), "/cache"]
    for folder in hide:
        if any(str(folder).startswith(f"{p}/") for p in interpreter()):
            parts += ["--tmpfs", str(folder)]
    # Nothing else may be written, not even into the folders of the empty root.
    parts += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
    python = [sys.executable, "-m", "lessons.grading.worker", json.dumps(worker)]
    return [*parts, *python]


def missing() -> str:
    """Return why there is no sandbox here; empty if there is one."""
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, this is {sys.platform}."
    if not shutil.which("bwrap"):
        return "bubblewrap (bwrap) is not installed."
    parts = command({}, Limits())
    trial = [*parts[: parts.index(sys.executable)], "/usr/bin/true"]
    done = subprocess.run(trial, capture_output=True, text=True, timeout=30)
    return "" if done.returncode == 0 else f"bwrap says: {done.stderr.strip()[:300]}"


def require() -> None:
    """Refuse to go on without a sandbox.

    Raises
    ------
    NoSandbox
        With the reason and what to do.
    """
    if reason := missing():
        raise NoSandbox(HELP.format(reason=reason))


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, as the system itself counts them."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{each}/task"):
                text = Path(f"/proc/{each}/task/{task}/children").read_text()
                found += map(int, text.split())
    return found


def resident(pid: int) -> int:
    """Return the bytes that a process and all its descendants hold in memory."""
    pages = 0
    for each in family(pid):
        with contextlib.suppress(OSError, IndexError):
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
