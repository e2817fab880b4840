"""Messages to and from a process that is not trusted.

Every message has a deadline, and what comes is read as plain data.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from typing import Any

from lessons.exercises.plain import AnswerError, decode
from lessons.grading.walls import MEGABYTE

SENT_HINTS = {"unanswered", "finished", "undefined", "kind"}
REPLY_BYTES = 4 * MEGABYTE


class Pipe:
    """The two pipes of a process, one message a line.

    Whatever does not come through is an `AnswerError` with the hint ``ended``: the
    process has to be ended then.
    """

    def __init__(self, process: subprocess.Popen) -> None:
        self.to, self.back, self.waiting = process.stdin, process.stdout, b""
        # The other ends are not ours alone: whoever runs inside can fill and empty the
        # pipes, also between `select` and what follows it.
        for pipe in (self.to, self.back):
            os.set_blocking(pipe.fileno(), False)

    def close(self) -> None:
        """Close both."""
        for pipe in (self.to, self.back):
            with contextlib.suppress(OSError):
                pipe.close()

    def send(self, message: dict, seconds: float) -> None:
        """Write one message in time; the reader may have stopped."""
        data = json.dumps(message).encode() + b"\n"
        pipe, end = self.to.fileno(), time.monotonic() + seconds
        while data:
            left = end - time.monotonic()
            if left <= 0 or not select.select([], [pipe], [], left)[1]:
                raise AnswerError("the program does not listen any more", "ended")
            try:
                # So much fits whenever a pipe says that it is ready.
                data = data[os.write(pipe, data[: select.PIPE_BUF]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise gone() from None

    def read(self, seconds: float) -> dict:
        """Read one message in time."""
        end = time.monotonic() + seconds
        while b"\n" not in self.waiting:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.back], [], [], left)[0]:
                raise AnswerError(f"no answer within {seconds:g} seconds", "ended")
            try:
                piece = os.read(self.back.fileno(), 1 << 20)
            except BlockingIOError:
                continue
            if not piece:
                raise gone()
            self.waiting += piece
            if len(self.waiting) > REPLY_BYTES:
                raise AnswerError("the answer is too large", "ended")
        line, self.waiting = self.waiting.split(b"\n", 1)
        return understood(line)

    def more(self) -> bool:
        """Return whether more was written than was read."""
        return bool(self.waiting or select.select([self.back], [], [], 0)[0])


def gone() -> AnswerError:
    """Say that the program is gone."""
    return AnswerError(
        "the program ended: a crash, or over its memory or its time", "ended"
    )


def no_answer() -> AnswerError:
    """Say that what came is no answer."""
    return AnswerError("the program sent something that is no answer", "ended")


def understood(line: bytes) -> dict:
    """Read a line as a message; the sender is not trusted."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise no_answer()
    return message


def value_of(reply: dict) -> Any:
    """Return the value of a reply, or raise the error that it tells of."""
    if "error" in reply:
        hint = reply.get("hint")
        known = hint if hint in SENT_HINTS else "raises"
        raise AnswerError(printable(str(reply["error"])[:400]), known)
    return decode(reply["value"])


def printable(text: str) -> str:
    """Leave out what a terminal or a page would take for more than text."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
