"""Attention explorer: the chapter's classifier reads what the reader types."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import traitlets

from lessons import activations, attention, data, dnn, norms, plots, text, transformer
from lessons.widgets._base import JS, LiveFigure, bundle

ANSWERS = ("blame", "praise")
_SPECIAL = 4  # entries of a vocabulary that are no words
# In the order in which their numbers travel.
_LAYERS = (
    *(("norm1", name) for name in ("scale", "shift")),
    *(("attention", f"w_{name}") for name in "qkv"),
    *(("attention", f"b_{name}") for name in "qkv"),
    *(("attention", name) for name in ("w_o", "b_o")),
    *(("norm2", name) for name in ("scale", "shift")),
    *(("feed_forward", layer, name) for layer in ("up", "down") for name in "wb"),
)
_PATHS = (
    ("stack", "embedding", "table"),
    *(("stack", "blocks", 0, *path) for path in _LAYERS),
    *(("stack", "norm", name) for name in ("scale", "shift")),
    *(("out", name) for name in "wb"),
)


def classify(params: dict, ids, lengths=None):
    """Give the two logits, blame and praise, as the model of chapter 09c does.

    Parameters
    ----------
    params : dict
        ``stack``, of one block, as ``lessons.transformer.stack_init`` makes it, and
        ``out``, a dense layer with two outputs.
    ids : integer array of shape (B, T)
    lengths : integer array of shape (B,), optional

    Returns
    -------
    array of shape (B, 2)

    Notes
    -----
    Used in chapter 09c.

    Examples
    --------
    >>> params = classifier_init(jax.random.key(0), 6, width=4, heads=2, hidden=8)
    >>> classify(params, jnp.array([[4, 5, 1]])).shape
    (1, 2)
    """
    relu = activations.relu
    h = transformer.encode(params["stack"], ids, lengths, activation=relu)
    return dnn.dense(params["out"], transformer.mean_over_time(h, lengths))


def classifier_init(
    key, vocabulary: int, width: int = 32, heads: int = 2, hidden: int = 64
) -> dict:
    """Make the parameters of an untrained classifier of the form of chapter 09c.

    Parameters
    ----------
    key : JAX random key
    vocabulary, width, heads, hidden : int
        Sizes, as for ``lessons.transformer.stack_init``.

    Returns
    -------
    dict
        ``stack`` and ``out``.

    Notes
    -----
    Used in chapter 09c.

    Examples
    --------
    >>> sorted(classifier_init(jax.random.key(0), 6, width=4))
    ['out', 'stack']
    """
    first, second = jax.random.split(key)
    sizes = {"heads": heads, "layers": 1, "d_hidden": hidden}
    return {
        "stack": transformer.stack_init(first, vocabulary, width, **sizes),
        "out": dnn.dense_init(second, width, 2),
    }


def rounded(params: dict) -> tuple[bytes, dict]:
    """Round parameters to float16.

    Parameters
    ----------
    params : dict
        As for `classify`.

    Returns
    -------
    bytes
        All numbers, little-endian, two bytes each.
    dict
        The same parameters, rounded, as float32.

    Raises
    ------
    ValueError
        If an array is missing, the stack has not one block, or float16 cannot hold a
        number.

    Notes
    -----
    Used in chapter 09c.

    Examples
    --------
    >>> numbers, own = rounded(classifier_init(jax.random.key(0), 6, width=4, hidden=8))
    >>> len(numbers), own["out"]["w"].shape
    (428, (4, 2))
    """
    blocks = len(params["stack"]["blocks"])
    if blocks != 1:
        raise ValueError(f"expected a stack of 1 block, got {blocks}")
    # By NumPy: XLA can not convert float16 for processors without such an instruction.
    with np.errstate(over="ignore"):
        halves = jax.tree.map(lambda a: np.asarray(a, "<f2"), params)
    parts = []
    for path in _PATHS:
        values = halves
        for key in path:
            values = values[key]
        if not np.isfinite(values).all():
            name = "/".join(map(str, path))
            raise ValueError(f"expected numbers up to 65504 in {name}, got larger ones")
        parts.append(values.tobytes())
    return b"".join(parts), jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), halves)


class AttentionExplorer(LiveFigure):
    """Read a sentence with a trained classifier, and show its attention.

    The page gets the parameters rounded to float16: half the bytes, three decimal
    digits. `params` are the rounded ones, so Python and page give the same answer.

    Parameters
    ----------
    params : dict
        As for `classify`, with one block.
    vocabulary : list of str
        From ``lessons.text.vocabulary``.
    sentences : pair of lists, or None
        Texts and labels (1 is praise) that training has not seen, to choose examples
        from; the held-out film sentences of the course if None.
    length : int
        Words of a text that the model reads.
    text : str
        What is read; the first example by default.
    word : int
        The place of the word that looks.

    Raises
    ------
    ValueError
        If parameters, vocabulary and sentences do not fit each other.
    traitlets.TraitError
        If a setting has no meaning.

    Notes
    -----
    Used in chapter 09c.

    Examples
    --------
    >>> entries = text.vocabulary([["a", "good", "film"]])
    >>> params = classifier_init(jax.random.key(0), len(entries), width=8)
    >>> AttentionExplorer(params, entries, (["a good film"], [1]))
    AttentionExplorer()
    """

    _esm = bundle("attention.js")
    _css = LiveFigure._css + (JS / "look.css").read_text(encoding="utf-8")
    weights = traitlets.Bytes().tag(sync=True)
    sizes = traitlets.Dict().tag(sync=True)
    vocabulary = traitlets.Unicode().tag(sync=True)
    examples = traitlets.List().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    word = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        params: dict,
        vocabulary: list[str],
        sentences: tuple | None = None,
        length: int = 40,
        **settings: Any,
    ) -> None:
        """Round the parameters, and choose the examples."""
        if any(not token or "\n" in token for token in vocabulary):
            raise ValueError("expected tokens of one line each, got others")
        weights, self.params = rounded(params)
        [rows, width] = self.params["stack"]["embedding"]["table"].shape
        if rows != len(vocabulary):
            raise ValueError(f"expected {rows} tokens, got {len(vocabulary)}")
        if length < 1:
            raise ValueError(f"expected a length of at least 1, got {length}")
        block = self.params["stack"]["blocks"][0]
        sizes = {"vocabulary": rows, "width": width, "length": length}
        sizes["heads"] = block["attention"]["w_q"].shape[1]
        sizes["hidden"] = block["feed_forward"]["up"]["b"].shape[0]
        self._entries, self._length = list(vocabulary), length
        held_out = data.load("sentiment_en")[1] if sentences is None else sentences
        examples = self._choose(*held_out)
        settings.setdefault("text", examples[0]["text"] if examples else "")
        made = {"weights": weights, "sizes": sizes, "examples": examples}
        made["vocabulary"] = "\n".join(vocabulary)
        self._made: dict[str, Any] = {}
        super().__init__(**made, **settings)
        self._made = made

    @traitlets.validate("weights", "sizes", "vocabulary", "examples")
    def _kept(self, proposal):
        """Refuse to change what belongs to the parameters."""
        name = proposal["trait"].name
        if self._made and proposal["value"] != self._made[name]:
            raise traitlets.TraitError(f"expected {name} as made, got a change")
        return proposal["value"]

    def _choose(self, texts, labels, each: int = 2) -> list[dict]:
        """Choose sentences of 5 to 16 words: of each label some right, some wrong."""
        if len(texts) != len(labels):
            raise ValueError(f"expected {len(texts)} labels, got {len(labels)}")
        tokens = [text.words(t) for t in texts]
        fit = [i for i, words in enumerate(tokens) if 5 <= len(words) <= 16]
        fit = fit[:: max(1, len(fit) // 300)] or list(range(len(texts)))[:1]
        if not fit:
            return []
        coded = [text.encode(tokens[i], self._entries) for i in fit]
        logits = classify(self.params, *map(jnp.asarray, text.pad(coded, self._length)))
        kinds: dict[tuple[bool, int], list[dict]] = {}
        for i, answer in zip(fit, np.asarray(logits).argmax(axis=-1), strict=True):
            row = {"text": texts[i], "label": int(labels[i]), "answer": int(answer)}
            kinds.setdefault((row["label"] != row["answer"], -row["label"]), []).append(
                row
            )
        return [row for kind in sorted(kinds) for row in kinds[kind][:each]]

    def read(self, sentence: str | None = None) -> dict[str, Any]:
        """Read a text, by default the figure's own, as the page does.

        Returns
        -------
        dict
            ``tokens``; ``ids``; ``logits``, blame and praise; ``maps`` of shape
            (heads, T, T), rows look; ``shares`` of shape (T,), what each position adds
            to praise minus blame: with ``bias`` they sum to it.
        """
        tokens = text.words(self.text if sentence is None else sentence)
        tokens = tokens[: self._length]
        if not tokens:
            raise ValueError("expected a text with a word, got none")
        ids = jnp.asarray([text.encode(tokens, self._entries)])
        stack, out = self.params["stack"], self.params["out"]
        h = transformer.encode(stack, ids, activation=activations.relu)
        parts = h[0] @ out["w"] / len(tokens)
        return {
            "tokens": tokens,
            "ids": ids[0].tolist(),
            "maps": np.asarray(_maps(stack, ids)[0]),
            "logits": np.asarray(classify(self.params, ids)[0]),
            "shares": np.asarray(parts[:, 1] - parts[:, 0]),
            "bias": float(out["b"][1] - out["b"][0]),
        }

    def still(self):
        """Draw the attention of every head for the figure's sentence."""
        found = self.read() if text.words(self.text) else None
        if found is None:
            return plots.bars({"no word": 0.0}, xlabel="word", ylabel="share (nats)")
        praise = float(jax.nn.softmax(found["logits"])[1])
        answer = max((praise, "praise"), (1 - praise, "blame"))
        figure, axes = plots.panels(1, len(found["maps"]), height=4.0)
        for head, ax in enumerate(np.ravel(axes)):
            title = f"head {head + 1}; {answer[1]} {100 * answer[0]:.0f} %"
            plots.heatmap(
                found["maps"][head], xlabel="looked at", ylabel="looks", title=title,
                digits=None, ax=ax, xticks=found["tokens"], yticks=found["tokens"],
            )  # fmt: skip
            ax.tick_params(axis="x", rotation=90)
        return figure


def _maps(stack: dict, ids):
    """Return the attention weights of the block, (B, heads, T, T)."""
    [block] = stack["blocks"]
    h = transformer.embed_sequence(stack, jnp.asarray(ids))
    h = norms.layer_norm(block["norm1"], h)
    return attention.multi_head_weights(block["attention"], h)
