// What the interactive figures share: elements, controls, charts, and the link between
// a control, the model's state and Python. Every control has a visible label and works
// by keyboard; what changes is told in a line that screen readers speak.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

/** Make an HTML element: el("button", {onclick: run, class: "x"}, "Run"). */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

let made = 0;

/** Give an id that no other element of the page has. */
export function freshId(word) {
  made += 1;
  return `lw-${word}-${made}-${Math.random().toString(36).slice(2, 8)}`;
}

/** Lay out a figure: title, controls, stage, and a line that says what happened. */
export function frame(host, { title, hint = "" }) {
  const id = freshId("title");
  const controls = el("div", { class: "lw-controls" });
  const stage = el("div", { class: "lw-stage" });
  const line = el("div", { class: "lw-say", role: "status", "aria-live": "polite" });
  const head = el(
    "div",
    { class: "lw-head" },
    el("span", { class: "lw-title", id }, title),
    hint ? el("span", { class: "lw-hint" }, hint) : null,
  );
  const root = el("div", { class: "lw", role: "group", "aria-labelledby": id });
  // JupyterLab would take the arrow keys away from sliders: it asks the element that has
  // the focus, and no other.
  root.addEventListener("focusin", ({ target }) => {
    target.dataset.lmSuppressShortcuts = "true";
  });
  root.append(head, controls, stage, line);
  host.replaceChildren(root);
  const say = (text, tone = "") => {
    line.textContent = text;
    line.dataset.tone = tone;
  };
  return { root, controls, stage, say };
}

/** A slider with its value beside the label. */
export function slider({ label, min, max, step, value, format = String, oninput }) {
  // The slider itself tells its value; an output would be a second voice.
  const shown = el("span", { class: "lw-value" }, format(value));
  const input = el("input", { type: "range", min, max, step, "aria-label": label });
  input.value = value;
  const show = (v) => {
    shown.textContent = format(v);
    input.setAttribute("aria-valuetext", format(v));
  };
  input.addEventListener("input", () => {
    show(Number(input.value));
    oninput(Number(input.value));
  });
  show(value);
  const set = (v) => {
    input.value = v;
    show(Number(input.value));
  };
  const node = el("label", { class: "lw-field" }, el("span", {}, `${label} `, shown), input);
  return { node, input, set };
}

/** A choice of one of several: options are [value, text] pairs. */
export function choice({ label, options, value, onchange }) {
  const items = options.map(([v, text]) => el("option", { value: v }, text));
  const input = el("select", { "aria-label": label }, ...items);
  input.value = value;
  input.addEventListener("change", () => onchange(input.value));
  const node = el("label", { class: "lw-field" }, el("span", {}, label), input);
  return { node, input, set: (v) => { input.value = v; } };
}

/** A number typed by the reader. What is out of range is refused in words, and the
    last good value stays in force. */
export function numberField({ label, min, max, step = "any", value, whole = false, say, onchange }) {
  const input = el("input", { type: "number", min, max, step, "aria-label": label });
  let good = value;
  input.value = value;
  input.addEventListener("change", () => {
    const typed = input.value.trim() === "" ? NaN : Number(input.value);
    const fits = typed >= min && typed <= max && (!whole || Number.isInteger(typed));
    input.setAttribute("aria-invalid", String(!fits));
    if (!fits) {
      const kind = whole ? "a whole number" : "a number";
      const got = input.value.trim() || "nothing that is a number";
      say(`${label} must be ${kind} from ${min} to ${max}, got ${got}; ${good} stays.`, "bad");
      return;
    }
    good = typed;
    say("");
    onchange(typed);
  });
  const set = (v) => {
    good = v;
    input.value = v;
    input.removeAttribute("aria-invalid");
  };
  const node = el("label", { class: "lw-field" }, el("span", {}, label), input);
  return { node, input, set };
}

/** A number on a logarithmic scale: a slider over powers of ten, `low` to `high`, and a
    field that takes more, `min` to `max`. */
export function logField({ label, low, high, min, max, value, say, onchange }) {
  const power = (v) => Math.log10(v);
  const typed = numberField({
    label, min, max, value, say, onchange: (v) => { range.value = power(v); onchange(v); },
  });
  const range = el("input", {
    type: "range", min: low, max: high, step: 0.05, "aria-label": `${label}, slider`,
  });
  const tell = (v) => range.setAttribute("aria-valuetext", short(v));
  range.value = power(value);
  tell(value);
  range.addEventListener("input", () => {
    const v = Number((10 ** Number(range.value)).toPrecision(2));
    typed.set(v);
    tell(v);
    onchange(v);
  });
  const set = (v) => {
    typed.set(v);
    // Not while it is dragged: rounding would move it under the hand.
    if (Number((10 ** Number(range.value)).toPrecision(2)) !== v) range.value = power(v);
    tell(v);
  };
  const node = el("div", { class: "lw-log" }, typed.node, range);
  return { node, input: typed.input, range, set };
}

/** A box to tick. */
export function tickBox({ label, value, onchange }) {
  const input = el("input", { type: "checkbox" });
  input.checked = value;
  input.addEventListener("change", () => onchange(input.checked));
  const node = el("label", { class: "lw-tick-box" }, input, label);
  return { node, input, set: (v) => { input.checked = v; } };
}

/** A button; `main` marks the one that a reader will want first. */
export function button(text, onclick, { main = false, label = null } = {}) {
  const kind = main ? "lw-main" : null;
  return el("button", { type: "button", class: kind, "aria-label": label, onclick }, text);
}

/** Join a control to a trait of the model: `apply` runs on every change, from Python
    or from another view; the result sets the trait from here. */
export function link(model, name, apply, cleanups) {
  const heard = () => apply(model.get(name));
  model.on(`change:${name}`, heard);
  cleanups.push(() => model.off(`change:${name}`, heard));
  return (value) => {
    model.set(name, value);
    model.save_changes();
  };
}

/** Run `draw` when the page turns light or dark. */
export function onTheme(draw, cleanups) {
  const watcher = new MutationObserver(() => draw());
  for (const node of [document.documentElement, document.body]) {
    watcher.observe(node, {
      attributes: true,
      attributeFilter: ["data-theme", "data-jp-theme-light", "theme", "class"],
    });
  }
  cleanups.push(() => watcher.disconnect());
}

/** Read one of the figure's colours, such as "--lw-blue", for a canvas. */
export function colour(root, name) {
  return getComputedStyle(root).getPropertyValue(name).trim();
}

/** Split a range into about `count` round steps. */
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((s) => s * power >= rough) * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}

/** Write a number shortly: 0.25, 12.5, 1.2e-7, with a true minus sign. */
export function short(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e5)
      ? value.toExponential(digits - 2)
      : String(Number(value.toPrecision(digits)));
  return text.replace("-", "−");
}

/** Write a power of ten, 10⁻³, for an axis of logarithms; blank between the powers. */
export function powerOfTen(exponent) {
  if (!Number.isInteger(exponent)) return "";
  const raised = [...String(exponent)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]));
  return `10${raised.join("")}`;
}

/** A chart with axes, in SVG. `x` and `y` are [low, high]; `label` is what a screen
    reader says. curve(name, points, tone) draws or redraws a line; tones are the
    colours of ui.css without "--lw-". `yTick` writes the numbers at the y axis. */
export function chart({ label, x, y, xLabel, yLabel, yTick = short, width = 360, height = 230 }) {
  const left = 52, right = 18, top = 10, bottom = 42;
  const node = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const backdrop = svg("g"), marks = svg("g");
  node.append(backdrop, marks);
  const drawn = new Map();
  let [x0, x1] = x, [y0, y1] = y;
  const px = (v) => left + ((v - x0) / (x1 - x0)) * (width - left - right);
  const py = (v) => height - bottom - ((v - y0) / (y1 - y0)) * (height - top - bottom);
  const clip = (v) => Math.min(Math.max(v, top - 2000), height + 2000);
  const clipId = freshId("clip");
  const word = (text, attributes) => svg("text", attributes, text);

  function axes() {
    backdrop.replaceChildren(
      svg("clipPath", { id: clipId }, svg("rect", {
        x: left, y: top, width: width - left - right, height: height - top - bottom,
      })),
    );
    for (const v of ticks(x0, x1)) {
      backdrop.append(
        svg("line", { class: "lw-grid", x1: px(v), x2: px(v), y1: top, y2: height - bottom }),
        word(short(v), { class: "lw-tick", x: px(v), y: height - bottom + 15, "text-anchor": "middle" }),
      );
    }
    for (const v of ticks(y0, y1, 4)) {
      backdrop.append(
        svg("line", { class: "lw-grid", x1: left, x2: width - right, y1: py(v), y2: py(v) }),
        word(yTick(v), { class: "lw-tick", x: left - 6, y: py(v) + 4, "text-anchor": "end" }),
      );
    }
    const middle = (top + height - bottom) / 2;
    backdrop.append(
      svg("path", { class: "lw-axis", d: `M${left} ${top}V${height - bottom}H${width - right}` }),
      word(xLabel, { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }),
      word(yLabel, { x: 0, y: 0, "text-anchor": "middle", transform: `translate(12 ${middle}) rotate(-90)` }),
    );
    marks.setAttribute("clip-path", `url(#${clipId})`);
  }

  function put(name, made) {
    drawn.get(name)?.remove();
    drawn.set(name, made);
    marks.append(made);
    return made;
  }

  function curve(name, points, tone = "blue", attributes = {}) {
    const seen = points.filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b));
    const d = seen.map(([a, b], i) => `${i ? "L" : "M"}${px(a).toFixed(2)} ${clip(py(b)).toFixed(2)}`);
    const style = `stroke: var(--lw-${tone})`;
    return put(name, svg("path", { class: "lw-curve", d: d.join(""), style, ...attributes }));
  }

  function dot(name, a, b, tone = "blue", attributes = {}) {
    const style = `fill: var(--lw-${tone}); stroke: var(--lw-paper); stroke-width: 1.5`;
    return put(name, svg("circle", { cx: px(a), cy: clip(py(b)), r: 5, style, ...attributes }));
  }

  function range(newX, newY) {
    [x0, x1] = newX;
    [y0, y1] = newY;
    axes();
  }

  axes();
  const remove = (name) => { drawn.get(name)?.remove(); drawn.delete(name); };
  const describe = (text) => node.setAttribute("aria-label", text);
  return { node, marks, px, py, put, curve, dot, range, remove, describe };
}

/** A legend: entries are [text, tone] pairs, or [text, tone, "dashed"]. */
export function legend(entries) {
  const items = entries.map(([text, tone, line = "solid"]) =>
    el("li", {}, el("i", { style: `color: var(--lw-${tone}); border-top-style: ${line}` }), text));
  return el("ul", { class: "lw-legend" }, ...items);
}
