// The feature maps of a convolution, as small pictures to look into.
import { grid } from "./pixels.js";

/** The maps of one convolution as small pictures, one stop for the keyboard. onlook
    hears [map, row, column], or null when the reader looks away. */
export function mapStrip({ layer, count, side, words, onlook }) {
  const maps = Array.from({ length: count }, (_, m) => grid({ label: `Map ${m + 1}` }));
  const node = el("div", {
    class: `lw-maps lw-maps-${layer}`, tabindex: 0, role: "application",
    "aria-label": `${words}. Arrow keys move from pixel to pixel, Page Up and Page Down from map to map.`,
  }, ...maps.map((m) => m.node));
  let at = [0, side >> 1, side >> 1];
  const look = (place) => { at = place ?? at; onlook(place); };
  maps.forEach((m, k) => {
    const seen = (event) => look([k, ...m.at(event)]);
    m.node.addEventListener("pointermove", seen);
    m.node.addEventListener("pointerdown", seen);
  });
  node.addEventListener("pointerleave", (e) => { if (e.pointerType === "mouse") look(null); });
  node.addEventListener("focus", () => { if (node.matches(":focus-visible")) look(at); });
  node.addEventListener("blur", () => look(null));
  node.addEventListener("keydown", (event) => {
    const moves = {
      ArrowUp: [0, -1, 0], ArrowDown: [0, 1, 0], ArrowLeft: [0, 0, -1], ArrowRight: [0, 0, 1],
      PageUp: [-1, 0, 0], PageDown: [1, 0, 0],
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const ends = [count, side, side];
    look(at.map((v, k) => Math.min(Math.max(v + move[k], 0), ends[k] - 1)));
  });

  function draw({ data, channels }, colours) {
    const reach = data.reduce((a, b) => Math.max(a, b), 1e-9);
    maps.forEach((m, k) => {
      const own = Array.from({ length: side * side }, (_, i) => data[i * channels + k]);
      m.draw(own, [side, side], { look: colours, reach });
      const peak = Math.max(...own);
      m.describe(`Map ${k + 1}, ${peak > 0 ? `largest value ${peak.toFixed(2)}` : "zero everywhere"}`);
    });
  }
  const mark = (place) => maps.forEach((m, k) =>
    m.mark(place && place[0] === k ? [[place[1], place[2], 1, 1, "lw-point"]] : []));
  return { node, draw, mark };
}
