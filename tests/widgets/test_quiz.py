"""Quizzes: what every chapter asks, what is shown without scripts, what is counted."""

import math
import re

import jax
import jax.numpy as jnp
import pytest

from lessons import activations, cnn
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


# What the texts quote, with a place for the number, and the number computed anew.


def first_steps(count):
    """Return how much too long Adam's steps are without its correction."""
    t = jnp.arange(1, count + 1)
    return (1 - 0.9**t) / jnp.sqrt(1 - 0.999**t)


def kept_by_relu():
    """Return what ReLU leaves of the mean square of symmetric inputs."""
    z = jnp.linspace(-3, 3, 2001)
    return float(jnp.mean(activations.relu(z) ** 2) / jnp.mean(z**2))


def share_error(right, total):
    """Return the standard error of a share, in points."""
    share = right / total
    return 100 * math.sqrt(share * (1 - share) / total)


def conv_parameters():
    """Return the number of parameters of 16 kernels over 6 channels."""
    conv = cnn.conv_init(jax.random.key(0), (5, 5), 6, 16)
    return sum(leaf.size for leaf in jax.tree.leaves(conv))


EPSILON = float(jnp.finfo(jnp.float32).eps)
QUOTED = [
    ("01_activations", "sigmoid-slope", "20, about {:.0e}", 0.25**20),
    ("02_backprop", "step", "rounding error is about {:.0e}", EPSILON),
    ("02_backprop", "step", "smaller than about {:.3f}", EPSILON ** (1 / 3)),
    ("03_dnn", "chance", "ln 2, about {:.3f}", math.log(2)),
    ("03_dnn", "he", "about {:,.0f}", round(kept_by_relu() ** -10, -3)),
    ("04_training_loop", "bias-correction", "0.0316, about {:.1f}", first_steps(1)[0]),
    ("04_training_loop", "bias-correction", "to {:.1f} at", first_steps(50).max()),
    ("04_training_loop", "bias-correction", "step {}", first_steps(50).argmax() + 1),
    ("07_cnn", "parameters", "+ 16 = {:,}.", conv_parameters()),
    ("07_cnn", "size", "/ 1 + 1 is {}.", cnn.conv_size(28, 5, padding=2)),
    ("07_cnn", "interval", "digits, {:.2f} %", 100 * 1971 / 2000),
    ("07_cnn", "interval", "about {:.2f} points", share_error(1971, 2000)),
    ("08b_sequences", "bits", "the power 2.08, about {:.1f},", 2**2.08),
    ("09_transformer", "root", "standard deviation of {:.0f}.", math.sqrt(64)),
    ("09b_encoder_decoder", "forcing", "ln 2, about {:.2f}.", math.log(2)),
    ("09d_translation", "bleu", "is about {:.2f},", math.exp(1 - 12 / 3)),
]


@pytest.mark.parametrize(("chapter", "name", "text", "value"), QUOTED)
def test_a_number_that_a_quiz_quotes_is_right(chapter, name, text, value):
    [question] = [q for q in quiz._read(chapter) if q["id"] == name]
    choices = [c[part] for c in question["choices"] for part in ("text", "why")]
    number = value if isinstance(value, float | int) else value.item()
    wanted = text.format(number).replace("e-0", "e-")
    assert wanted in " ".join([question["ask"], *choices])
