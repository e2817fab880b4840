"""Attention explorer: words, maps, shares and answers are those of the package."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import traitlets

from lessons import text
from lessons.widgets import AttentionExplorer
from lessons.widgets.look import classifier_init, classify, rounded

ENTRIES = text.vocabulary(
    [text.words("a good, quiet film that is not too long - isn't")]
)
TEXTS = [
    "A good film.",
    "a QUIET film, that isn't too long",
    "zyx abc",
    "not good, not quiet: un film très — “long”",
    "good",
]
LABELS = [1, 1, 0, 0, 1]
LENGTH = 12


@functools.cache
def params(heads=2, width=8):
    """Draw a small model with every parameter off zero."""
    made = classifier_init(jax.random.key(1), len(ENTRIES), width, heads, hidden=12)
    rng = np.random.default_rng(heads)
    return jax.tree.map(lambda a: a + 0.3 * rng.normal(size=a.shape), made)


@functools.cache
def figure(heads=2, width=8):
    """Make the figure once for each size."""
    sentences = TEXTS, LABELS
    return AttentionExplorer(params(heads, width), ENTRIES, sentences, LENGTH)


def numbers(explorer):
    """Return the weights that the page reads."""
    return np.frombuffer(explorer.weights, "<f2").astype(float)


@pytest.mark.parametrize(("heads", "width"), [(1, 4), (2, 8), (4, 8)])
@pytest.mark.parametrize("k", range(len(TEXTS)))
def test_maps_shares_and_logits(js, heads, width, k):
    explorer = figure(heads, width)
    expected = explorer.read(TEXTS[k])
    got = js("look.js", "readFrom", numbers(explorer), explorer.sizes, expected["ids"])
    near = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(got["logits"], expected["logits"], **near)
    np.testing.assert_allclose(got["maps"], expected["maps"], **near)
    np.testing.assert_allclose(got["shares"], expected["shares"], **near)
    difference = got["logits"][1] - got["logits"][0]
    assert sum(got["shares"]) + got["bias"] == pytest.approx(difference, abs=1e-9)
    chance = jax.nn.softmax(expected["logits"])[1]
    assert got["chance"] == pytest.approx(float(chance), abs=1e-5)


def test_padding_changes_nothing():
    explorer = figure()
    found = explorer.read(TEXTS[1])
    padded = jnp.asarray([found["ids"] + [text.PAD] * 3])
    logits = classify(explorer.params, padded, jnp.asarray([len(found["ids"])]))[0]
    np.testing.assert_allclose(logits, found["logits"], atol=1e-5)


def test_the_shares_follow_the_last_layer():
    explorer = figure()
    found = explorer.read(TEXTS[1])
    doubled = {**explorer.params, "out": dict(explorer.params["out"])}
    doubled["out"]["w"] = 2 * doubled["out"]["w"]
    logits = classify(doubled, jnp.asarray([found["ids"]]))[0]
    expected = 2 * found["shares"].sum() + found["bias"]
    assert float(logits[1] - logits[0]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "sentence",
    [
        *TEXTS,
        "",
        "  \t\n\x1c\x85\ufeff x",
        "It isn't late; it's 5 o\u2019clock -- 'tis rock'n'roll's end'",
        "snake_case 3.5 50% naïve Ångström 中文 字 ½ ² \u0301 e\u0301 İstanbul ΣΑΣ",
        "tabs\tand\u2003wide\u00a0spaces \u200b zero-width 👍🏽",
    ],
)
def test_words_and_their_numbers(js, sentence):
    tokens = js("look.js", "tokenise", sentence)
    assert tokens == text.words(sentence)
    got = js("attention.js", "numbersOf", sentence, "\n".join(ENTRIES))
    assert got == text.encode(tokens, ENTRIES)


@pytest.mark.parametrize(
    ("sentence", "said", "bad"),
    [
        ("a good film", "", False),
        ("", "There is no word to read. Type a sentence about a film.", True),
        (" \n ", "There is no word to read. Type a sentence about a film.", True),
        ("a zyx film", "Unknown to the model, and read as <unk>: “zyx”.", False),
        ("zyx abc", "None of these words is known to the model.", True),
        ("good " * 2000, "other 1,988 are cut off.", True),
        ("x" * 10_000, "None of these words is known to the model.", True),
    ],
)
def test_what_is_said_of_a_text(js, sentence, said, bad):
    got = js("attention.js", "prepared", sentence, "\n".join(ENTRIES), LENGTH)
    notices = " ".join(got["notices"])
    assert said in notices and bool(said) == bool(notices)
    assert got["bad"] is bad
    assert len(got["tokens"]) == len(got["ids"]) <= LENGTH


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (0.834, "praise 83 %"),
        (0.2, "blame 80 %"),
        (0.5, "praise 50 %"),
        (0.9999, "praise over 99 %"),
        (1e-5, "blame over 99 %"),
    ],
)
def test_the_answer_in_words(js, chance, words):
    assert js("attention.js", "verdict", chance) == words


def test_who_spoke_for_the_answer(js):
    found = {"chance": 0.7, "shares": [0.1, -0.456, 0.789]}
    said = js("attention.js", "answerInWords", ["a", "b", "c"], found)
    assert said == (
        "The model answers praise 70 %. "
        "Most for praise: “c” (+0.79); most for blame: “b” (−0.46)."
    )
    assert (
        js("attention.js", "looksAt", ["a", "b"], [0.25, 0.75]) == "“b” 75 %, “a” 25 %"
    )


@pytest.mark.parametrize(
    "bits", [0, 1, 1023, 1024, 15360, 31743, 31744, 31745, 32769, 33000, 48128, 64512]
)
def test_float16_in_the_page(js, bits):
    expected = np.array([bits], "<u2").view("<f2").astype(float)[0]
    np.testing.assert_equal(float(js("bytes.js", "half", bits)), expected)


def test_rounding_is_to_float16():
    packed, own = rounded(params())
    table = params()["stack"]["embedding"]["table"]
    kept = np.asarray(own["stack"]["embedding"]["table"])
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept, np.asarray(table, np.float16))
    assert len(packed) == 2 * sum(leaf.size for leaf in jax.tree.leaves(own))


def test_examples_are_right_and_wrong_ones():
    explorer = figure()
    assert {row["text"] for row in explorer.examples} <= set(TEXTS)
    for row in explorer.examples:
        answer = explorer.read(row["text"])["logits"].argmax()
        assert row["answer"] == answer
        assert row["label"] == LABELS[TEXTS.index(row["text"])]
    assert explorer.text == explorer.examples[0]["text"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=f"expected {len(ENTRIES)} tokens, got 3"):
        AttentionExplorer(params(), ["a", "b", "c"], (TEXTS, [0] * 5))
    with pytest.raises(ValueError, match="expected 5 labels, got 1"):
        AttentionExplorer(params(), ENTRIES, (TEXTS, [0]))
    with pytest.raises(ValueError, match="one line each"):
        AttentionExplorer(params(), [*ENTRIES[:-1], "a\nb"], (TEXTS, [0] * 5))
    large = {**params(), "out": {"w": 1e5 * jnp.ones((8, 2)), "b": jnp.zeros(2)}}
    with pytest.raises(ValueError, match="up to 65504 in out/w"):
        rounded(large)
    two = {**params(), "stack": {**params()["stack"], "blocks": [None, None]}}
    with pytest.raises(ValueError, match="expected a stack of 1 block, got 2"):
        rounded(two)
    with pytest.raises(ValueError, match="a text with a word"):
        figure().read(" ")


@pytest.mark.parametrize(
    "settings", [{"word": -1}, {"text": None}, {"weights": b""}, {"vocabulary": "a"}]
)
def test_impossible_settings_are_refused(settings):
    [(name, value)] = settings.items()
    before = getattr(figure(), name)
    with pytest.raises(traitlets.TraitError):
        setattr(figure(), name, value)
    assert getattr(figure(), name) == before


def test_the_still_shows_every_head():
    explorer = figure()
    found = explorer.read()
    heads = [axes for axes in explorer.still().axes if axes.get_title()]
    assert [axes.get_title()[:6] for axes in heads] == ["head 1", "head 2"]
    shown = np.asarray(heads[1].images[0].get_array())
    np.testing.assert_allclose(shown, found["maps"][1], atol=1e-6)
    empty = AttentionExplorer(params(), ENTRIES, (TEXTS, [0] * 5), LENGTH, text="")
    assert empty.still() is not None
