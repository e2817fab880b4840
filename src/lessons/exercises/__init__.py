"""Exercises: write an answer, check it at once, read one hint.

In the exercise notebook of each chapter.
"""

from lessons.exercises.local import check, numbers

__all__ = ["check", "numbers"]
