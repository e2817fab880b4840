"""Work for each student of a class, a few at the same time."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple


class Done(NamedTuple):
    """What became of one student's work: a result, or the reason why there is none."""

    student: str
    result: Any = None
    refused: str = ""


def attempt(work: Callable[[str], Any], student: str) -> Done:
    """Do one student's work; no error in it stops that of the others."""
    try:
        return Done(student, work(student))
    except Exception as error:
        return Done(student, refused=f"{type(error).__name__}: {error}"[:300])


def for_each(
    students: Iterable[str], work: Callable[[str], Any], jobs: int
) -> Iterator[Done]:
    """Do the work for all students, `jobs` at a time; yield what is done first.

    Whoever stops listening, by Ctrl-C say, waits for what is being done and starts
    nothing more.
    """
    pool = concurrent.futures.ThreadPoolExecutor(max(1, jobs))
    try:
        waiting = [pool.submit(attempt, work, student) for student in students]
        for each in concurrent.futures.as_completed(waiting):
            yield each.result()
    finally:
        pool.shutdown(cancel_futures=True)
