// What the playground draws: a surface over the plane, its border, points, and the
// network with a small surface for each unit.
import { crossings } from "./contour.js";
import { colour } from "./ui.js";

/** Read the figure's colours as [r, g, b], and as text for lines. */
export function palette(root) {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (name) => {
    pen.fillStyle = colour(root, name);
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const text = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
  const [low, middle, high] = ["--lw-blue", "--lw-paper", "--lw-red"].map(rgb);
  const [ink, line] = ["--lw-ink", "--lw-line"].map((name) => text(rgb(name)));
  return { low, middle, high, ink, line, lowText: text(low), highText: text(high), paper: text(middle) };
}

/** Write a value from −1 to 1 as a pixel: from low through the middle to high. */
function shade(data, at, value, { low, middle, high }) {
  // NaN stays in the middle. Full strength is left to the points.
  const t = Math.min(Math.abs(value) || 0, 1) * 0.62;
  const end = value < 0 ? low : high;
  for (let c = 0; c < 3; c += 1) data[at + c] = middle[c] + t * (end[c] - middle[c]);
  data[at + 3] = 255;
}

/** A canvas that is sharp on this screen and as wide as its place. */
export function sharpCanvas(width, height, attributes) {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  canvas.style.width = "100%";
  for (const [name, value] of Object.entries(attributes)) canvas.setAttribute(name, value);
  const sharp = { canvas, pen, resize };
  function resize(newWidth, newHeight) {
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    Object.assign(sharp, { width: newWidth, height: newHeight });
    canvas.width = newWidth * scale;
    canvas.height = newHeight * scale;
    pen.scale(scale, scale);
  }
  resize(width, height);
  return sharp;
}

/** A picture of a grid of values from −1 to 1, to be drawn at any size. */
export function gridPicture(columns, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows);
  const paint = (valueAt, colours) => {
    for (let i = 0; i < columns * rows; i += 1) shade(image.data, 4 * i, valueAt(i), colours);
    pen.putImageData(image, 0, 0);
  };
  return { canvas, paint };
}

/** Draw the line where the values cross a level; the grid covers the whole canvas. */
export function border({ pen, width, height }, values, columns, rows, level, colours) {
  const found = crossings(values, columns, rows, level);
  const kx = width / columns, ky = height / rows;
  pen.beginPath();
  for (let i = 0; i < found.length; i += 4) {
    pen.moveTo((found[i] + 0.5) * kx, (found[i + 1] + 0.5) * ky);
    pen.lineTo((found[i + 2] + 0.5) * kx, (found[i + 3] + 0.5) * ky);
  }
  pen.strokeStyle = colours.ink;
  pen.lineWidth = 1.8;
  pen.stroke();
}

/** Draw points: class 0 as blue circles, class 1 as vermilion squares. */
export function dots({ pen }, points, place, colours) {
  pen.lineWidth = 0.8;
  pen.strokeStyle = colours.paper;
  for (const [x, y, label] of points) {
    const [px, py] = place(x, y, label);
    pen.fillStyle = label ? colours.highText : colours.lowText;
    pen.beginPath();
    if (label) pen.rect(px - 2.6, py - 2.6, 5.2, 5.2);
    else pen.arc(px, py, 3, 0, 2 * Math.PI);
    pen.fill();
    pen.stroke();
  }
}

/** Where each unit stands on a drawing of the network: centres, by layer. */
export function unitPlaces(sizes, width, height) {
  const gap = width / sizes.length;
  const side = Math.min(34, (height - 8) / Math.max(...sizes) - 2, gap - 14);
  const pitch = Math.min(42, (height - 8) / Math.max(...sizes));
  const places = sizes.map((n, k) =>
    Array.from({ length: n }, (_, j) => [gap * (k + 0.5), height / 2 + (j - (n - 1) / 2) * pitch]));
  return { places, side };
}

/** Draw weights as lines: blue and dashed if negative, red if positive. */
export function weights({ pen }, net, places, colours) {
  for (const [k, { nIn, nOut, w }] of net.layers.entries()) {
    const most = w.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-9);
    for (let i = 0; i < nIn; i += 1) {
      for (let j = 0; j < nOut; j += 1) {
        const strength = Math.abs(w[i * nOut + j]) / most;
        if (!(strength > 0.08)) continue;
        pen.globalAlpha = 0.1 + 0.8 * strength * strength;
        pen.lineWidth = 0.4 + 2 * strength;
        pen.strokeStyle = w[i * nOut + j] < 0 ? colours.lowText : colours.highText;
        pen.setLineDash(w[i * nOut + j] < 0 ? [4, 3] : []);
        pen.beginPath();
        pen.moveTo(...places[k][i]);
        pen.lineTo(...places[k + 1][j]);
        pen.stroke();
      }
    }
  }
  pen.globalAlpha = 1;
  pen.setLineDash([]);
}
