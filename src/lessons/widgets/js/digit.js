// Draw a digit: the chapter's LeNet answers in the page, and shows what it looks at.
import { button, el, frame, freshId, link, onTheme } from "./ui.js";
import { softmax } from "./maths.js";
import { floats, lenet, lenetLayers, seenBy } from "./cnn.js";
import { mapStrip } from "./maps.js";
import { SIDE, toPixels } from "./ink.js";
import { grid, palette } from "./pixels.js";
import { pad } from "./pad.js";

const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const BLANK = new Float64Array(SIDE * SIDE);
const UNSURE = 0.7;
const KEYS = "By keyboard: arrow keys move the pen (Home, End, Page Up and Page Down go diagonally), " +
  "Space sets it down or lifts it, Backspace undoes, Delete clears.";

/** Read the logits: ten probabilities and the digits, the likeliest first. */
export function reading(logits) {
  const chances = softmax([...logits]);
  return { chances, order: [...DIGITS].sort((a, b) => chances[b] - chances[a]) };
}

const article = (digit) => (digit === 8 ? "an 8" : `a ${digit}`);
/** A probability in words: 98 %, never 100 % unless it is. */
export function percent(p) {
  if (p > 0.995 && p < 1) return "over 99 %";
  return p > 0 && p < 0.005 ? "under 1 %" : `${Math.round(100 * p)} %`;
}

/** Say what LeNet reads, and against the label where one is known. */
export function inWords({ chances, order: [first, second] }, label = null) {
  const sure = chances[first] >= UNSURE;
  const read = sure
    ? `LeNet reads ${article(first)} (${percent(chances[first])}).`
    : `LeNet is unsure: ${article(first)} (${percent(chances[first])}) ` +
      `or ${article(second)} (${percent(chances[second])}).`;
  if (label === null) return read;
  const verdict = first === label ? "That is right." : "It misreads this digit.";
  return `A held-out digit with the label ${label}. ${read} ${verdict}`;
}

/** Ten labelled bars. */
function bars() {
  const rows = DIGITS.map((digit) => {
    const fill = el("i"), value = el("span", { class: "lw-bar-value" }, "–");
    const row = el("li", {}, el("span", { class: "lw-bar-name" }, String(digit)),
      el("span", { class: "lw-bar", "aria-hidden": "true" }, fill), value);
    return { row, fill, value };
  });
  const node = el("ol", { class: "lw-bars", "aria-label": "Probability of each digit" }, ...rows.map((r) => r.row));
  const show = (read) => rows.forEach(({ row, fill, value }, digit) => {
    const p = read ? read.chances[digit] : 0;
    fill.style.width = `${100 * p}%`;
    value.textContent = !read ? "–" : p > 0.9995 ? "> 99.9 %" : `${(100 * p).toFixed(1)} %`;
    row.classList.toggle("lw-first", Boolean(read) && read.order[0] === digit);
  });
  return { node, show };
}

const step = (title, words, ...inside) => el("figure", { class: "lw-step" },
  el("figcaption", {}, el("b", {}, title), ` ${words}`), ...inside);

function render({ model, el: host }) {
  const cleanups = [];
  const { root, controls, stage, say } = frame(host, {
    title: "Draw a digit",
    hint: "with mouse, finger, pen or keys. LeNet reads it after each stroke.",
  });
  const layers = lenetLayers(floats(model.get("weights")));
  const setStrokes = link(model, "strokes", fresh, cleanups);
  const setExample = link(model, "example", fresh, cleanups);
  let colours = palette(root), now = null, waiting = 0, quiet = false;

  const keys = el("div", { class: "lw-note", id: freshId("keys") }, KEYS);
  const drawing = pad({
    keysId: keys.id,
    onlive: (strokes) => { now = { pixels: toPixels(strokes), label: null }; later(); },
    ondone: (strokes) => { choose(strokes, -1); },
    onundo: undo, onclear: clear,
    tell: (text) => { note.textContent = text; },
  });
  const note = el("div", { class: "lw-note", "aria-live": "polite" });
  // The answer stands beside the pad, where the reader looks.
  const answer = root.querySelector(".lw-say");
  const probabilities = bars();
  const seen = grid({ label: "", className: "lw-seen" });
  const strips = [
    mapStrip({ layer: 1, count: 6, side: 28, words: "Six maps of the first convolution", onlook: (p) => look(0, p) }),
    mapStrip({ layer: 2, count: 16, side: 10, words: "Sixteen maps of the second convolution", onlook: (p) => look(1, p) }),
  ];
  const looking = el("div", { class: "lw-note lw-looking", "aria-live": "polite" });
  const REST = "Point at a pixel of a map: a frame shows the part of the image that it sees.";

  controls.append(
    button("Undo", undo), button("Clear", clear),
    button("Show a held-out digit", () => next(true)), button("Show a misread one", () => next(false)));
  stage.append(
    el("div", { class: "lw-pad-side" }, drawing.node, note, keys),
    el("div", {}, answer, probabilities.node),
    el("div", { class: "lw-pipe" },
      step("What LeNet sees:", "28 × 28, in the form of its training digits", seen.node),
      step("First convolution:", "6 maps of 28 × 28, after ReLU", strips[0].node),
      step("Second convolution:", "16 maps of 10 × 10, after ReLU", strips[1].node)),
    looking);
  looking.textContent = REST;

  function example(k) {
    const bytes = model.get("examples"), size = SIDE * SIDE;
    if (k < 0 || (k + 1) * size > bytes.byteLength) return null;
    return Float64Array.from({ length: size }, (_, i) => bytes.getUint8(k * size + i) / 255);
  }

  function choose(strokes, k) {
    quiet = true;
    setStrokes(strokes);
    setExample(k);
    quiet = false;
    fresh();
  }

  function undo() {
    choose(model.get("strokes").slice(0, -1), -1);
  }
  function clear() { choose([], -1); }

  /** Go to the next example that LeNet reads, or misreads. */
  function next(right) {
    const labels = model.get("labels"), count = labels.length;
    for (let ahead = 1; ahead <= count; ahead += 1) {
      const k = (Math.max(model.get("example"), -1) + ahead) % count;
      if ((reading(lenet(layers, example(k)).logits).order[0] === labels[k]) === right) {
        choose([], k);
        return;
      }
    }
    say(right ? "There is no such digit here." : "LeNet misreads none of the digits here.", "bad");
  }

  /** Take the drawing, or the example, from the model. */
  function fresh() {
    if (quiet) return;
    const shown = example(model.get("example")), strokes = model.get("strokes");
    const pixels = strokes.length ? toPixels(strokes) : shown;
    now = { pixels, label: strokes.length || !shown ? null : model.get("labels")[model.get("example")] };
    drawing.show(strokes, strokes.length || !shown ? null : underlay(shown));
    update();
    const words = now.read ? inWords(now.read, now.label) : "Draw a digit.";
    say(words);
    drawing.describe(now.label !== null ? `A handwritten ${now.label}`
      : strokes.length ? `Your drawing, ${strokes.length} stroke${strokes.length > 1 ? "s" : ""}` : "Empty");
    const data = pixels ? Float32Array.from(pixels) : new Float32Array(0);
    model.set("pixels", new DataView(data.buffer));
    model.save_changes();
  }

  const underlay = (pixels) => (context, size) => {
    const small = grid({ label: "" });
    small.draw([...pixels], [SIDE, SIDE], { look: colours });
    context.imageSmoothingEnabled = false;
    context.drawImage(small.canvas, 0, 0, size, size);
  };

  function later() {
    if (waiting) return;
    waiting = requestAnimationFrame(() => { waiting = 0; if (root.isConnected) update(); });
  }

  function update() {
    const { pixels } = now;
    const made = lenet(layers, pixels ?? BLANK);
    const blank = (map) => ({ ...map, data: map.data.map(() => 0) });
    now.first = pixels ? made.first : blank(made.first);
    now.second = pixels ? made.second : blank(made.second);
    now.read = pixels ? reading(made.logits) : null;
    probabilities.show(now.read);
    seen.draw([...(pixels ?? BLANK)], [SIDE, SIDE], { look: colours });
    seen.describe(pixels ? "The image that LeNet sees" : "A blank image");
    strips[0].draw(now.first, colours);
    strips[1].draw(now.second, colours);
  }

  function look(which, place) {
    strips.forEach((strip, k) => strip.mark(k === which ? place : null));
    if (!place) {
      seen.mark([]);
      looking.textContent = REST;
      return;
    }
    const [map, row, column] = place;
    const rows = seenBy(which + 1, row), columns = seenBy(which + 1, column);
    seen.mark([[rows[0], columns[0], rows[1] - rows[0] + 1, columns[1] - columns[0] + 1, "lw-window"]]);
    const of = which === 0 ? now.first : now.second;
    const value = of.data[(row * of.columns + column) * of.channels + map];
    looking.textContent = `${which === 0 ? "First" : "Second"} convolution, map ${map + 1}, ` +
      `row ${row}, column ${column}: ${value.toFixed(2)}. ` +
      `It sees rows ${rows[0]} to ${rows[1]} and columns ${columns[0]} to ${columns[1]}.`;
  }

  onTheme(() => { colours = palette(root); drawing.paint(); update(); }, cleanups);
  cleanups.push(() => cancelAnimationFrame(waiting));
  fresh();
  return () => cleanups.forEach((stop) => stop());
}

export default { render };
