"""Inside the sandbox: runs a student's cells and answers calls.

    python -m lessons.grading.worker '{"uid": null, "imports": [...], ...}'

The first process only imports what the cells need, which takes longer than an answer,
and forks: each exercise has a process of its own. What is written on the pipe is what
the student's code wants to be written there; the other end believes no word of it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any


def become(uid: int | None) -> None:
    """Give up the rights of root, where bubblewrap was started with them."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def limit(limits: dict[str, int]) -> None:
    """Set this process' limits; children inherit them."""
    import resource  # here, because Windows has none and reads the rest

    for name, value in limits.items():
        with contextlib.suppress(ValueError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def channel() -> tuple[int, int]:
    """Move the pipe away from 0 and 1, which student code may read and print to."""
    asked, told = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    return asked, told


def lines(asked: int) -> Iterator[dict]:
    """Yield the messages that come in, read without a buffer that a fork would copy."""
    waiting = b""
    while True:
        while b"\n" not in waiting:
            piece = os.read(asked, 1 << 16)
            if not piece:
                return
            waiting += piece
        line, waiting = waiting.split(b"\n", 1)
        yield json.loads(line)


def tell(told: int, message: dict) -> None:
    """Write one message."""
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(told, data) :]


class Session:
    """One exercise: the names that its cells have made."""

    def __init__(self, told: int) -> None:
        self.told = told
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.stopped = ""
        self.forbidden: tuple[str, ...] = ()

    def answer(self, message: dict) -> dict:
        """Do what a message asks and return the reply."""
        from lessons.exercises.plain import AnswerError, encode

        try:
            value = getattr(self, "do_" + message["do"])(message)
            return {"value": encode(value)}
        except AnswerError as error:
            return {"error": str(error)[:400], "hint": error.hint}
        except BaseException as error:
            return {"error": said(error), "hint": "raises"}

    def do_run(self, message: dict) -> None:
        """Run cells; one that stops with an error does not stop the others."""
        for source in message["given"]:
            exec(compile(source, "given", "exec"), self.names)
        self.forbidden = tuple(message["forbidden"])
        for source in message["cells"]:
            try:
                exec(compile(source, "answer", "exec"), self.names)
            except BaseException as error:
                self.stopped = said(error)

    def find(self, name: str) -> Any:
        """Return what a name stands for, or say why there is no such name."""
        from lessons.exercises.plain import AnswerError

        if name in self.names:
            return self.names[name]
        why = f": the cell stopped with {self.stopped}" if self.stopped else ""
        raise AnswerError(f"{name} is not defined{why}", "undefined")

    def do_call(self, message: dict) -> Any:
        """Call a function of the student's."""
        from lessons.exercises.local import call
        from lessons.exercises.plain import decode

        function = self.find(message["name"])
        arguments = tuple(map(decode, message["args"]))
        return call(
            message["name"], function, arguments, message["transform"], self.forbidden
        )

    def do_value(self, message: dict) -> Any:
        """Return a variable of the student's."""
        from lessons.exercises.plain import to_plain

        found = self.find(message["name"])
        return None if found is ... else to_plain(found)

    def do_show(self, message: dict) -> None:
        """Run a whole notebook and tell each cell's outputs as it ends."""
        from lessons.grading.show import show

        show(message["cells"], message["seconds"], lambda m: tell(self.told, m))


def said(error: BaseException) -> str:
    """Write an error's type and first line."""
    try:
        text = (str(error).strip().splitlines() or [""])[0]
    except BaseException:
        text = ""
    return f"{type(error).__name__}: {text}"[:300]


def serve(asked: int, told: int, messages: Iterator[dict]) -> None:
    """Answer until the exercise is closed."""
    session = Session(told)
    for message in messages:
        if message["do"] == "close":
            return
        tell(told, session.answer(message) | {"id": message["id"]})


def clear(folders: dict[str, set[str]]) -> bool:
    """End and delete what an exercise left behind; return whether nothing is left.

    All other processes in the sandbox' own process space, and in its two folders what
    was not there from the start, as an interpreter below /tmp is.
    """
    if os.getppid() != 1 or os.getpid() > 10:
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    # A process that was told to end may still write: wait until it is gone.
    stays = {"1", str(os.getpid())}
    for _ in range(200):
        if not {p for p in os.listdir("/proc") if p.isdigit()} - stays:
            return all(emptied(folder, kept) for folder, kept in folders.items())
        time.sleep(0.01)
    return False


def emptied(folder: str, kept: set[str]) -> bool:
    """Delete what else is in a folder and return whether it is gone."""
    with contextlib.suppress(OSError, RecursionError):
        for entry in [each for each in os.scandir(folder) if each.name not in kept]:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
    return set(os.listdir(folder)) == kept


def main(options: dict) -> None:
    """Import, then fork for each exercise."""
    asked, told = channel()
    limit({"CORE": 0})
    become(options["uid"])
    for name in options["imports"]:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    places = ("/tmp", "/dev/shm") if options["alone"] else ()
    folders = {place: set(os.listdir(place)) for place in places}
    messages = lines(asked)
    tell(told, {"ready": True})
    for message in messages:
        if message["do"] != "open":
            return
        folder = tempfile.mkdtemp()
        tell(told, {"opened": message["id"]})
        child = os.fork()
        if not child:
            try:
                limit(options["limits"])
                os.chdir(folder)
                os.environ["HOME"] = folder
                serve(asked, told, messages)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        # What cannot be tidied up ends here; the next exercise has a new sandbox.
        if options["alone"] and not clear(folders):
            return
        tell(told, {"closed": message["id"]})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
