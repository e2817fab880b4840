// Optimizer race: five rules from one start on a map of a loss surface.
import { button, choice, el, frame, link, logField, numberField, short, svg } from "./ui.js";
import { chart } from "./chart.js";
import { crossings } from "./contour.js";
import { RULE_NAMES } from "./nn.js";
import { run, SURFACES } from "./descent.js";

// How each rule is drawn: its colour, dashes, and marker around (0, 0).
const LOOKS = {
  sgd: { tone: "blue", dash: "none", mark: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z" },
  momentum: { tone: "red", dash: "9 3", mark: "M-4.5 -4.5H4.5V4.5H-4.5Z" },
  rmsprop: { tone: "green", dash: "2.5 2.5", mark: "M0 -6L5.6 4.5H-5.6Z" },
  adam: { tone: "pink", dash: "9 3 2 3", mark: "M0 -6.5L6 0L0 6.5L-6 0Z" },
  adamw: { tone: "ink", dash: "14 4", mark: "M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z" },
};
const NAMES = Object.fromEntries(RULE_NAMES);
const RULES_HERE = RULE_NAMES.map(([rule]) => rule);

function marker(rule, attributes = {}) {
  const style = `fill: var(--lw-${LOOKS[rule].tone}); stroke: var(--lw-paper); stroke-width: 1`;
  return svg("path", { d: LOOKS[rule].mark, style, ...attributes });
}

/** Draw the lines of equal height; each is twice as high above the lowest as the last. */
function contours(map, { x, y, value, floor }) {
  const columns = 81, rows = 61;
  const at = ([low, high], k, count) => low + ((high - low) * k) / (count - 1);
  const heights = Float64Array.from({ length: columns * rows }, (_, i) =>
    value(at(x, i % columns, columns), at(y, Math.floor(i / columns), rows)) - floor);
  const most = heights.reduce((a, b) => Math.max(a, b), 0);
  for (let k = 0; k < 12; k += 1) {
    const found = crossings(heights, columns, rows, most / 2 ** (k + 0.5));
    const place = (i) => `${map.px(at(x, found[i], columns)).toFixed(1)} ${map.py(at(y, found[i + 1], rows)).toFixed(1)}`;
    let d = "";
    for (let i = 0; i < found.length; i += 4) d += `M${place(i)}L${place(i + 2)}`;
    map.put(`level ${k}`, svg("path", { class: "lw-level", d, style: `stroke-opacity: ${0.25 + 0.05 * k}` }));
  }
}

/** Say how the race stands after k steps. */
export function standing(name, lanes, k) {
  if (k === 0) return "At the start. Press Run, or move the start by a click or the arrow keys.";
  const parts = Object.entries(lanes).map(([rule, { losses, diverged }]) =>
    diverged !== null && diverged <= k ? `${NAMES[rule]} diverged at step ${diverged}`
      : `${NAMES[rule]} ${short(losses[k] - SURFACES[name].floor)}`);
  return `After ${k} ${k === 1 ? "step" : "steps"}, height above the lowest point: ${parts.join(", ")}.`;
}

const power = (v) => Math.log10(Math.max(v, 1e-6));

function render({ model, el: host }) {
  const cleanups = [];
  const { root, controls, stage, say } = frame(host, {
    title: "Optimizer race",
    hint: "Press Run. Then raise the rate of SGD over 2/25 = 0.08.",
  });
  let lanes = {}, k = 0, running = false, asked = 0;
  const set = Object.fromEntries(["surface", "start", "rates", "steps"].map((name) =>
    [name, link(model, name, () => change(name), cleanups)]));

  const surface = choice({
    label: "Surface", options: Object.entries(SURFACES).map(([name, { title }]) => [name, title]),
    value: model.get("surface"), onchange: choose,
  });
  const count = numberField({
    label: "Steps", min: 1, max: 500, value: model.get("steps"), whole: true, say, onchange: set.steps,
  });
  const all = logField({
    label: "One rate for all", low: -4, high: 1, min: 1e-6, max: 100, value: 0.02, say,
    onchange: (v) => set.rates(Object.fromEntries(RULES_HERE.map((rule) => [rule, v]))),
  });
  const go = button("Run", () => (running ? pause() : play()), { main: true });
  controls.append(surface.node, count.node, all.node, el("div", { class: "lw-row" }, go,
    button("Step", () => { pause(); show(Math.min(k + 1, model.get("steps")), true); }),
    button("Reset", () => { pause(); show(0, true); })));

  const map = chart({ label: "", x: [0, 1], y: [0, 1], xLabel: "w0", yLabel: "w1", height: 300 });
  const fall = chart({
    label: "", x: [0, 1], y: [-6, 3], xLabel: "step", yLabel: "height above the lowest, power of 10", height: 300,
  });
  const plane = el("div", {
    class: "lw-graph", tabindex: "0", role: "group", onkeydown: press,
    "aria-label": "Map. The arrow keys move the start.",
  }, map.node);
  const fields = Object.fromEntries(RULES_HERE.map((rule) => [rule, numberField({
    label: `${NAMES[rule]}, rate`, min: 1e-6, max: 100, value: model.get("rates")[rule], say,
    onchange: (v) => set.rates({ ...model.get("rates"), [rule]: v }),
  })]));
  const notes = Object.fromEntries(RULES_HERE.map((rule) => [rule, el("span", { class: "lw-note" })]));
  const boxes = RULES_HERE.map((rule) => {
    const line = svg("path", {
      d: "M0 8H34", fill: "none", "stroke-width": 2.2, "stroke-dasharray": LOOKS[rule].dash,
      style: `stroke: var(--lw-${LOOKS[rule].tone})`,
    });
    const swatch = svg("svg", { viewBox: "0 0 44 16", width: 44, height: 16, "aria-hidden": "true" }, line,
      marker(rule, { transform: "translate(36 8)" }));
    return el("div", { class: "lw-lane" }, swatch, fields[rule].node, notes[rule]);
  });
  stage.append(plane, el("div", {}, fall.node), el("div", { class: "lw-wide lw-lanes" }, ...boxes));

  /** The reader takes another surface: its own start and rates come with it. */
  function choose(name) {
    pause();
    k = 0;
    const { start, rates } = model.get("presets")[name];
    model.set("start", start);
    model.set("rates", rates);
    set.surface(name);
  }

  function change(name) {
    surface.set(model.get("surface"));
    count.set(model.get("steps"));
    for (const rule of RULES_HERE) fields[rule].set(model.get("rates")[rule]);
    if (name === "surface" || name === "all") drawMap();
    if (name === "steps" || name === "all") fall.range([0, 1.04 * model.get("steps")], [-6, 3]);
    compute();
    show(Math.min(k, model.get("steps")), !running);
  }

  function compute() {
    lanes = Object.fromEntries(RULES_HERE.map((rule) => [rule,
      run(model.get("surface"), rule, model.get("rates")[rule], model.get("start"), model.get("steps"))]));
  }

  function drawMap() {
    const chosen = SURFACES[model.get("surface")];
    map.range(chosen.x, chosen.y);
    contours(map, chosen);
    map.put("lowest", svg("g", {}, ...chosen.lowest.map(([a, b]) => svg("path", {
      class: "lw-axis", d: "M-5 -5L5 5M-5 5L5 -5", "stroke-width": 2, transform: `translate(${map.px(a)} ${map.py(b)})`,
    }))));
  }

  /** Draw the first k steps; `tell` says how they stand. */
  function show(to, tell) {
    k = to;
    const name = model.get("surface"), { floor } = SURFACES[name], [a, b] = model.get("start");
    for (const rule of RULES_HERE) {
      const { path, losses, diverged } = lanes[rule], { tone, dash } = LOOKS[rule];
      const seen = path.slice(0, k + 1), end = seen.at(-1), dashes = { "stroke-dasharray": dash };
      const heights = losses.slice(0, k + 1).map((v, i) => [i, power(v - floor)]);
      map.curve(rule, seen, tone, dashes);
      fall.curve(rule, heights, tone, dashes);
      map.put(`${rule} end`, headOf(rule, map, end));
      fall.put(`${rule} end`, headOf(rule, fall, heights.at(-1)));
      notes[rule].textContent = diverged !== null && diverged <= k ? `diverged at step ${diverged}`
        : `height ${short(losses[k] - floor)}`;
    }
    map.put("start", svg("circle", {
      cx: map.px(a), cy: map.py(b), r: 7, fill: "none", "stroke-width": 2, style: "stroke: var(--lw-ink)",
    }));
    map.describe(`Map of the surface: ${SURFACES[name].title}. Start at w0 ${short(a)}, w1 ${short(b)}; ` +
      `lowest at ${SURFACES[name].lowest.map((p) => p.map((v) => short(v)).join(", ")).join(" and at ")}. ${k} steps drawn.`);
    fall.describe(standing(name, lanes, k));
    if (tell) say(standing(name, lanes, k));
  }

  function headOf(rule, place, [a, b]) {
    const usable = Number.isFinite(a) && Number.isFinite(b);
    const x = usable ? Math.min(Math.max(place.px(a), -99), 999) : -99, y = usable ? Math.min(Math.max(place.py(b), -99), 999) : -99;
    return marker(rule, { transform: `translate(${x.toFixed(2)} ${y.toFixed(2)})` });
  }

  function play() {
    if (k >= model.get("steps")) k = 0;
    running = true;
    go.textContent = "Pause";
    say("Running.");
    if (!asked) asked = requestAnimationFrame(frameOn);
  }

  function pause() {
    if (!running) return;
    running = false;
    go.textContent = "Run";
    show(k, true);
  }

  function frameOn() {
    asked = 0;
    if (!running || !root.isConnected) return;
    show(k + 1, false);
    if (k >= model.get("steps")) pause();
    else asked = requestAnimationFrame(frameOn);
  }

  function moveStart([a, b]) {
    const { x, y } = SURFACES[model.get("surface")];
    const inside = (v, [low, high]) => Number(Math.min(Math.max(v, low), high).toPrecision(4));
    set.start([inside(a, x), inside(b, y)]);
  }

  function press(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault();
    const { x, y } = SURFACES[model.get("surface")], [a, b] = model.get("start");
    const [dx, dy] = [x, y].map(([low, high]) => (high - low) / (event.shiftKey ? 200 : 40));
    moveStart([a + way[0] * dx, b + way[1] * dy]);
  }

  /** The place of the map under the pointer. */
  function under(event) {
    const { x, y } = SURFACES[model.get("surface")], box = map.node.getBoundingClientRect();
    const scale = 360 / box.width, px = (event.clientX - box.left) * scale, py = (event.clientY - box.top) * scale;
    const back = (v, [low, high], f) => low + ((v - f(low)) / (f(high) - f(low))) * (high - low);
    return [back(px, x, map.px), back(py, y, map.py)];
  }
  map.node.addEventListener("pointerdown", (event) => moveStart(under(event)));
  map.node.addEventListener("pointermove", (event) => {
    if (event.buttons === 1 && event.pointerType === "mouse") moveStart(under(event));
  });
  cleanups.push(() => cancelAnimationFrame(asked));
  change("all");
  return () => cleanups.forEach((undo) => undo());
}

export default { render };
