"""Quizzes: a few questions a chapter, with a reason for every choice.

The questions of a chapter stand in `quizzes/NAME.toml`, the one source of the page, of
the notebook and of what is shown where no script runs.
"""

import functools
import html
import re
import tomllib
from pathlib import Path
from typing import Any

import traitlets

from lessons.widgets._base import LiveFigure, bundle

FOLDER = Path(__file__).with_name("quizzes")


def chapters() -> list[str]:
    """Name the chapters that have a quiz.

    Returns
    -------
    list of str
        Such as ``"01_activations"``, in order.

    Notes
    -----
    Used from chapter 01 on.

    Examples
    --------
    >>> "01_activations" in chapters()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@functools.cache
def _read(chapter: str) -> list[dict[str, Any]]:
    """Read a chapter's questions and check that each can be answered."""
    if chapter not in chapters():
        raise ValueError(f"expected one of {chapters()}, got {chapter!r}")
    text = (FOLDER / f"{chapter}.toml").read_text(encoding="utf-8")
    questions = tomllib.loads(text)["question"]
    for question in questions:
        rights = [choice.get("right", False) for choice in question["choices"]]
        if sum(rights) != 1:
            raise ValueError(
                f"expected one right choice in {chapter}, question {question['id']}, "
                f"got {sum(rights)}"
            )
    return questions


class Quiz(LiveFigure):
    """Ask a chapter's questions, and say of each choice why it is right or wrong.

    What the reader answers is remembered by the reader's browser and sent nowhere.

    Parameters
    ----------
    chapter : str
        The notebook's name, such as ``"01_activations"``.

    Raises
    ------
    ValueError
        If there is no such quiz, or a question has not exactly one right choice.

    Notes
    -----
    Used in every chapter.

    Examples
    --------
    >>> Quiz("01_activations")
    Quiz()
    """

    _esm = bundle("quiz.js")
    chapter = traitlets.Unicode().tag(sync=True)
    questions = traitlets.List().tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)
    right = traitlets.Int(0).tag(sync=True)

    def __init__(self, chapter: str, **kwargs: Any) -> None:
        """Read the questions."""
        super().__init__(chapter=chapter, questions=_read(chapter), **kwargs)

    def stand_in(self) -> dict[str, str]:
        """Return the questions as a page without scripts shows them: answers folded."""
        return {"text/html": "".join(map(_unfolded, self.questions))}


def _unfolded(question: dict[str, Any]) -> str:
    """Write one question with its choices, and the reasons under a fold."""
    choices = "".join(f"<li>{_words(c['text'])}</li>" for c in question["choices"])
    reasons = "".join(
        f"<li>{'Right. ' if c.get('right') else 'No. '}{_words(c['why'])}</li>"
        for c in question["choices"]
    )
    return (
        f"<p>{_words(question['ask'])}</p><ol type='a'>{choices}</ol>"
        f"<details><summary>Answers</summary><ol type='a'>{reasons}</ol></details>"
    )


def _words(text: str) -> str:
    """Escape a text, its `code` marked."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
