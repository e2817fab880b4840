"""Texts as rows of numbers: words, a vocabulary, and padding to one length."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

PAD, UNK, START, END = range(4)
_SPECIAL = ["<pad>", "<unk>", "<start>", "<end>"]


def words(text: str) -> list[str]:
    """Divide a text into lower-case words and punctuation marks.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        An apostrophe inside a word stays in it. White space is dropped. Chinese is
        written without spaces: take ``list(text)``, its characters.

    Notes
    -----
    Used from chapter 08 on; chapter 10 does better.

    Examples
    --------
    >>> words("It isn't late, is it?")
    ['it', "isn't", 'late', ',', 'is', 'it', '?']
    """
    return re.findall(r"\w+(?:['\u2019]\w+)*|[^\w\s]", text.lower())


def vocabulary(texts: Iterable[Sequence[str]], size: int | None = None) -> list[str]:
    """List the tokens that have a number: a token's number is its place.

    Parameters
    ----------
    texts : of tokens, one sequence a text
    size : int, optional
        The most entries to keep, the four special ones among them.

    Returns
    -------
    list of str
        ``<pad>``, ``<unk>``, ``<start>``, ``<end>``, then the tokens from the most
        to the least frequent; equally frequent ones in alphabetical order.

    Raises
    ------
    ValueError
        If size leaves no room for a token, or there is none.

    Notes
    -----
    Count over the training part alone: a token seen only in the held-out part must
    stay unknown. Used from chapter 08b on.

    Examples
    --------
    >>> vocabulary([["a", "b"], ["b", "c"]], size=6)
    ['<pad>', '<unk>', '<start>', '<end>', 'b', 'a']
    """
    if size is not None and size <= len(_SPECIAL):
        raise ValueError(f"expected a size over {len(_SPECIAL)}, got {size}")
    counts = Counter(token for text in texts for token in text)
    if not counts:
        raise ValueError("expected at least one token, got none")
    ranked = sorted(counts, key=lambda token: (-counts[token], token))
    return (_SPECIAL + ranked)[:size]


def encode(tokens: Iterable[str], entries: Sequence[str]) -> list[int]:
    """Turn tokens into their numbers.

    Parameters
    ----------
    tokens : of str
    entries : list of str
        From `vocabulary`.

    Returns
    -------
    list of int
        ``UNK`` for a token that has no entry.

    Notes
    -----
    Used from chapter 08b on.

    Examples
    --------
    >>> encode(["b", "z"], ["<pad>", "<unk>", "<start>", "<end>", "a", "b"])
    [5, 1]
    """
    place = _places(tuple(entries))
    return [place.get(token, UNK) for token in tokens]


def decode(ids: Iterable[int], entries: Sequence[str]) -> list[str]:
    """Turn numbers back into tokens, up to the end mark.

    Parameters
    ----------
    ids : of int
    entries : list of str
        From `vocabulary`.

    Returns
    -------
    list of str
        What stands before the first ``END``, without ``PAD`` and ``START``.

    Raises
    ------
    ValueError
        If a number has no entry.

    Notes
    -----
    Used from chapter 08b on.

    Examples
    --------
    >>> decode([2, 5, 4, 3, 0], ["<pad>", "<unk>", "<start>", "<end>", "a", "b"])
    ['b', 'a']
    """
    tokens = []
    for i in map(int, ids):
        if not 0 <= i < len(entries):
            raise ValueError(f"expected numbers in 0..{len(entries) - 1}, got {i}")
        if i == END:
            break
        if i not in (PAD, START):
            tokens.append(entries[i])
    return tokens


def pad(
    sequences: Sequence[Sequence[int]], steps: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Lay sequences of many lengths into one array, filled up with ``PAD``.

    Parameters
    ----------
    sequences : of sequences of int
    steps : int, optional
        Columns of the array, by default the longest length. What is longer is cut.

    Returns
    -------
    ids : array of shape (n, steps), int32
    lengths : array of shape (n,), int32
        How many of a row's entries are real.

    Raises
    ------
    ValueError
        If there is no sequence, or steps is less than 1.

    Notes
    -----
    The lengths must go wherever the array goes: see bug B12. Built in chapter 08.

    Examples
    --------
    >>> ids, lengths = pad([[7, 8, 9], [5]])
    >>> ids.tolist(), lengths.tolist()
    ([[7, 8, 9], [5, 0, 0]], [3, 1])
    """
    if not len(sequences):
        raise ValueError("expected at least one sequence, got none")
    if steps is None:
        steps = max(1, max(map(len, sequences)))
    if steps < 1:
        raise ValueError(f"expected at least 1 step, got {steps}")
    lengths = np.array([min(len(row), steps) for row in sequences], np.int32)
    ids = np.full((len(sequences), steps), PAD, np.int32)
    for row, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        ids[row, :length] = sequence[:length]
    return ids, lengths


@lru_cache(maxsize=8)
def _places(entries):
    """Number the entries, once for all the texts encoded with them."""
    return {token: i for i, token in enumerate(entries)}
