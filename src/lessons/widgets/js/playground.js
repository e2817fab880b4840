// Playground: choose a task and a network, train it here, and watch its border.
import { button, choice, el, frame, link, logField, numberField, onTheme, short, tickBox } from "./ui.js";
import { chart, legend } from "./chart.js";
import { ACTIVATION_NAMES } from "./maths.js";
import { RULE_NAMES } from "./nn.js";
import { border, dots, gridPicture, palette, sharpCanvas, unitPlaces, weights } from "./surface.js";
import { beginTraining, columns, evaluate, forget, oneStep, unpack } from "./trainer.js";
import { surfaceOf, thumbnails } from "./probe.js";

const TASKS = [
  ["line", "x > 0 (one input)"], ["diagonal", "x0 > x1"], ["xor", "xor"], ["moons", "moons"], ["spirals", "spirals"],
];
const TRAINING = 400, HELD_OUT = 200, DECAY = 0.01, GRID = 64, SIDE = 350;
const STARTS_NAMED = [["he", "He"], ["glorot", "Glorot"], ["standard", "N(0, 1)"]];
const CHANCE = Math.log(2);
const STEPS_A_FRAME = 6, TRAINING_MS = 4, FRAME_MS = 8;

const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

/** Say where the training stands. */
export function report({ step, train, held, accuracy }) {
  return `After ${step} ${step === 1 ? "step" : "steps"} the mean loss is ${short(train)} on the training points, ` +
    `${short(held)} on the held-out points; ${percent(accuracy)} of the held-out points are right.`;
}

/** Say what a first loss tells: at chance it is ln 2. */
export function firstLoss(loss) {
  if (loss > 1.5 * CHANCE) return " The start is worse than knowing nothing, which costs ln 2 = 0.693.";
  return " Knowing nothing costs ln 2 = 0.693.";
}

/** Where the points of a task lie: [low, high] of each coordinate, with a margin. */
export function span(rows, inputs) {
  const reach = (k) => {
    const low = Math.min(...rows.map((r) => r[k])), high = Math.max(...rows.map((r) => r[k]));
    return [low - 0.1 * (high - low), high + 0.1 * (high - low)];
  };
  return [reach(0), inputs === 1 ? [-0.15, 1.15] : reach(1)];
}

function render({ model, el: host }) {
  const cleanups = [];
  const { root, controls, stage, say } = frame(host, {
    title: "Playground",
    hint: "Press Run. Then set the hidden layers to 0 and run again: the loss ends at ln 2.",
  });
  const data = unpack(model.get("points"), TASKS.map(([name]) => name), TRAINING, HELD_OUT);
  let run, probe, running = false, frames = 0, asked = 0, onScreen = true, colours = palette(root);
  let hovered = null, latest = null;

  const settings = () => ({
    optimizer: model.get("optimizer"), rate: model.get("rate"), batch: model.get("batch"), decay: DECAY,
  });
  const sync = {};
  const parts = {};
  const bind = (name, make, apply) => {
    const set = link(model, name, (v) => { sync[name].set(v); apply(v); }, cleanups);
    sync[name] = make(set);
    return sync[name].node;
  };
  const field = (label, name, min, max) => (set) =>
    numberField({ label, min, max, value: model.get(name), whole: true, say, onchange: set });
  const menu = (label, name, options) => (set) =>
    choice({ label, options, value: model.get(name), onchange: set });
  const go = button("Run", () => (running ? pause() : play()), { main: true });
  controls.append(
    bind("task", menu("Task", "task", TASKS), reset),
    bind("depth", field("Hidden layers", "depth", 0, 4), reset),
    bind("width", field("Units in each", "width", 1, 16), reset),
    bind("activation", menu("Activation", "activation", [...ACTIVATION_NAMES, ["identity", "none"]]), reset),
    bind("start", menu("Weights at the start", "start", STARTS_NAMED), reset),
    bind("optimizer", menu("Optimizer", "optimizer", RULE_NAMES), () => { forget(run); fromNow(); }),
    bind("rate", (set) => logField({
      label: "Learning rate", low: -4, high: 1, min: 1e-6, max: 100, value: model.get("rate"), say, onchange: set,
    }), fromNow),
    bind("batch", field("Batch size", "batch", 1, TRAINING), fromNow),
    el("div", { class: "lw-row" }, go,
      button("Step", () => advance(1)), button("Epoch", () => advance(Infinity)),
      button("Reset", reset),
      button("New weights", () => model.get("seed") === 999 ? setSeed(0) : setSeed(model.get("seed") + 1))),
  );
  const setSeed = link(model, "seed", reset, cleanups);

  const plane = sharpCanvas(SIDE, 300, { role: "img" });
  const map = sharpCanvas(SIDE, 190, { role: "img", "aria-label": "The network." });
  const picture = gridPicture(GRID, GRID);
  const curve = chart({
    label: "", x: [0, 100], y: [0, 1], xLabel: "step", yLabel: "mean loss (nats)", height: 260,
  });
  const shown = choice({ label: "Show the surface of", options: [["", "the network's output"]], value: "", onchange: repaint });
  const readout = el("p", { class: "lw-key" });
  stage.append(
    el("div", {}, plane.canvas, legend([["class 0, circles", "blue"], ["class 1, squares", "red"]]),
      bind("held_out", (set) => tickBox({
        label: "Held-out points", value: model.get("held_out"), onchange: set,
      }), repaint)),
    el("div", {}, curve.node, legend([["training", "blue"], ["held out", "red", "dashed"], ["chance, ln 2", "quiet", "dotted"]]),
      readout),
    el("div", { class: "lw-wide" }, map.canvas, el("div", { class: "lw-row" }, shown.node,
      el("p", { class: "lw-key" }, "Point at a unit to see its surface. Negative weights are blue and dashed."))),
  );

  function reset() {
    const inputs = model.get("task") === "line" ? 1 : 2, part = data[model.get("task")];
    const sizes = [inputs, ...Array(model.get("depth")).fill(model.get("width")), 1];
    run = beginTraining(
      { sizes, activation: model.get("activation"), kind: model.get("start"), seed: model.get("seed") },
      columns(part.training, inputs), columns(part.heldOut, inputs));
    parts.rows = part;
    parts.span = span([...part.training, ...part.heldOut], inputs);
    probe = surfaceOf(run.net, run.activation, parts.span, GRID);
    parts.thumbs = thumbnails(run.net, run.activation, parts.span);
    listUnits(sizes);
    running = false;
    go.textContent = "Run";
    look();
    say(report(latest) + firstLoss(latest.train));
  }

  function fromNow() {
    say(running ? "Training." : "In force from the next step on.");
  }

  function listUnits(sizes) {
    const units = sizes.slice(1, -1).flatMap((n, k) =>
      Array.from({ length: n }, (_, j) => [`${k + 1}.${j}`, `layer ${k + 1}, unit ${j}`]));
    shown.input.replaceChildren(...[["", "the network's output"], ...units].map(([v, text]) =>
      el("option", { value: v }, text)));
    hovered = null;
  }

  function play() {
    if (run.diverged) reset();
    running = true;
    go.textContent = "Pause";
    say("Training.");
    ask();
  }

  function pause() {
    running = false;
    go.textContent = "Run";
    look();
    if (!run.diverged) say(report(latest));
  }

  /** One step, or as many as end the epoch. */
  function advance(count) {
    if (run.diverged) reset();
    let left = count;
    do {
      oneStep(run, settings());
      left -= 1;
    } while (!run.diverged && left > 0 && run.cursor < run.order.length);
    if (run.diverged) stop();
    else pause();
  }

  function stop() {
    pause();
    say(`Diverged at step ${run.steps}: the loss is no longer a usable number. ` +
      "Take a smaller learning rate or other weights; Run starts afresh.", "bad");
  }

  /** Measure, and draw all but the surface, which follows in slices. */
  function look() {
    latest = evaluate(run);
    const { history } = run, last = Math.max(latest.step, 50);
    const top = Math.min(Math.max(0.8, ...history.flatMap((h) => [h.train, h.held]).filter(Number.isFinite)), 8);
    const [x, y] = [roundUp(last), Math.ceil(top * 1.05 * 5) / 5];
    if (parts.x !== x || parts.y !== y) curve.range([0, parts.x = x], [0, parts.y = y]);
    curve.curve("chance", [[0, CHANCE], [x, CHANCE]], "quiet", { "stroke-dasharray": "2 4", "stroke-width": 1.6 });
    curve.curve("train", history.map((h) => [h.step, h.train]), "blue");
    curve.curve("held", history.map((h) => [h.step, h.held]), "red", { "stroke-dasharray": "6 4" });
    readout.textContent = `step ${latest.step}, epoch ${(run.seen / TRAINING).toFixed(1)}: loss ${short(latest.train)} ` +
      `(held out ${short(latest.held)}), accuracy ${percent(latest.accuracy)} held out`;
    if (!running) {
      describe();
      drawMap();
    }
    repaint();
  }

  function describe() {
    const task = Object.fromEntries(TASKS)[model.get("task")];
    plane.canvas.setAttribute("aria-label",
      `Task ${task}: the points and the network's border, where the probability is one half. ${report(latest)}`);
    curve.describe(`Mean loss against step, with chance at ln 2. ${report(latest)}`);
    map.canvas.setAttribute("aria-label",
      `The network of sizes ${run.net.sizes.join(", ")}: a small surface for each unit, weights as lines, negative ones dashed.`);
  }

  const target = () => (hovered ?? shown.input.value);

  function repaint() {
    probe.begin(target());
    ask();
  }

  function ask() {
    if (!asked) asked = requestAnimationFrame(tick);
  }

  /** A frame: some training, or a measurement, then a slice of the surface. */
  function tick() {
    asked = 0;
    if (!root.isConnected) return;
    const began = performance.now();
    const more = () => performance.now() - began < FRAME_MS;
    if (running && onScreen) {
      frames += 1;
      if (frames % 4 === 0) look();
      else if (frames % 8 === 1) drawMap();
      else train(began + TRAINING_MS);
    }
    // A frame that is full leaves the surface to the next, but not for long.
    if (!probe.finished && (more() || frames % 4 === 3)) {
      probe.slice(more);
      if (probe.finished) drawPlane();
    }
    if ((running && onScreen) || !probe.finished) ask();
  }

  function train(until) {
    const chosen = settings();
    for (let k = 0; k < STEPS_A_FRAME && (k === 0 || performance.now() < until); k += 1) {
      oneStep(run, chosen);
      if (run.diverged) return stop();
    }
  }

  function drawPlane() {
    const { pen, width, height } = plane, [[x0, x1], [y0, y1]] = parts.span;
    const { values, half, scale, rows } = probe;
    const place = (x, y, label) => [
      ((x - x0) / (x1 - x0)) * width,
      height - (((run.net.sizes[0] === 1 ? label : y) - y0) / (y1 - y0)) * height,
    ];
    picture.paint((i) => (values[rows === 1 ? i % GRID : i] - half) / scale, colours);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(picture.canvas, 0, 0, width, height);
    dots(plane, model.get("held_out") ? parts.rows.heldOut : parts.rows.training, place, colours);
    if (rows > 1) border(plane, values, GRID, GRID, half, colours);
    else drawCurve(values, place);
  }

  /** With one input: the height of the curve is the value. */
  function drawCurve(values, place) {
    const { pen } = plane, [[x0, x1]] = parts.span;
    pen.beginPath();
    for (let i = 0; i < GRID; i += 1) {
      const [px, py] = place(x0 + ((i + 0.5) / GRID) * (x1 - x0), 0, values[i]);
      if (Number.isFinite(py)) pen.lineTo(px, py);
    }
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 1.8;
    pen.stroke();
  }

  function drawMap() {
    const wide = root.clientWidth > 560;
    if (map.width !== (wide ? 700 : 340)) map.resize(wide ? 700 : 340, wide ? 220 : 190);
    const { pen, width, height } = map, { places, side } = unitPlaces(run.net.sizes, width, height);
    pen.clearRect(0, 0, width, height);
    weights(map, run.net, places, colours);
    parts.thumbs.draw(pen, places, side, colours, target());
    parts.places = places;
  }

  function unitAt(event) {
    const box = map.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * map.width;
    const y = ((event.clientY - box.top) / box.height) * map.height;
    for (const [k, layer] of parts.places.entries()) {
      const j = layer.findIndex(([px, py]) => Math.abs(px - x) < 12 && Math.abs(py - y) < 9);
      if (j >= 0 && k > 0) return k === run.net.sizes.length - 1 ? "" : `${k}.${j}`;
    }
    return null;
  }

  function point(next) {
    if (next === hovered) return;
    hovered = next;
    drawMap();
    repaint();
  }
  map.canvas.addEventListener("pointermove", (event) => point(unitAt(event)));
  map.canvas.addEventListener("pointerleave", () => point(null));
  map.canvas.addEventListener("click", (event) => {
    const unit = unitAt(event);
    if (unit === null) return;
    shown.set(unit);
    point(null);
    repaint();
  });
  onTheme(() => { colours = palette(root); look(); }, cleanups);
  const watcher = new IntersectionObserver(([seen]) => {
    onScreen = seen.isIntersecting;
    if (onScreen) ask();
  });
  watcher.observe(root);
  cleanups.push(() => { watcher.disconnect(); cancelAnimationFrame(asked); });
  reset();
  return () => cleanups.forEach((undo) => undo());
}

/** The next of 50, 100, 200, 500, 1000… that is not below n. */
function roundUp(n) {
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].find((m) => m * power >= n) * power;
}

export default { render };
