// Activation explorer: value and derivative at one point, and what fifty layers make of
// a signal and of its gradient.
import { button, choice, el, frame, link, short, slider } from "./ui.js";
import { chart, legend } from "./chart.js";
import { ACTIVATIONS, ACTIVATION_NAMES, normals } from "./maths.js";

const WIDTH = 32, EXAMPLES = 24, LAYERS = 50;

/** Value and derivative of one function on a grid: [[x, value, slope], ...]. */
export function table(name, low, high, count) {
  const { value, slope } = ACTIVATIONS[name];
  return Array.from({ length: count }, (_, i) => {
    const x = low + ((high - low) * i) / (count - 1);
    return [x, value(x), slope(x)];
  });
}

const times = (x, w) =>
  x.map((row) => w[0].map((_, j) => row.reduce((sum, v, i) => sum + v * w[i][j], 0)));
const timesTransposed = (x, w) =>
  x.map((row) => w.map((weights) => row.reduce((sum, v, j) => sum + v * weights[j], 0)));
const rms = (x) => Math.sqrt(x.flat().reduce((sum, v) => sum + v * v, 0) / x.flat().length);

/** Send x (n rows) through layers h = f(h @ w), and a gradient of `upstream` back.
    Gives the root mean square after each layer, and of the gradient at each layer. */
export function through(name, x, weights, upstream) {
  const { value, slope } = ACTIVATIONS[name];
  const before = [], signal = [rms(x)];
  let h = x;
  for (const w of weights) {
    const z = times(h, w);
    before.push(z);
    h = z.map((row) => row.map(value));
    signal.push(rms(h));
  }
  let g = upstream;
  const gradient = [rms(g)];
  for (let k = weights.length - 1; k >= 0; k -= 1) {
    const delta = g.map((row, r) => row.map((v, i) => v * slope(before[k][r][i])));
    g = timesTransposed(delta, weights[k]);
    gradient.unshift(rms(g));
  }
  return { signal, gradient };
}

/** Draw the inputs, the weights (before the gain) and the gradient that comes in. */
function draws(seed) {
  const next = normals(seed);
  const grid = (rows) =>
    Array.from({ length: rows }, () => Array.from({ length: WIDTH }, () => next()));
  return {
    x: grid(EXAMPLES),
    upstream: grid(EXAMPLES),
    weights: Array.from({ length: LAYERS }, () => grid(WIDTH)),
  };
}

const level = (v) => Math.log10(Math.max(v, 1e-12));

function render({ model, el: host }) {
  const cleanups = [];
  const { controls, stage, say } = frame(host, {
    title: "Activation explorer",
    hint: "Choose a function, move x, then look at what many layers do.",
  });
  let drawn = draws(model.get("seed"));
  const setName = link(model, "function", update, cleanups);
  const setX = link(model, "x", update, cleanups);
  const setGain = link(model, "gain", update, cleanups);
  const setSeed = link(model, "seed", () => { drawn = draws(model.get("seed")); update(); }, cleanups);

  const which = choice({
    label: "Function", options: ACTIVATION_NAMES, value: model.get("function"), onchange: setName,
  });
  const at = slider({
    label: "x", min: -8, max: 8, step: 0.1, value: model.get("x"), format: (v) => short(v, 2), oninput: setX,
  });
  const gain = slider({
    label: "Weights, standard deviation × √32", min: 0.2, max: 3, step: 0.05,
    value: model.get("gain"), format: (v) => v.toFixed(2), oninput: setGain,
  });
  const again = button("Draw new weights", () => setSeed((model.get("seed") + 1) % 1000));
  controls.append(which.node, at.node, gain.node, again);

  const shape = chart({ label: "", x: [-8, 8], y: [-1.5, 4], xLabel: "x", yLabel: "value, derivative" });
  const depth = chart({
    label: "", x: [0, LAYERS], y: [-12, 6], xLabel: "layer", yLabel: "root mean square, power of 10",
  });
  stage.append(
    el("div", {}, shape.node, legend([["value", "blue"], ["derivative", "red", "dashed"]])),
    el("div", {}, depth.node, legend([["signal, forwards", "blue"], ["gradient, backwards", "red", "dashed"]])),
  );

  function update() {
    const name = model.get("function"), x = model.get("x"), scale = model.get("gain");
    const spoken = Object.fromEntries(ACTIVATION_NAMES)[name];
    which.set(name);
    at.set(x);
    gain.set(scale);
    const rows = table(name, -8, 8, 321);
    const { value, slope } = ACTIVATIONS[name];
    shape.curve("value", rows.map(([a, v]) => [a, v]), "blue");
    shape.curve("slope", rows.map(([a, , s]) => [a, s]), "red", { "stroke-dasharray": "6 4" });
    shape.dot("at value", x, value(x), "blue");
    shape.dot("at slope", x, slope(x), "red");
    shape.describe(`${spoken} and its derivative for x from −8 to 8.`);

    const weights = drawn.weights.map((w) => w.map((row) => row.map((v) => (v * scale) / Math.sqrt(WIDTH))));
    const { signal, gradient } = through(name, drawn.x, weights, drawn.upstream);
    depth.curve("signal", signal.map((v, k) => [k, level(v)]), "blue");
    depth.curve("gradient", gradient.map((v, k) => [k, level(v)]), "red", { "stroke-dasharray": "6 4" });
    depth.describe(
      `Through ${LAYERS} layers of ${WIDTH} units: the signal ends at ${short(signal[LAYERS])}, ` +
      `the gradient reaches the first layer at ${short(gradient[0])}.`);
    say(
      `${spoken}(${short(x, 2)}) = ${short(value(x), 4)}, derivative ${short(slope(x), 4)}. ` +
      `After ${LAYERS} layers the signal is ${short(signal[LAYERS])}, ` +
      `and of a gradient of 1 at the end ${short(gradient[0])} reaches the start.`);
  }

  update();
  return () => cleanups.forEach((stop) => stop());
}

export default { render };
