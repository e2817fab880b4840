"""Work for a class: none of it stops the rest, and stopping it stops it."""

import threading
import time

from lessons.grading.jobs import attempt, for_each


def test_an_error_is_the_reason_of_one_student():
    done = {each.student: each for each in for_each("abc", {"a": 1, "c": 3}.get, 2)}
    assert [done[name].result for name in "abc"] == [1, None, 3]
    done = {e.student: e for e in for_each("abc", {"a": 1, "c": 3}.__getitem__, 2)}
    assert [done[name].result for name in "abc"] == [1, None, 3]
    assert done["b"].refused == "KeyError: 'b'"


def test_work_is_done_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    done = list(for_each("ab", lambda student: both.wait() >= 0, 2))
    assert [each.result for each in done] == [True, True]


def test_who_stops_listening_starts_nothing_more():
    begun = []

    def work(student):
        begun.append(student)
        time.sleep(0.05)

    running = for_each("abcdefgh", work, 1)
    next(running)
    running.close()
    assert len(begun) <= 3


def test_a_long_reason_is_cut():
    assert len(attempt({}.__getitem__, "x" * 1000).refused) == 300
