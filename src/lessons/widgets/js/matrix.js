// Small tables of numbers, coloured by their size.
import { el, short } from "./ui.js";

export const words = (v, digits = 3) => short(Math.abs(v) < 5e-7 ? 0 : Number(v.toFixed(digits)), 3);
// Decimals in the cells of a kernel: as many as there is room for.
export const decimals = (kernel) => (Math.max(kernel.length, kernel[0].length) > 3 ? 2 : 3);

/** A table of cells that is coloured by its numbers; `inputs` makes them editable. */
export function matrix(caption, onedit = null) {
  const body = el("tbody"), table = el("table", { class: "lw-matrix", "aria-label": caption }, body);
  const node = el("div", {}, el("div", { class: "lw-caption", "aria-hidden": "true" }, caption), table);
  let made = "";
  function build(values) {
    made = `${values.length}x${values[0].length}`;
    body.replaceChildren(...values.map((line, d) => el("tr", {}, ...line.map((_, e) =>
      el("td", {}, onedit ? onedit(d, e) : "")))));
  }
  function show(values) {
    if (`${values.length}x${values[0].length}` !== made) build(values);
    const reach = Math.max(...values.flat().map(Math.abs), 1e-9), digits = decimals(values);
    table.classList.toggle("lw-large", digits === 2);
    values.forEach((line, d) => line.forEach((v, e) => {
      const cell = body.rows[d].cells[e], share = Math.round((35 * Math.abs(v)) / reach);
      const tone = v < 0 ? "red" : "blue";
      cell.style.background = `color-mix(in srgb, var(--lw-${tone}) ${share}%, var(--lw-paper))`;
      if (!onedit) cell.textContent = words(v, digits);
    }));
  }
  const clear = () => { body.replaceChildren(); made = ""; };
  return { node, body, show, clear };
}
