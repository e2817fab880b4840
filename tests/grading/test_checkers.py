"""Every checker is itself tested: right answers pass, nothing is left unread."""

import functools
import re

import jax
import numpy as np
import pytest
import scipy.stats
from answers import (
    COMPLETE,
    COURSE,
    IDS,
    NOTEBOOKS,
    SEEDS,
    marked,
    namespace,
    practised,
    read,
    reference,
    submitted,
    table,
    tables,
)

from lessons.exercises.base import DEFAULT_HINTS, Trial, passed, try_answers
from lessons.exercises.local import LocalAnswers
from lessons.grading.cells import BEGIN, facts, grade_id
from lessons.grading.marks import hidden_trial, inside_of_jax

RIGHT = [
    pytest.param(id, code, id=f"{id}-{place}")
    for id in IDS
    for place, code in enumerate(["", *(each["code"] for each in table(id)["right"])])
]


@pytest.mark.parametrize(("id", "code"), RIGHT)
def test_a_right_answer_gets_full_marks(id, code):
    assert not inside_of_jax(code or reference(id))
    for seed in SEEDS:
        answers = submitted(id, code, seed)
        practice = practised(id, answers, seed)
        assert practice, "nothing was looked at"
        findings = practice + marked(id, answers, seed)
        assert [each for each in findings if not each.passed] == []


@pytest.mark.parametrize("id", IDS)
def test_enough_answers_are_known(id):
    known = table(id)
    assert len(known["right"]) >= 2
    assert len(known["wrong"]) >= 5
    assert len({each["hint"] for each in known["wrong"]}) >= 4
    assert all(each["why"].strip().endswith(".") for each in known["wrong"])
    sources = [reference(id), *(each["code"] for each in known["right"])]
    assert len({"".join(source.split()) for source in sources}) == len(sources)


@pytest.mark.parametrize("id", IDS)
def test_the_finished_function_is_refused(id):
    exercise = COURSE[id[:2]].exercises[id]
    drawn = [each["hint"] for each in table(id)["wrong"]]
    assert ("finished" in drawn) == bool(exercise.forbidden)


@pytest.mark.parametrize("id", IDS)
def test_an_empty_answer_is_no_failure_but_unanswered(id):
    exercise = COURSE[id[:2]].exercises[id]
    for empty in (lambda *args: ..., lambda *args: None, None, ...):
        here = LocalAnswers(exercise, dict.fromkeys(exercise.names, empty))
        findings = try_answers(exercise.practice, Trial(here, 0))
        failed = [each for each in findings if not each.passed]
        assert failed


@pytest.mark.parametrize("id", IDS)
def test_a_poisoned_answer_never_passes(id):
    exercise = COURSE[id[:2]].exercises[id]
    poisons = [np.nan, np.inf, 0.0, "", [], {}, np.array([]), True, 1 + 1j]
    for poison in poisons:
        for answer in (poison, lambda *args, poison=poison: poison):
            here = LocalAnswers(exercise, dict.fromkeys(exercise.names, answer))
            findings = try_answers(exercise.practice, Trial(here, 0))
            assert not all(each.passed for each in findings), poison


class Spoiled:
    """Answers of which one reply is wrong: the one with number `place`."""

    def __init__(self, answers, place=-1, spoil=None):
        """Pass on what other answers reply."""
        self.answers, self.place, self.spoil = answers, place, spoil
        self.asked = []

    def reply(self, name, value):
        """Pass a reply on, or spoil it."""
        if len(self.asked) == self.place:
            value = self.spoil(value, [old for n, old in self.asked if n == name])
        self.asked.append((name, value))
        return value

    def call(self, name, args, transform):
        """Call a function of the answers."""
        return self.reply(name, self.answers.call(name, args, transform))

    def value(self, name):
        """Return a variable of the answers."""
        return self.reply(name, self.answers.value(name))


def changed(value, earlier=(), only=None):
    """Change the numbers of a plain value, or of one part, beyond any tolerance."""
    leaves, tree = jax.tree.flatten(value)
    for place, leaf in enumerate(leaves):
        if only is None or place == only:
            leaves[place] = f"{leaf}?" if isinstance(leaf, str) else other(leaf)
    return jax.tree.unflatten(tree, leaves)


def other(leaf):
    """Return other numbers."""
    array = np.asarray(leaf)
    return ~array if array.dtype == bool else array * 2 + 1


def repeated(value, earlier):
    """Reply as before, where another reply is due."""
    return earlier[-1] if earlier else value


# Digits that one network alone reads, as chapter 07's open question has them.
KNOWN_PAIRS = [(3, 15), (26, 38)]
# Its numbers are random: shapes are all that is asked of it.
SHAPES_ALONE = {("09.clinic", "start")}


@pytest.mark.parametrize("id", IDS)
def test_nothing_is_asked_for_that_is_not_looked_at(id):
    """One wrong reply loses the point, whichever it is."""
    exercise = COURSE[id[:2]].exercises[id]
    names = namespace(id, reference(id))
    right = LocalAnswers(exercise, {name: names[name] for name in exercise.names})

    def tried(*how):
        answers = Spoiled(right, *how)
        findings = try_answers(exercise.practice, Trial(answers, 0))
        findings += hidden_trial(COURSE[id[:2]], id, answers, 0, 0)
        return answers.asked, passed(findings)

    def ways(place, value):
        """Return how a reply can be spoilt: each part of it, or it is an old one."""
        if tried(place, changed)[1]:  # it only has to differ
            return [repeated]
        parts = range(len(jax.tree.leaves(value)))
        return [functools.partial(changed, only=part) for part in parts]

    asked, fine = tried()
    assert fine
    unseen = {
        (id, name)
        for place, (name, value) in enumerate(asked)
        for spoil in ways(place, value)
        if tried(place, spoil)[1]
    }
    assert unseen <= SHAPES_ALONE


def key(number):
    """Return what earns the points of a chapter's open question."""
    [cell] = [each for each in read(number).cells if grade_id(each) == "discuss"]
    return cell.source


def test_the_figures_in_the_keys_are_right():
    rare, common = (scipy.stats.binomtest(b, b + c).pvalue for b, c in KNOWN_PAIRS)
    assert f"approx {rare:.3f}$" in key("07") and f"approx {common:.2f}$" in key("07")
    z, weight = np.polynomial.hermite_e.hermegauss(200)
    kept = [np.average(np.sin(s * z) ** 2 * z**2, weights=weight) for s in (0.02, 1, 4)]
    assert abs(kept[0] / 0.02**2 - 3) < 0.01 and abs(kept[2] - 0.5) < 0.01
    assert f"it is {kept[1]:.2f} at standard deviation 1" in key("01")


def test_every_chapter_is_complete():
    assert list(NOTEBOOKS) == COMPLETE


@pytest.mark.parametrize("number", COMPLETE)
def test_the_notebook_the_checks_and_the_answers_agree(number):
    stated = list(facts(read(number)))
    words = {each.word for each in stated if each.kind != "Open question"}
    ids = {f"{number}.{word}" for word in words}
    assert ids == set(COURSE[number].exercises)
    assert ids == set(tables(number))
    assert set(COURSE[number].hidden) <= ids
    assert [each.number for each in stated] == list(range(1, len(stated) + 1))
    kinds = {each.kind for each in stated}
    assert {"Recall", "Derive", "Implement", "Extend", "Open question"} <= kinds
    assert "Bug clinic" in kinds
    assert len(stated) >= 6


@pytest.mark.parametrize("number", COMPLETE)
def test_every_hint_is_drawn_or_general(number):
    """A hint that no known answer draws may never be seen: it is not tested."""
    for id, exercise in COURSE[number].exercises.items():
        drawn = {each["hint"] for each in table(id)["wrong"]}
        unused = set(exercise.hints) - set(DEFAULT_HINTS) - drawn - {"value", "slope"}
        assert not unused, f"{id}: {unused}"


@pytest.mark.parametrize("number", COMPLETE)
def test_solutions_are_marked_and_points_agree(number):
    notebook = read(number)
    points = {
        grade_id(cell).removesuffix("-check"): cell.metadata["nbgrader"]["points"]
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    }
    assert points == {each.word: each.points for each in facts(notebook)}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get(
            "solution"
        ):
            assert BEGIN in cell.source


@pytest.mark.parametrize("number", COMPLETE)
def test_every_solution_is_stored_as_right(number):
    """A check prints and raises nothing: what it printed is the assertion."""
    checks = [cell for cell in read(number).cells if cell.source.startswith("check(")]
    ids = [re.match(r'check\("(.+?)"', cell.source)[1] for cell in checks]
    assert set(ids) == set(COURSE[number].exercises)
    for id, cell in zip(ids, checks, strict=True):
        [output] = cell.outputs
        assert re.fullmatch(rf"{re.escape(id)}: all \d+ checks passed\.\n", output.text)
