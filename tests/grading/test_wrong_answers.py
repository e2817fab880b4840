"""Each wrong answer that is known loses the point, and draws its own hint."""

import pytest
from answers import COURSE, IDS, SEEDS, marked, practised, submitted, table

WRONG = [
    pytest.param(id, each, id=f"{id}-{each['hint']}-{place}")
    for id in IDS
    for place, each in enumerate(table(id)["wrong"])
]


@pytest.mark.parametrize(("id", "wrong"), WRONG)
def test_a_wrong_answer_loses_the_point_with_its_own_hint(id, wrong):
    hints = COURSE[id[:2]].exercises[id].hints
    for seed in SEEDS:
        answers = submitted(id, wrong["code"], seed)
        failed = [each for each in practised(id, answers, seed) if not each.passed]
        if seed == SEEDS[0] or not failed:  # else the hidden check changes nothing
            again = marked(id, answers, seed)
            failed += [each for each in again if not each.passed]
        assert failed, "the wrong answer passes"
        assert failed[0].hint == wrong["hint"], failed[0]
        assert failed[0].hint in hints
