// The encoder of chapter 09c in the page: words, one block of attention, a mean over the
// positions, two logits. As lessons.text and lessons.transformer compute.
import { softmax } from "./maths.js";

export const UNK = 1;
// White space as Python's \s has it, which is not quite JavaScript's.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const WORD = "[\\p{L}\\p{N}_]";
const TOKEN = new RegExp(`${WORD}+(?:['\\u2019]${WORD}+)*|[^\\p{L}\\p{N}_${SPACE}]`, "gu");

/** Divide a text into lower-case words and punctuation marks: lessons.text.words. */
export function tokenise(text) {
  return text.toLowerCase().match(TOKEN) ?? [];
}

/** Number of each token of a vocabulary, from its text with one token a line. */
export function placesOf(vocabulary) {
  return new Map(vocabulary.split("\n").map((token, i) => [token, i]));
}

/** Turn tokens into numbers; UNK for what has none. */
export function numbered(tokens, places) {
  return tokens.map((token) => places.get(token) ?? UNK);
}

/** The arrays in the order in which they travel. */
function shapes({ vocabulary, width, heads, hidden }) {
  const d = width / heads;
  return {
    table: [vocabulary, width], scale1: [width], shift1: [width],
    w_q: [width, heads, d], w_k: [width, heads, d], w_v: [width, heads, d],
    b_q: [heads, d], b_k: [heads, d], b_v: [heads, d], w_o: [heads, d, width], b_o: [width],
    scale2: [width], shift2: [width], up_w: [width, hidden], up_b: [hidden],
    down_w: [hidden, width], down_b: [width], scale3: [width], shift3: [width],
    out_w: [width, 2], out_b: [2],
  };
}

/** Cut the model's numbers into its arrays, each flat. */
export function cutModel(numbers, sizes) {
  const all = Float64Array.from(numbers), model = { ...sizes };
  let from = 0;
  for (const [name, shape] of Object.entries(shapes(sizes))) {
    model[name] = all.subarray(from, (from += shape.reduce((a, b) => a * b, 1)));
  }
  return model;
}

/** x @ w + b for one vector; w lies row by row. */
function affineOf(x, w, b) {
  const out = Float64Array.from(b), row = out.length;
  for (let i = 0; i < x.length; i += 1) {
    for (let j = 0; j < row; j += 1) out[j] += x[i] * w[i * row + j];
  }
  return out;
}

function normed(x, scale, shift) {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
  const spread = Math.sqrt(variance + 1e-5);
  return x.map((v, i) => ((v - mean) / spread) * scale[i] + shift[i]);
}

const plus = (a, b) => a.map((v, i) => v + b[i]);

/** What a position adds to each word's vector: the clocks of chapter 09. */
function clocks(t, width) {
  return Float64Array.from({ length: width }, (_, j) => {
    const angle = t / 10000 ** ((j - (j % 2)) / width);
    return j % 2 ? Math.cos(angle) : Math.sin(angle);
  });
}

/** Attention weights of every head, [head][looking][looked at], and what it adds. */
function attend(model, x) {
  const { heads, width } = model, d = width / heads;
  const [q, k, v] = ["q", "k", "v"].map((n) => x.map((row) => affineOf(row, model[`w_${n}`], model[`b_${n}`])));
  const maps = [], mixed = x.map(() => new Float64Array(width));
  for (let h = 0; h < heads; h += 1) {
    const dot = (a, b) => {
      let sum = 0;
      for (let e = h * d; e < (h + 1) * d; e += 1) sum += a[e] * b[e];
      return sum / Math.sqrt(d);
    };
    maps.push(q.map((query) => softmax(k.map((key) => dot(query, key)))));
    maps[h].forEach((row, t) => row.forEach((share, s) => {
      for (let e = h * d; e < (h + 1) * d; e += 1) mixed[t][e] += share * v[s][e];
    }));
  }
  return { maps, added: mixed.map((row) => affineOf(row, model.w_o, model.b_o)) };
}

/** Read a sentence of numbers, at least one. Gives the maps, the two logits, and what
    each position adds to their difference, which with `bias` sums to it: the answer is
    a mean over the positions and a product, so this is exact. */
export function readSentence(model, ids) {
  const { width } = model, size = Math.sqrt(width);
  let h = ids.map((id, t) => {
    const row = model.table.subarray(id * width, (id + 1) * width).map((v) => v * size);
    return plus(row, clocks(t, width));
  });
  const { maps, added } = attend(model, h.map((row) => normed(row, model.scale1, model.shift1)));
  h = h.map((row, t) => plus(row, added[t]));
  h = h.map((row) => {
    const inner = affineOf(normed(row, model.scale2, model.shift2), model.up_w, model.up_b);
    return plus(row, affineOf(inner.map((v) => Math.max(v, 0)), model.down_w, model.down_b));
  });
  const last = h.map((row) => normed(row, model.scale3, model.shift3));
  const parts = last.map((row) => affineOf(row, model.out_w, [0, 0]).map((v) => v / ids.length));
  const logits = parts.reduce(plus, Float64Array.from(model.out_b));
  return {
    maps, logits, shares: parts.map(([a, b]) => b - a),
    bias: model.out_b[1] - model.out_b[0], chance: softmax([...logits])[1],
  };
}

/** As `readSentence`, from all numbers in a row: what the tests compare. */
export function readFrom(numbers, sizes, ids) {
  return readSentence(cutModel(numbers, sizes), ids);
}
