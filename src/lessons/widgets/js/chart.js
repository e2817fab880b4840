// Charts of the interactive figures: axes, curves and legends, in SVG.
import { el, freshId, short, svg } from "./ui.js";

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
