// Grids of numbers as pictures: digits, feature maps, and the image under a kernel.
import { colour, el } from "./ui.js";

/** The red, green and blue of one of the figure's colours, however it is written. */
function rgb(root, name) {
  const context = el("canvas", { width: 1, height: 1 }).getContext("2d");
  context.fillStyle = colour(root, name);
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

/** The colours of grids on the present page. Ask again when its theme changes. */
export function palette(root) {
  const [paper, ink, plus, minus, panel] =
    ["--lw-paper", "--lw-ink", "--lw-blue", "--lw-red", "--lw-line"].map((n) => rgb(root, n));
  return { paper, ink, plus, minus, panel };
}

const mixed = (from, to, share) => from.map((v, k) => v + (to[k] - v) * share);

/** The colour of one value: towards ink, or where `signed` towards plus and minus. */
function shade(value, reach, signed, look) {
  if (value === null) return look.panel;
  const share = Math.min(Math.abs(value) / reach, 1);
  if (!signed) return mixed(look.paper, look.ink, value < 0 ? 0 : share);
  return mixed(look.paper, value < 0 ? look.minus : look.plus, share);
}

const lightness = ([r, g, b]) => 0.299 * r + 0.587 * g + 0.114 * b;

/** A picture of rows x columns numbers. draw(values, {...}) paints them; null is "not
    known yet". mark(boxes) frames parts: [row, column, height, width, class]. at(event)
    tells the pixel under the pointer. */
export function grid({ label, className = "" }) {
  const canvas = el("canvas", { role: "img", "aria-label": label, width: 1, height: 1 });
  const marks = el("div", { class: "lw-marks", "aria-hidden": "true" });
  const node = el("div", { class: `lw-grid-box ${className}` }, canvas, marks);
  let rows = 1, columns = 1;

  function draw(values, size, { look, reach = 1, signed = false, cell = 1, format = null }) {
    [rows, columns] = size;
    canvas.width = columns * cell;
    canvas.height = rows * cell;
    const context = canvas.getContext("2d");
    const dots = context.createImageData(columns, rows);
    values.forEach((v, i) => dots.data.set([...shade(v, reach, signed, look), 255], 4 * i));
    canvas.style.imageRendering = format ? "auto" : null;
    if (cell === 1) {
      context.putImageData(dots, 0, 0);
      return;
    }
    const small = el("canvas", { width: columns, height: rows });
    small.getContext("2d").putImageData(dots, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    if (format) write(context, values, { look, reach, signed, cell, format });
  }

  function write(context, values, { look, reach, signed, cell, format }) {
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `${Math.round(cell * 0.34)}px system-ui, sans-serif`;
    values.forEach((v, i) => {
      const under = shade(v, reach, signed, look);
      const far = (c) => Math.abs(lightness(c) - lightness(under));
      context.fillStyle = `rgb(${far(look.ink) > far(look.paper) ? look.ink : look.paper})`;
      const x = (i % columns) + 0.5, y = Math.floor(i / columns) + 0.5;
      context.fillText(v === null ? "·" : format(v), x * cell, y * cell, cell - 4);
    });
  }

  function mark(boxes) {
    marks.replaceChildren(...boxes.map(([row, column, high, wide, kind = ""]) => el("i", {
      class: kind,
      style: `top:${(100 * row) / rows}%;left:${(100 * column) / columns}%;` +
        `height:${(100 * high) / rows}%;width:${(100 * wide) / columns}%`,
    })));
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    const part = (v, from, size, count) =>
      Math.min(Math.max(Math.floor(((v - from) / size) * count), 0), count - 1);
    return [part(event.clientY, box.top, box.height, rows), part(event.clientX, box.left, box.width, columns)];
  }

  const describe = (text) => canvas.setAttribute("aria-label", text);
  return { node, canvas, draw, mark, at, describe };
}
