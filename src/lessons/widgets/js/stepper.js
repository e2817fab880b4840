// Backprop stepper: the graph of L = (relu(w x + b) − y)² + w², as in chapter 02.
import { button, el, frame, link, numberField, short, svg } from "./ui.js";

/** The steps of the graph, in an order in which they can be computed. `local` gives
    the derivative of the step with respect to each of its parents. */
export const GRAPH = [
  { name: "u", parents: ["w", "x"], formula: "w · x", value: (p, q) => p * q,
    local: (p, q) => [q, p], worked: (p, q) => `${p} × ${q}` },
  { name: "z", parents: ["u", "b"], formula: "u + b", value: (p, q) => p + q,
    local: () => [1, 1], worked: (p, q) => `${p} + ${q}` },
  { name: "a", parents: ["z"], formula: "relu(z)", value: (p) => Math.max(p, 0),
    local: (p) => [p > 0 ? 1 : 0], worked: (p) => `relu(${bare(p)})` },
  { name: "s", parents: ["a", "y"], formula: "(a − y)²", value: (p, q) => (p - q) ** 2,
    local: (p, q) => [2 * (p - q), -2 * (p - q)], worked: (p, q) => `(${bare(p)} − ${q})²` },
  { name: "r", parents: ["w"], formula: "w²", value: (p) => p ** 2,
    local: (p) => [2 * p], worked: (p) => `${p}²` },
  { name: "L", parents: ["s", "r"], formula: "s + r", value: (p, q) => p + q,
    local: () => [1, 1], worked: (p, q) => `${p} + ${q}` },
];
const INPUTS = ["w", "x", "b", "y"];
const FORWARD = GRAPH.length;
/** Steps in all: every value, the start at L, every step back. */
export const STEPS = 2 * FORWARD + 1;

/** What is known after some steps: values, derivatives of L so far, the terms that each
    derivative is a sum of, and the local derivatives. */
export function known(inputs, steps) {
  const values = { ...inputs }, local = {}, grads = {}, terms = {};
  for (const { name, parents, value, local: slopes } of GRAPH.slice(0, steps)) {
    const given = parents.map((p) => values[p]);
    values[name] = value(...given);
    local[name] = slopes(...given);
  }
  if (steps > FORWARD) grads.L = 1;
  const back = Math.max(steps - FORWARD - 1, 0);
  for (const { name, parents } of [...GRAPH].reverse().slice(0, back)) {
    parents.forEach((parent, k) => {
      const term = grads[name] * local[name][k];
      (terms[parent] ??= []).push(term);
      grads[parent] = (grads[parent] ?? 0) + term;
    });
  }
  return { values, grads, terms, local };
}

/** The step of the graph that a count of steps has just taken. */
function taken(steps) {
  if (steps <= FORWARD) return GRAPH[steps - 1];
  return GRAPH[2 * FORWARD + 1 - steps];
}

const write = (v) => short(v, 5);
const inBrackets = (v) => (v < 0 ? `(${write(v)})` : write(v));
const bare = (text) => text.replace(/^\((.*)\)$/, "$1");

function reluWords(z) {
  if (z > 0) return "the ReLU is on; ";
  if (z < 0) return "the ReLU is off and lets nothing back; ";
  return "z is 0, at the kink, where this course takes the derivative 0; ";
}

/** Say in words what the last of some steps did. */
export function sentence(inputs, steps) {
  if (steps === 0) return "The inputs are set. Take a forward step to compute u.";
  const { values, grads, terms, local } = known(inputs, steps);
  if (steps === FORWARD + 1) {
    return "Turn round at the end: L changes as L does, so ∂L/∂L = 1.";
  }
  const { name, formula, parents, worked } = taken(steps);
  if (steps <= FORWARD) {
    const numbers = worked(...parents.map((p) => inBrackets(values[p])));
    return `${name} = ${formula} = ${numbers} = ${write(values[name])}.`;
  }
  const received = parents.map((parent, k) => {
    const text = `${parent} receives ${write(grads[name])} × ${inBrackets(local[name][k])}`;
    const all = terms[parent];
    const sum = all.length < 2 ? "" : `; two steps use ${parent}, so their effects add: ` +
      `${all.map((v, i) => (i ? inBrackets(v) : write(v))).join(" + ")} = ${write(grads[parent])}`;
    return `${text} = ${write(all.at(-1))}${sum}`;
  });
  const relu = name === "a" ? reluWords(values.z) : "";
  const end = steps < STEPS ? "" :
    ` Done: ${INPUTS.map((p) => `∂L/∂${p} = ${write(grads[p])}`).join(", ")}.`;
  return `${name} = ${formula}: ${relu}${received.join(". ")}.${end}`;
}

// Centres of the nodes on the drawing: left to right, or downwards on a telephone.
const CARD = { width: 86, height: 68 };
const LAYOUTS = {
  wide: {
    width: 720, height: 412, down: false,
    places: {
      w: [45, 40], x: [45, 138], b: [45, 254], y: [45, 370], u: [171, 106], z: [297, 180],
      a: [423, 180], r: [423, 40], s: [549, 270], L: [675, 155],
    },
  },
  tall: {
    width: 372, height: 624, down: true,
    places: {
      w: [45, 38], x: [139, 38], b: [233, 38], y: [327, 38], u: [110, 150], z: [172, 260],
      a: [204, 370], s: [266, 480], r: [60, 480], L: [163, 586],
    },
  },
};

function edge(layout, from, to, label, aside) {
  const [x0, y0] = layout.places[from];
  const [x1, y1] = layout.places[to].map((v, i) => v + (i === (layout.down ? 0 : 1) ? aside : 0));
  const { width, height } = CARD;
  const [sx, sy] = layout.down ? [x0, y0 + height / 2] : [x0 + width / 2, y0];
  const [ex, ey] = layout.down ? [x1, y1 - height / 2 - 5] : [x1 - width / 2 - 5, y1];
  const path = svg("path", {
    class: label == null ? "lw-edge" : "lw-edge lw-now", d: `M${sx} ${sy}L${ex} ${ey}`,
  });
  const turn = (Math.atan2(ey - sy, ex - sx) * 180) / Math.PI;
  const tip = svg("path", {
    class: label == null ? "lw-tip" : "lw-tip lw-now", d: "M5 0L-5 -4.5L-5 4.5Z",
    transform: `translate(${ex} ${ey}) rotate(${turn})`,
  });
  if (!label) return { lines: [path, tip], labels: [] };
  const wide = 12 + 7 * label.length, x = (sx + ex) / 2, y = (sy + ey) / 2;
  const box = svg("rect", {
    class: "lw-local", x: x - wide / 2, y: y - 11, width: wide, height: 22, rx: 4,
  });
  const text = svg("text", { x, y: y + 4, "text-anchor": "middle" }, label);
  return { lines: [path, tip], labels: [box, text] };
}

function card([x, y], title, value, grad, open, now) {
  const { width, height } = CARD;
  const line = (text, dy, attributes) =>
    svg("text", { x, y: y + dy, "text-anchor": "middle", ...attributes }, text);
  return svg(
    "g", { class: now ? "lw-card lw-now" : "lw-card" },
    svg("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 6 }),
    line(title, -17, { class: "lw-name" }),
    value == null ? null : line(`→ ${short(value, 4)}`, 3, { class: "lw-value" }),
    grad == null ? null : svg("rect", {
      class: open ? "lw-grad lw-open" : "lw-grad", x: x - width / 2 + 6, y: y + 9,
      width: width - 12, height: 20, rx: 10,
    }),
    grad == null ? null : line(`← ${short(grad, 4)}`, 23, {}),
  );
}

/** Draw the graph as it stands after some steps. */
function drawing(layout, inputs, steps) {
  const { values, grads, terms, local } = known(inputs, steps);
  const now = steps === 0 || steps === FORWARD + 1 ? null : taken(steps);
  const lines = [], labels = [], cards = [];
  for (const { name, parents } of GRAPH) {
    parents.forEach((parent, k) => {
      const label = now?.name !== name ? null
        : steps > FORWARD ? `× ${short(local[name][k], 4)}` : "";
      // Two edges end side by side; s lies beyond r in both layouts.
      const turned = name === "L" ? -1 : 1;
      const aside = parents.length === 2 ? turned * (24 * k - 12) : 0;
      const made = edge(layout, parent, name, label, aside);
      lines.push(...made.lines);
      labels.push(...made.labels);
    });
  }
  for (const [name, place] of Object.entries(layout.places)) {
    const formula = GRAPH.find((step) => step.name === name)?.formula;
    const title = formula ? `${name} = ${formula}` : name;
    const lit = now ? now.name === name || (steps > FORWARD && now.parents.includes(name))
      : steps > FORWARD && name === "L";
    const users = GRAPH.filter((step) => step.parents.includes(name)).length;
    const open = (terms[name]?.length ?? 0) < users;
    cards.push(card(place, title, values[name], grads[name], open, lit));
  }
  return [...lines, ...cards, ...labels];
}

function summary(inputs, steps) {
  const { values, grads } = known(inputs, steps);
  const list = (numbers) =>
    Object.entries(numbers).map(([name, v]) => `${name} ${write(v)}`).join(", ");
  const back = steps > FORWARD ? ` Derivatives of L so far: ${list(grads)}.` : "";
  return `Graph of L = (relu(w x + b) − y)² + w². Values: ${list(values)}.${back}`;
}

const layoutFor = (host) =>
  host.clientWidth && host.clientWidth < 560 ? LAYOUTS.tall : LAYOUTS.wide;

function render({ model, el: host }) {
  const cleanups = [];
  let drawn = null;
  const { controls, stage, say } = frame(host, {
    title: "Backpropagation, step by step",
    hint: "Step to the end, then set b to −7: what still reaches w?",
  });
  const setStep = link(model, "step", update, cleanups);
  const fields = Object.fromEntries(INPUTS.map((name) => {
    const set = link(model, name, update, cleanups);
    return [name, numberField({
      label: name, min: -100, max: 100, value: model.get(name), say,
      onchange: (v) => { set(v); update(); },
    })];
  }));
  const go = (to) => setStep(Math.min(Math.max(to, 0), STEPS));
  const ahead = button("Forward step", () => go(model.get("step") + 1), { main: true });
  const back = button("Backward step", () => go(model.get("step") + 1));
  const all = button("Run all", () => go(STEPS)), reset = button("Reset", () => go(0));
  const numbers = el("div", { class: "lw-row lw-narrow" }, ...INPUTS.map((name) => fields[name].node));
  controls.append(numbers, el("div", { class: "lw-row" }, ahead, back, all, reset));

  const picture = svg("svg", { role: "img" });
  const graph = el(
    "div",
    {
      class: "lw-graph", tabindex: "0", role: "group",
      "aria-label": "Graph. Right arrow: one step on. Left arrow: one step back.",
      onkeydown: press,
    },
    picture,
  );
  const key = el("p", { class: "lw-key" },
    "→ value, forward. ← derivative of L, backward; dashed until every user has paid in. " +
    "× local derivative. On the graph, the arrow keys step.");
  stage.append(el("div", {}, graph, key));

  function press(event) {
    const at = model.get("step");
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: STEPS }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  }

  function update() {
    const inputs = Object.fromEntries(INPUTS.map((name) => [name, model.get(name)]));
    const steps = model.get("step");
    INPUTS.forEach((name) => fields[name].set(inputs[name]));
    const layout = drawn = layoutFor(host);
    picture.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
    picture.replaceChildren(...drawing(layout, inputs, steps));
    picture.setAttribute("aria-label", summary(inputs, steps));
    say(sentence(inputs, steps));
    // A button that is switched off hands its focus to the one that comes next.
    const next = steps < FORWARD ? ahead : steps < STEPS ? back : reset;
    const focused = [ahead, back, all].find((b) => b === b.getRootNode().activeElement);
    ahead.disabled = steps >= FORWARD;
    back.disabled = steps < FORWARD || steps === STEPS;
    all.disabled = steps === STEPS;
    for (const b of [ahead, back, reset]) b.classList.toggle("lw-main", b === next);
    if (focused?.disabled) next.focus();
  }

  const watcher = new ResizeObserver(() => {
    if (layoutFor(host) !== drawn) update();
  });
  watcher.observe(host);
  cleanups.push(() => watcher.disconnect());
  update();
  return () => cleanups.forEach((stop) => stop());
}

export default { render };
