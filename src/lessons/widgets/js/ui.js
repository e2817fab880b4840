// What the interactive figures share: elements, controls, and the link between
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
