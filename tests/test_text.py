"""Words, vocabularies, and padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessons import text
from lessons.text import END, PAD, START, UNK

ENTRIES = ["<pad>", "<unk>", "<start>", "<end>", "a", "b"]


@pytest.mark.parametrize(
    "line, expected",
    [
        ("It isn't late, is it?", ["it", "isn't", "late", ",", "is", "it", "?"]),
        ("  two\n\twords ", ["two", "words"]),
        ("“Él—Jesús’s” 12", ["“", "él", "—", "jesús’s", "”", "12"]),
        ("'quoted'", ["'", "quoted", "'"]),
        ("a''b", ["a", "'", "'", "b"]),
        ("...", [".", ".", "."]),
        ("", []),
    ],
)
def test_words(line, expected):
    assert text.words(line) == expected


@given(st.text())
def test_words_lose_nothing_but_space_and_case(line):
    assert "".join(text.words(line)) == "".join(line.lower().split())


def test_special_numbers_are_the_first_entries():
    entries = text.vocabulary([["x"]])
    assert (PAD, UNK, START, END) == (0, 1, 2, 3)
    assert [entries[i] for i in (PAD, UNK, START, END)] == ENTRIES[:4]
    assert entries[4:] == ["x"]


@pytest.mark.parametrize(
    "size, expected", [(None, ["c", "a", "b"]), (7, ["c", "a", "b"]), (5, ["c"])]
)
def test_vocabulary_ranks_by_count_then_alphabet(size, expected):
    assert text.vocabulary([["b", "c"], ["a", "c"]], size)[4:] == expected


@pytest.mark.parametrize("size", [4, 0])
def test_vocabulary_without_room(size):
    with pytest.raises(ValueError, match=f"expected a size over 4, got {size}"):
        text.vocabulary([["a"]], size)


@pytest.mark.parametrize("texts", [[], [[]], [[], []]])
def test_vocabulary_of_nothing(texts):
    with pytest.raises(ValueError, match="at least one token, got none"):
        text.vocabulary(texts)


def test_encode_and_decode():
    assert text.encode(["b", "a", "z"], ENTRIES) == [5, 4, UNK]
    assert text.encode([], ENTRIES) == []
    assert text.decode([START, 5, PAD, 4, UNK, END, 4], ENTRIES) == ["b", "a", "<unk>"]
    assert text.decode(np.array([4, 5]), ENTRIES) == ["a", "b"]


def test_encode_follows_the_entries_it_is_given():
    assert text.encode(["a"], ENTRIES) == [4]
    assert text.encode(["a"], [*ENTRIES[:4], "b", "a"]) == [5]


@pytest.mark.parametrize("wrong", [-1, 6])
def test_decode_refuses_numbers_without_an_entry(wrong):
    with pytest.raises(ValueError, match=rf"expected numbers in 0\.\.5, got {wrong}"):
        text.decode([4, wrong], ENTRIES)
    assert text.decode([5], ENTRIES) == ["b"]


@given(st.lists(st.sampled_from("abcd"), max_size=9))
def test_round_trip(tokens):
    entries = text.vocabulary(["abcd"])
    assert text.decode([*text.encode(tokens, entries), END], entries) == tokens


@pytest.mark.parametrize(
    "rows, steps, ids, lengths",
    [
        ([[7, 8, 9], [5]], None, [[7, 8, 9], [5, 0, 0]], [3, 1]),
        ([[5], [7, 8, 9]], 2, [[5, 0], [7, 8]], [1, 2]),
        ([[5]], 3, [[5, 0, 0]], [1]),
        ([[]], None, [[0]], [0]),
        ([[4, 4]], None, [[4, 4]], [2]),
        ([[4, 4]], 1, [[4]], [1]),
    ],
)
def test_pad(rows, steps, ids, lengths):
    got = text.pad(rows, steps)
    assert [part.tolist() for part in got] == [ids, lengths]
    assert all(part.dtype == np.int32 for part in got)


def test_pad_refuses_nothing_and_no_steps():
    with pytest.raises(ValueError, match="at least one sequence, got none"):
        text.pad([])
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        text.pad([[1]], 0)
