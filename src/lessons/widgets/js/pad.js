// A pad to draw on: with mouse, finger or pen, and with the arrow keys.
import { colour, el } from "./ui.js";

const PIXELS = 560, STEP = 1 / 28, START = [0.5, 0.25];
const MOVES = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1],
};
const within = (v) => Math.min(Math.max(v, 0), 1);
const rounded = (point) => point.map((v) => Math.round(within(v) * 1e4) / 1e4);

/** Make a pad. onlive(strokes) runs while a stroke grows, ondone(strokes) when it ends,
    onundo() and onclear() on their keys, tell(text) says where the pen of the keys is. */
export function pad({ onlive, ondone, onundo, onclear, tell, keysId = null }) {
  const canvas = el("canvas", { role: "img", width: PIXELS, height: PIXELS });
  const node = el("div", {
    class: "lw-pad", tabindex: 0, role: "application", "aria-label": "Drawing pad",
    "aria-describedby": keysId,
  }, canvas);
  let strokes = [], growing = null, pen = [...START], isDown = false, backdrop = null;

  function paint() {
    const context = canvas.getContext("2d");
    context.fillStyle = colour(node, "--lw-paper");
    context.fillRect(0, 0, PIXELS, PIXELS);
    if (backdrop) backdrop(context, PIXELS);
    context.strokeStyle = context.fillStyle = colour(node, "--lw-ink");
    context.lineWidth = PIXELS * 0.075;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of all()) line(context, stroke);
    if (document.activeElement === node && node.matches(":focus-visible")) cursor(context);
  }

  function line(context, stroke) {
    const points = stroke.length === 1 ? [stroke[0], stroke[0]] : stroke;
    context.beginPath();
    points.forEach(([x, y], k) => context[k ? "lineTo" : "moveTo"](x * PIXELS, y * PIXELS));
    context.stroke();
  }

  function cursor(context) {
    context.lineWidth = 6;
    context.strokeStyle = colour(node, "--lw-accent");
    context.beginPath();
    context.arc(pen[0] * PIXELS, pen[1] * PIXELS, isDown ? 14 : 22, 0, 2 * Math.PI);
    context.stroke();
  }

  const all = () => (growing ? [...strokes, growing] : strokes);

  function finish() {
    if (!growing) return;
    strokes = all();
    growing = null;
    isDown = false;
    ondone(strokes);
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return rounded([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  };

  function begin(point) {
    backdrop = null;
    growing = [point];
    onlive(all());
  }

  function grow(point) {
    const last = growing.at(-1);
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < 0.004) return;
    growing.push(point);
    paint();
    onlive(all());
  }

  let pointer = null;
  node.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    finish();
    node.focus({ preventScroll: true, focusVisible: false });
    try {
      node.setPointerCapture(event.pointerId);
    } catch { /* A pointer that is gone already can not be captured. */ }
    pointer = event.pointerId;
    begin(place(event));
    paint();
  });
  node.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const part of between.length ? between : [event]) grow(place(part));
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    node.addEventListener(end, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      finish();
    });
  }

  const spoken = () => `Pen ${isDown ? "down" : "up"}, column ${Math.round(pen[0] / STEP)}, ` +
    `row ${Math.round(pen[1] / STEP)} of 28.`;

  function toggle() {
    if (isDown) finish();
    else {
      isDown = true;
      begin(rounded(pen));
    }
  }

  node.addEventListener("keydown", (event) => {
    const undo = event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey));
    const move = MOVES[event.key];
    if (pointer !== null || (!undo && (event.ctrlKey || event.metaKey || event.altKey))) return;
    if (move) {
      pen = pen.map((v, k) => within(v + move[k] * STEP));
      if (isDown) grow(rounded(pen));
    } else if (event.key === " " || event.key === "Enter") toggle();
    else if (undo || event.key === "Delete") {
      finish();
      if (undo) onundo();
      else onclear();
    } else return;
    event.preventDefault();
    paint();
    if (move || !undo) tell(spoken());
  });
  node.addEventListener("focus", paint);
  node.addEventListener("blur", () => { finish(); paint(); });

  /** Show these strokes, or where there are none a picture: backdrop(context, size). */
  function show(newStrokes, newBackdrop = null) {
    strokes = newStrokes;
    backdrop = newBackdrop;
    growing = null;
    isDown = false;
    paint();
  }
  return { node, show, paint, describe: (text) => canvas.setAttribute("aria-label", text) };
}
