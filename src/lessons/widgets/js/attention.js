// Attention explorer: a sentence that the reader types, what every word looks at in each
// head, what each position adds to the answer, and the answer.
import { choice, el, frame, freshId, link, short, svg } from "./ui.js";
import { float16s } from "./bytes.js";
import { UNK, cutModel, numbered, placesOf, readSentence, tokenise } from "./look.js";

const CELL = 16, WIDE = 15;
const ANSWERS = ["blame", "praise"];

/** A part of 1 in words: 83 %, never 100 % unless it is. */
export function percentOf(p) {
  if (p > 0.995 && p < 1) return "over 99 %";
  return p > 0 && p < 0.005 ? "under 1 %" : `${Math.round(100 * p)} %`;
}

/** The answer: "praise 83 %". */
export function verdict(chance) {
  return chance >= 0.5 ? `praise ${percentOf(chance)}` : `blame ${percentOf(1 - chance)}`;
}

const signed = (v) => (v < 0 ? short(Number(v.toFixed(2))) : `+${short(Number(v.toFixed(2)))}`);
const quoted = (word) => `“${word}”`;
const counted = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

/** What a text becomes: its first `length` tokens, their numbers, and what to say of it.
    `bad` tells that there is nothing to judge by. */
export function prepare(text, places, length) {
  const all = tokenise(text), tokens = all.slice(0, length);
  const ids = numbered(tokens, places);
  const unknown = [...new Set(tokens.filter((_, i) => ids[i] === UNK))];
  const notices = [];
  if (!all.length) notices.push("There is no word to read. Type a sentence about a film.");
  if (all.length > length) {
    notices.push(`The model reads ${counted(length, "word")}, marks included: the other ${(all.length - length).toLocaleString("en")} are cut off.`);
  }
  const none = unknown.length > 0 && ids.every((id) => id === UNK);
  if (none) notices.push("None of these words is known to the model. It reads all of them as <unk>, so the answer is no judgement of them.");
  else if (unknown.length) {
    const some = unknown.slice(0, 4).map(quoted).join(", ") + (unknown.length > 4 ? " and others" : "");
    notices.push(`Unknown to the model, and read as <unk>: ${some}.`);
  }
  return { tokens, ids, notices, bad: none || all.length !== tokens.length || !all.length };
}

/** As `prepare`, and only its numbers, from the vocabulary's text: for the tests. */
export const prepared = (text, vocabulary, length) => prepare(text, placesOf(vocabulary), length);
export const numbersOf = (text, vocabulary) => prepared(text, vocabulary, Infinity).ids;

/** What a word looks at most, in words. */
export function looksAt(tokens, row, count = 3) {
  const order = row.map((_, s) => s).sort((a, b) => row[b] - row[a]).slice(0, count);
  return order.map((s) => `${quoted(tokens[s])} ${percentOf(row[s])}`).join(", ");
}

/** The answer and who spoke for it. */
export function answerInWords(tokens, { chance, shares }) {
  const order = shares.map((_, t) => t).sort((a, b) => shares[a] - shares[b]);
  const low = order[0], high = order.at(-1), told = [];
  if (shares[high] > 0) told.push(`most for praise: ${quoted(tokens[high])} (${signed(shares[high])})`);
  if (shares[low] < 0) told.push(`most for blame: ${quoted(tokens[low])} (${signed(shares[low])})`);
  const text = told.join("; ");
  return `The model answers ${verdict(chance)}.` + (text ? ` ${text[0].toUpperCase()}${text.slice(1)}.` : "");
}

/** A map of attention with its words: a row for each looking word. */
function mapOf(head, onlook) {
  const node = svg("svg", { class: "lw-map", role: "img" });
  const caption = el("div", { class: "lw-note" });
  const strip = el("ul", { class: "lw-strip" });
  const box = el("div", { class: "lw-head-map" }, el("b", {}, `Head ${head + 1}`), node, caption, strip);
  let tokens = [], left = 0, chosen = null;

  function at(event) {
    const place = node.getBoundingClientRect(), scale = node.viewBox.baseVal.width / place.width;
    const cell = (v) => Math.floor((v * scale - left) / CELL);
    return [cell(event.clientY - place.top), cell(event.clientX - place.left)];
  }
  node.addEventListener("pointermove", (event) => {
    const [t, s] = at(event);
    if (tokens[t] !== undefined && tokens[s] !== undefined) onlook(t);
  });

  function draw(words, weights) {
    tokens = words;
    const longest = Math.max(...words.map((w) => Math.min(w.length, 14)));
    left = 12 + 6.6 * longest;
    const side = left + CELL * words.length + 2, top = Math.max(...weights.flat());
    node.setAttribute("viewBox", `0 0 ${side} ${side}`);
    node.setAttribute("width", side * 1.25);
    node.classList.toggle("lw-many", words.length > WIDE);
    box.classList.toggle("lw-wide", words.length > WIDE);
    const name = (w) => (w.length > 14 ? `${w.slice(0, 13)}…` : w);
    const middle = (i) => left + CELL * (i + 0.5);
    chosen = svg("rect", { class: "lw-row", x: left, width: CELL * words.length, height: CELL });
    node.replaceChildren(
      ...words.map((w, t) => svg("text", { x: left - 6, y: middle(t) + 4, "text-anchor": "end" }, name(w))),
      ...words.map((w, s) => svg("text", { transform: `translate(${middle(s) + 4} ${left - 6}) rotate(-90)` }, name(w))),
      ...weights.flatMap((row, t) => row.map((v, s) => svg("rect", {
        class: "lw-cell", x: left + CELL * s, y: left + CELL * t, width: CELL, height: CELL,
        style: `fill-opacity: ${(v / top).toFixed(3)}`,
      }))),
      svg("rect", { class: "lw-edge", x: left, y: left, width: CELL * words.length, height: CELL * words.length }),
      chosen);
    node.setAttribute("aria-label",
      `Attention of head ${head + 1}, ${words.length} by ${words.length} words. The strongest cell is ${percentOf(top)}.`);
  }

  function look(t, row) {
    chosen.setAttribute("y", left + CELL * t);
    caption.textContent = `${quoted(tokens[t])} looks at: ${looksAt(tokens, row)}`;
    const top = Math.max(...row);
    strip.replaceChildren(...tokens.map((word, s) => el("li", { style: `--share: ${(row[s] / top).toFixed(3)}` },
      word, el("small", {}, row[s] >= 0.045 ? percentOf(row[s]) : ""))));
  }

  return { box, draw, look };
}

/** The words as buttons, with what each position adds; arrow keys walk through them. */
function wordRow(onchoose) {
  const node = el("div", { class: "lw-words", role: "toolbar", "aria-label": "Words: arrow keys choose the one that looks" });
  let buttons = [];
  node.addEventListener("keydown", (event) => {
    const now = buttons.indexOf(document.activeElement), last = buttons.length - 1;
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: last }[event.key];
    if (now < 0 || to === undefined) return;
    event.preventDefault();
    buttons[Math.min(Math.max(to, 0), last)].focus();
  });

  function draw(tokens, ids, shares) {
    const top = Math.max(...shares.map(Math.abs), 1e-9);
    buttons = tokens.map((word, t) => el("button", {
      type: "button", class: ids[t] === UNK ? "lw-word lw-unknown" : "lw-word", onclick: () => onchoose(t),
      onfocus: () => onchoose(t), onpointerenter: () => onchoose(t),
    }, el("span", {}, word), ids[t] === UNK ? el("small", {}, "unknown") : null,
    el("i", { class: shares[t] < 0 ? "lw-against" : "lw-for", style: `width: ${(100 * Math.abs(shares[t])) / top}%` }),
    el("small", {}, signed(shares[t]))));
    node.replaceChildren(...buttons);
  }
  const mark = (chosen) => buttons.forEach((b, t) => {
    b.setAttribute("aria-pressed", String(t === chosen));
    b.tabIndex = t === chosen ? 0 : -1;
  });
  return { node, draw, mark };
}

function render({ model, el: host }) {
  const cleanups = [];
  const { root, controls, stage, say } = frame(host, {
    title: "Ask the classifier",
    hint: "Type a sentence about a film. The chapter's own network reads it in this page.",
  });
  const sizes = model.get("sizes"), net = cutModel(float16s(model.get("weights")), sizes);
  const places = placesOf(model.get("vocabulary")), examples = model.get("examples");
  const setText = link(model, "text", fresh, cleanups);
  const setWord = link(model, "word", mark, cleanups);
  let now = null, pause = 0;

  const field = el("textarea", { rows: 2, id: freshId("sentence"), spellcheck: "false" });
  field.addEventListener("input", () => setText(field.value));
  const option = ({ text, label, answer }, i) => [String(i),
    `${text.length > 54 ? `${text.slice(0, 53)}…` : text} (${ANSWERS[label]}, read ${answer === label ? "rightly" : "wrongly"})`];
  const list = choice({
    label: "Example sentences, held out", value: "", options: [["", "choose one"], ...examples.map(option)],
    onchange: (i) => { if (i !== "") { setWord(0); setText(examples[Number(i)].text); } },
  });
  controls.classList.add("lw-asking");
  controls.append(el("label", { class: "lw-field", for: field.id }, el("span", {}, "Sentence"), field), list.node);

  const words = wordRow((t) => { if (t !== model.get("word")) setWord(t); });
  const heads = Array.from({ length: sizes.heads }, (_, h) => mapOf(h, (t) => { if (t !== model.get("word")) setWord(t); }));
  const answer = el("div", { class: "lw-verdict" }), bar = el("i"), exact = el("p", { class: "lw-key" });
  stage.append(
    el("div", { class: "lw-wide" }, el("div", { class: "lw-answer-row" }, answer,
      el("div", { class: "lw-scale", "aria-hidden": "true" }, el("span", {}, "blame"), el("div", {}, bar), el("span", {}, "praise"))),
    words.node, exact),
    ...heads.map((h) => h.box));

  // What is wrong with a text stands under it.
  root.insertBefore(root.querySelector(".lw-say"), stage);

  /** Read the text anew. */
  function fresh() {
    const text = model.get("text");
    if (field.value !== text) field.value = text;
    const known = examples.findIndex((e) => e.text === text);
    list.set(known < 0 ? "" : String(known));
    const made = prepare(text, places, sizes.length);
    now = made.ids.length ? { ...made, ...readSentence(net, made.ids) } : null;
    stage.hidden = !now;
    if (now) show();
    // Told when the typing pauses, not at each letter.
    clearTimeout(pause);
    const tell = () => say([...(now ? [answerInWords(now.tokens, now)] : []), ...made.notices].join(" "), made.bad ? "bad" : "");
    if (document.activeElement === field) pause = setTimeout(tell, 350);
    else tell();
  }

  function show() {
    const difference = now.logits[1] - now.logits[0];
    answer.textContent = verdict(now.chance);
    bar.style.left = `${100 * now.chance}%`;
    words.draw(now.tokens, now.ids, now.shares);
    exact.textContent = `Under each word: what its position adds to the difference of the two logits, praise minus blame. ` +
      `The answer is a mean over the positions and one product, so the parts are exact: with the bias of ${signed(now.bias)} ` +
      `they sum to ${signed(difference)}. A position also holds what attention has fetched from other words.`;
    heads.forEach((head, h) => head.draw(now.tokens, now.maps[h]));
    mark();
  }

  /** Show where the chosen word looks. */
  function mark() {
    if (!now) return;
    const t = Math.min(model.get("word"), now.tokens.length - 1);
    words.mark(t);
    heads.forEach((head, h) => head.look(t, now.maps[h][t]));
  }

  cleanups.push(() => clearTimeout(pause));
  fresh();
  return () => cleanups.forEach((stop) => stop());
}

export default { render };
