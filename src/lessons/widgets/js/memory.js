// Memory explorer: what is left of a pulse step by step, and how far back the gradient
// reaches, in a plain network, a GRU and an LSTM.
import { choice, el, frame, link, short, slider, svg } from "./ui.js";
import { chart, legend, powerOfTen } from "./chart.js";
import { float32s } from "./bytes.js";
import { backThroughTime, cutCells, unroll } from "./cells.js";

export const PULSE = 1;
const N_IN = 1, WIDTH = 16, LOW = -12, HIGH = 4;
// The smallest number that float32, the usual type of weights, tells from 0.
const TINY = 2 ** -149;
const KINDS = [
  ["plain", "plain network", "blue", "solid"], ["gru", "GRU", "green", "dashed"], ["lstm", "LSTM", "red", "dotted"],
];
const CALLED = Object.fromEntries(KINDS.map(([kind, name]) => [kind, name]));

/** A fresh cell with its recurrent weights times `gain`, and the bias of the gate that
    keeps: forget gate of the LSTM, update gate of the GRU. */
export function adjusted(cell, { gain, forgetBias, updateBias }) {
  const b = cell.b.slice(), w = cell.width;
  if (cell.kind === "lstm") b.fill(forgetBias, w, 2 * w);
  if (cell.kind === "gru") b.fill(updateBias, w, 2 * w);
  return { ...cell, b, w_h: cell.w_h.map((v) => v * gain) };
}

// Not the square root of a sum of squares, which would be 0 for numbers of 1e-170.
const long = (v) => Math.hypot(...v);

/** Lengths over steps 1 to T, as arrays from step 1: `left`, of what the pulse changed in
    the state, and `reach`, of the gradient of the last h's sum at each state. */
export function remembered(cell, sequence, pulse, size = PULSE) {
  const records = unroll(cell, sequence);
  const pulsed = unroll(cell, sequence.map((x, t) => (t + 1 === pulse ? x.map((v) => v + size) : x)));
  const left = records.map(({ state }, t) => long(state.map((v, j) => v - pulsed[t].state[j])));
  return { left, reach: backThroughTime(cell, records).map(long) };
}

/** As the figure computes: from the trait's numbers and the settings. */
export function rememberedFrom(numbers, inputs, settings, kind) {
  const cell = adjusted(cutCells(numbers, N_IN, WIDTH)[kind], settings);
  const sequence = [...inputs].slice(0, settings.steps).map((v) => [v]);
  return remembered(cell, sequence, Math.min(settings.pulse, settings.steps));
}

/** A share in words that suit its size, to go before "the pulse". */
export function share(value) {
  if (!Number.isFinite(value)) return "more than a computer can hold of";
  if (value === 0) return "nothing of";
  if (value >= 1.995) return `${short(value, 2)} times`;
  return value >= 0.01 ? `${Math.round(100 * value)} % of` : `${short(value, 2)} of`;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const steps = (n) => (n === 1 ? "1 step" : `${n} steps`);

/** Say what the curves show. */
export function inShort(kind, { left, reach }, pulse) {
  const away = left.length - pulse;
  if (away === 0) return "The pulse comes at the last step. Move it back in time: how much of it is left at the end?";
  const kept = left.at(-1) / left[pulse - 1], back = reach[pulse - 1] / reach.at(-1);
  const name = kind === "plain" ? "a plain network" : `this ${CALLED[kind]}`;
  const verdict = Number.isNaN(kept) || kept > 3 ? `${name} lets it grow`
    : kept > 0.1 ? `${name} remembers it`
    : kept > 1e-3 ? `${name} has forgotten most of it` : `${name} forgets`;
  const lesson = Number.isNaN(back) || back > 30 ? "it explodes"
    : back > 0.01 ? "the network can learn from what it read there"
    : back > 1e-5 ? "a faint lesson" : "it vanishes, and what no gradient reaches is never learnt";
  const rounded = (back > 0 && back < TINY) || (kept > 0 && kept < TINY)
    ? " In float32, the usual type of weights, such a number is 0." : "";
  return `${capital(steps(away))} after the pulse ${share(kept)} its effect is left: ${verdict}. ` +
    `${capital(share(back))} the gradient at the end comes back to the step of the pulse: ${lesson}.${rounded}`;
}

const level = (v) => (Number.isNaN(v) ? NaN : v === 0 ? -400 : Math.min(Math.log10(v), 400));
const clamped = (v) => Math.min(Math.max(level(v), LOW), HIGH);

const dashes = { solid: null, dashed: "7 4", dotted: "2 4" };

function render({ model, el: host }) {
  const cleanups = [];
  const { controls, stage, say } = frame(host, {
    title: "Memory through time",
    hint: "The input is noise, and at one step 1 is added to it: the pulse. How long does the state remember it?",
  });
  const cells = cutCells(float32s(model.get("weights")), N_IN, WIDTH);
  const inputs = [...float32s(model.get("inputs"))];
  const make = {};
  for (const name of ["network", "steps", "pulse", "gain", "forget_bias", "update_bias"]) {
    make[name] = link(model, name, update, cleanups);
  }
  const dial = (name, label, min, max, step, format = String) =>
    slider({ label, min, max, step, value: model.get(name), format, oninput: make[name] });
  const which = choice({
    label: "Network", options: KINDS.map(([kind, name]) => [kind, name]), value: model.get("network"),
    onchange: make.network,
  });
  const dials = {
    steps: dial("steps", "Steps", 5, 100, 1),
    pulse: dial("pulse", "Pulse at step", 1, 100, 1),
    gain: dial("gain", "Recurrent weights ×", 0.2, 2, 0.05, (v) => v.toFixed(2)),
    forget_bias: dial("forget_bias", "Forget bias", -2, 5, 0.25, (v) => short(v)),
    update_bias: dial("update_bias", "Update bias", -2, 5, 0.25, (v) => short(v)),
  };
  controls.append(which.node, ...Object.values(dials).map((d) => d.node));

  const axes = { x: [1, 100], y: [LOW, HIGH], xLabel: "step", yTick: powerOfTen };
  const plots = {
    left: chart({ label: "", ...axes, yLabel: "length of the difference" }),
    reach: chart({ label: "", ...axes, yLabel: "length of the gradient" }),
  };
  const title = (strong, ...text) => el("div", { class: "lw-note" }, el("b", {}, strong), ...text);
  const wrt = el("span", {});
  stage.append(
    el("div", {}, title("Forwards: ", "difference between the states with and without the pulse."), plots.left.node),
    el("div", {}, title("Backwards: ", "gradient of the last state's sum with respect to each state", wrt), plots.reach.node),
    el("div", { class: "lw-wide" }, legend(KINDS.map(([, ...line]) => line)),
      el("p", { class: "lw-key" },
        "The thick line is the chosen network. A straight line is a constant factor a step. Try: plain network, weights × 1.5; then LSTM, forget bias 4.")));

  /** Numbers of all three networks at the present settings. */
  function numbers() {
    const settings = {
      gain: model.get("gain"), forgetBias: model.get("forget_bias"), updateBias: model.get("update_bias"),
    };
    const sequence = inputs.slice(0, model.get("steps")).map((v) => [v]);
    const pulse = Math.min(model.get("pulse"), sequence.length);
    const found = KINDS.map(([kind]) => [kind, remembered(adjusted(cells[kind], settings), sequence, pulse)]);
    return { pulse, found: Object.fromEntries(found) };
  }

  function draw(plot, key, found, chosen, pulse) {
    const count = model.get("steps");
    plot.range([1, count], [LOW, HIGH]);
    const at = plot.px(pulse);
    plot.put("pulse", svg("path", { class: "lw-axis", d: `M${at} 10V188`, "stroke-dasharray": "1 3" }));
    const last = KINDS.find(([kind]) => kind === chosen);
    // The chosen network above the others.
    for (const [kind, , tone, line] of [...KINDS.filter((k) => k !== last), last]) {
      plot.remove(kind);
      const from = key === "left" ? pulse : 1;
      const points = found[kind][key].slice(from - 1).map((v, k) => [from + k, level(v)]);
      plot.curve(kind, points, tone, {
        style: `stroke: var(--lw-${tone}); stroke-width: ${kind === chosen ? 3.2 : 1.3}`,
        "stroke-dasharray": dashes[line],
      });
    }
    const value = found[chosen][key][pulse - 1];
    plot.dot("pulse dot", pulse, clamped(value), last[2]);
  }

  function update() {
    const chosen = model.get("network");
    which.set(chosen);
    dials.pulse.input.max = model.get("steps");
    for (const [name, { set }] of Object.entries(dials)) set(model.get(name));
    dials.forget_bias.node.hidden = chosen !== "lstm";
    dials.update_bias.node.hidden = chosen !== "gru";
    const { pulse, found } = numbers();
    draw(plots.left, "left", found, chosen, pulse);
    draw(plots.reach, "reach", found, chosen, pulse);
    wrt.textContent = chosen === "lstm" ? ", h and c together." : ".";
    const { left, reach } = found[chosen];
    plots.left.describe(
      `${CALLED[chosen]}: the pulse at step ${pulse} changes the state by ${short(left[pulse - 1], 2)}; ` +
      `at step ${left.length} ${short(left.at(-1), 2)} is left of it. Logarithmic axis.`);
    plots.reach.describe(
      `${CALLED[chosen]}: the gradient is ${short(reach.at(-1), 2)} long at the last step, ` +
      `${short(reach[pulse - 1], 2)} at the pulse and ${short(reach[0], 2)} at step 1. Logarithmic axis.`);
    say(inShort(chosen, found[chosen], pulse));
  }

  update();
  return () => cleanups.forEach((stop) => stop());
}

export default { render };
