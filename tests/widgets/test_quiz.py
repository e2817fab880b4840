"""Quizzes: what every chapter asks, what is shown without scripts, what is counted."""

import re

import pytest

from lessons.widgets import Quiz, quiz

CHAPTERS = quiz.chapters()
QUESTIONS = [
    pytest.param(c, q, id=f"{c}-{q['id']}") for c in CHAPTERS for q in quiz._read(c)
]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_quiz_has_three_to_five_questions(chapter):
    ids = [question["id"] for question in quiz._read(chapter)]
    assert 3 <= len(ids) <= 5
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("chapter", "question"), QUESTIONS)
def test_a_question_is_whole(chapter, question):
    assert set(question) == {"id", "ask", "choices"}
    assert question["ask"].endswith("?")
    assert 3 <= len(question["choices"]) <= 4
    texts = [choice["text"] for choice in question["choices"]]
    assert len(set(texts)) == len(texts)
    for choice in question["choices"]:
        assert set(choice) <= {"text", "why", "right"}
        assert len(choice["why"]) >= 40, "a reason, not a verdict"
        # It is shown after "Right." or "No.", so it does not say so again.
        assert not re.match(r"(right|no|yes|wrong|correct)\b", choice["why"], re.I)
        for text in (choice["text"], choice["why"], question["ask"]):
            assert "$" not in text and "\\" not in text, "plain characters, no TeX"
            assert text.count("`") % 2 == 0


def test_the_right_choice_has_no_place_of_its_own():
    places = [
        [choice.get("right", False) for choice in question["choices"]].index(True)
        for c in CHAPTERS
        for question in quiz._read(c)
    ]
    # A reader who always picks one place is right in less than half of the questions.
    if len(places) >= 12:
        assert max(map(places.count, set(places))) < len(places) / 2


def test_a_question_with_two_right_choices_is_refused(tmp_path, monkeypatch):
    text = (quiz.FOLDER / "01_activations.toml").read_text(encoding="utf-8")
    text = text.replace("why =", "right = true\nwhy =", 1).replace(
        "right = true\nright = true", "right = true"
    )
    second = text.index("[[question.choices]]", text.index("[[question.choices]]") + 9)
    text = text[:second] + text[second:].replace("why =", "right = true\nwhy =", 1)
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(quiz, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="one right choice in x, question bend, got 2"):
        quiz._read.__wrapped__("x")


def test_an_unknown_chapter_is_refused():
    with pytest.raises(ValueError, match=r"expected one of .*got '00_nothing'"):
        Quiz("00_nothing")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_without_scripts_the_questions_and_reasons_are_there(chapter):
    page = Quiz(chapter).stand_in()["text/html"]
    questions = quiz._read(chapter)
    assert page.count("<details>") == len(questions)
    assert page.count("Right. ") == len(questions)
    assert "`" not in page


def test_mark_up_in_a_text_stays_text():
    assert quiz._words("a < b & `c > d`") == "a &lt; b &amp; <code>c &gt; d</code>"


QUIZ = [
    {"id": "a", "choices": [{"right": True}, {}]},
    {"id": "b", "choices": [{}, {"right": True}]},
]


@pytest.mark.parametrize(
    ("answers", "right", "said"),
    [
        ({}, 0, "2 questions"),
        ({"a": 0}, 1, "1 of 2 answered, 1 right"),
        ({"a": 1, "b": 1}, 1, "1 of 2 right"),
        ({"a": 0, "b": 1}, 2, "All 2 right"),
        ({"gone": 0, "b": 7}, 0, "2 questions"),
    ],
)
def test_answers_are_counted(js, answers, right, said):
    assert js("quiz.js", "score", QUIZ, answers) == right
    assert said in js("quiz.js", "progress", QUIZ, answers)
