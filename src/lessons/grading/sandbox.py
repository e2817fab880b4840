"""A running sandbox, asked from outside.

Limits of time, memory, processes and output are kept by the kernel and, where the
kernel keeps none, by a watch. What is asked and answered goes through `pipe`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lessons
from lessons.exercises.plain import AnswerError, encode
from lessons.grading.pipe import Pipe, no_answer, value_of
from lessons.grading.walls import (
    ENVIRONMENT,
    Limits,
    command,
    family,
    resident,
)

COUNT = itertools.count()


class Sandbox:
    """A running sandbox, for the exercises of one submission.

    Parameters
    ----------
    imports : list of str
        Modules that the exercises' own cells import: they are read once.
    limits : Limits, optional
        What an exercise may use.
    trust : bool, default=False
        Run without a sandbox.
    hide : tuple of Path
        Folders that stay empty inside.
    cache : Path, optional
        Programs that XLA compiled for the reference answers. Only read.
    """

    def __init__(
        self,
        imports: list[str],
        limits: Limits | None = None,
        trust: bool = False,
        hide: tuple[Path, ...] = (),
        cache: Path | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.count = self.idle = 0
        self.options = {
            "uid": user() if os.geteuid() == 0 else None,
            "alone": True,
            # Names on the process list whose sandbox it is.
            "owner": os.getpid(),
            "imports": ["jax.numpy", "lessons.exercises.local", *imports],
            "limits": {
                "CPU": self.limits.cpu,
                "AS": self.limits.memory,
                "FSIZE": self.limits.file,
                "NPROC": self.limits.processes,
                "CORE": 0,
                "NOFILE": 512,
            },
        }
        self.parts = command(self.options, self.limits, hide, cache)
        self.environment = self.folder = None
        if trust:
            self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            self.options |= {"uid": None, "alone": False, "limits": {}}
            self.parts = [sys.executable, "-m", "lessons.grading.worker"]
            self.parts.append(json.dumps(self.options))
            here = {"PYTHONPATH": str(Path(lessons.__file__).parents[1])}
            here["JAX_COMPILATION_CACHE_DIR"] = str(cache or "")
            here["TMPDIR"] = self.folder.name
            self.environment = os.environ | ENVIRONMENT | here
        self.process: subprocess.Popen | None = None
        self.pipe: Pipe | None = None

    def start(self) -> None:
        """Start the sandbox if it does not run."""
        if self.process and self.process.poll() is None:
            return
        self.stop()
        self.process = subprocess.Popen(
            self.parts,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            start_new_session=True,
            bufsize=0,
        )
        self.pipe = Pipe(self.process)
        watch = threading.Thread(target=self.watch, args=(self.process,), daemon=True)
        watch.start()
        self.read(self.limits.start)
        self.idle = len(family(self.process.pid))

    def alive(self) -> bool:
        """Return whether the exercise's program still answers."""
        return self.process is not None

    def stop(self) -> None:
        """End the sandbox and everything in it."""
        if self.process:
            kill(self.process)
            self.process.wait()
            self.pipe.close()
            self.process = self.pipe = None

    def __enter__(self) -> Sandbox:
        """Return the sandbox, which starts when it is needed."""
        return self

    def __exit__(self, *error: object) -> None:
        """End it, and leave nothing behind."""
        self.stop()
        if self.folder:
            self.folder.cleanup()

    def watch(self, process: subprocess.Popen) -> None:
        """End a sandbox whose processes together hold too much memory."""
        while process.poll() is None:
            if resident(process.pid) > self.limits.memory:
                kill(process)
            time.sleep(0.2)

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """End the sandbox if a message does not come through."""
        try:
            yield
        except AnswerError:
            self.stop()
            raise

    def send(self, message: dict) -> None:
        """Write one message within the time of a call."""
        with self.ending():
            self.pipe.send(message, self.limits.call)

    def read(self, seconds: float) -> dict:
        """Read one message; end the sandbox if none comes in time."""
        with self.ending():
            return self.pipe.read(seconds)

    def ask(self, do: str, seconds: float, **rest: Any) -> Any:
        """Send a question and return the plain value of its answer."""
        if not self.process:
            raise AnswerError("the program ended before", "ended")
        self.count += 1
        self.send({"do": do, "id": self.count, **rest})
        reply = self.read(seconds)
        if reply.get("id") != self.count:
            self.stop()
            raise AnswerError(
                "the program ended, or sent what nobody asked for", "ended"
            )
        try:
            return value_of(reply)
        except AnswerError:
            raise
        except Exception:  # whatever was sent, it stops nobody else's marking
            self.stop()
            raise no_answer() from None

    def open(self) -> None:
        """Begin an exercise in a process of its own, if need be in a new sandbox.

        What an earlier exercise did to this one costs the next nothing.
        """
        try:
            self.begin()
        except AnswerError:
            self.stop()
            self.begin()

    def begin(self) -> None:
        """Let the sandbox fork."""
        self.start()
        self.count += 1
        self.send({"do": "open", "id": self.count})
        # Wait: the pipe must be empty when the process forks.
        if self.read(self.limits.call).get("opened") != self.count:
            self.stop()
            raise no_answer()

    def close(self) -> None:
        """End the exercise; a sandbox that does not end it is ended itself.

        The exercise can write the same reply. So the system is asked whether its
        processes are gone, and only then whether more was written than was read.
        """
        if not self.process:
            return
        with contextlib.suppress(AnswerError):
            self.send({"do": "close", "id": 0})
            reply = self.read(self.limits.call)
            alone = len(family(self.process.pid)) == self.idle
            if "closed" not in reply or not alone or self.pipe.more():
                self.stop()

    def run(self, given: list[str], cells: list[str], forbidden: tuple) -> None:
        """Run the cells of an exercise."""
        self.ask("run", self.limits.run, given=given, cells=cells, forbidden=forbidden)

    def call(self, name: str, args: tuple, transform: str = "") -> Any:
        """Call a function of the student's."""
        sent = [encode(each) for each in args]
        return self.ask(
            "call", self.limits.call, name=name, args=sent, transform=transform
        )

    def show(self, cells: list[str], seconds: int) -> Iterator[dict]:
        """Run a notebook and yield the message that each cell tells as it ends."""
        self.count += 1
        self.send({"do": "show", "id": self.count, "cells": cells, "seconds": seconds})
        end = time.monotonic() + self.limits.notebook
        for _ in range(len(cells) + 1):
            left = max(0.1, end - time.monotonic())
            message = self.read(min(left, seconds + self.limits.call))
            if message.get("id") == self.count:
                return
            yield message

    def value(self, name: str) -> Any:
        """Return a variable of the student's."""
        return self.ask("value", self.limits.call, name=name)


def user() -> int:
    """Return a user for one sandbox: the limit on processes counts by user."""
    return 61000 + (os.getpid() * 64 + next(COUNT)) % 4000


def kill(process: subprocess.Popen) -> None:
    """Kill a process and the group that it leads, unless it is gone."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
