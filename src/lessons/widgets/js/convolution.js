// Convolution explorer: a kernel slides over an image, one place at a time.
import { button, choice, el, frame, link, numberField, onTheme } from "./ui.js";
import { framed } from "./cnn.js";
import { answers, imageOf, sizeFormula, windowAt } from "./sliding.js";
import { decimals, matrix, words } from "./matrix.js";
import { grid, palette } from "./pixels.js";

/** The largest image whose numbers are written into its cells. */
const WRITTEN = 9;

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function render({ model, el: host }) {
  const cleanups = [];
  const { root, controls, stage, say } = frame(host, {
    title: "Convolution explorer",
    hint: "Press Play, or choose a place in the output and move it with the arrow keys.",
  });
  const NAMES = ["picture", "kernel", "bias", "stride", "padding", "dilation"];
  const set = Object.fromEntries(NAMES.map((n) => [n, link(model, n, restart, cleanups)]));
  const setPlace = link(model, "place", () => { if (!quiet) show(); }, cleanups);
  let colours = palette(root), result = null, filled = [], playing = 0, quiet = false;

  const settings = () => ({
    ...Object.fromEntries(NAMES.map((n) => [n, model.get(n)])), grey: model.get("pictures")[model.get("picture")],
  });
  const filters = model.get("filters");
  const counts = (low, high) => Array.from({ length: high - low + 1 }, (_, k) => [low + k, String(low + k)]);
  const whole = (label, name, low, high) => choice({
    label, options: counts(low, high), value: model.get(name), onchange: (v) => set[name](Number(v)),
  });
  const fields = {
    picture: choice({
      label: "Image", value: model.get("picture"), onchange: set.picture,
      options: Object.keys(model.get("pictures")).map((name) => [name, name]),
    }),
    filter: choice({
      label: "Kernel", value: "", onchange: take,
      options: [...filters.map((f, k) => [k, f.name]), [-1, "your own numbers"]],
    }),
    stride: whole("Stride", "stride", 1, 3),
    padding: whole("Padding", "padding", 0, 2),
    dilation: whole("Dilation", "dilation", 1, 2),
  };
  const play = button("Play", toggle, { main: true });
  controls.append(
    ...Object.values(fields).map((f) => f.node),
    el("div", { class: "lw-row" }, play, button("Step", () => { stop(); step(); }),
      button("Fill all", fillAll), button("Start over", () => { stop(); restart(); })));

  const input = grid({ label: "", className: "lw-over" });
  const output = grid({ label: "" });
  const target = el("div", {
    class: "lw-out", tabindex: 0, role: "application",
    "aria-label": "Output. Arrow keys move the window from place to place.",
  }, output.node);
  const inTitle = el("figcaption"), outTitle = el("figcaption");
  const under = matrix("Pixels under the window"), products = matrix("Products");
  const weights = matrix("Kernel (edit a number)", weightField);
  const formula = el("div", { class: "lw-formula" });
  stage.append(
    el("figure", { class: "lw-step" }, inTitle, input.node),
    el("figure", { class: "lw-step" }, outTitle, target),
    el("div", { class: "lw-products" }, under.node, el("b", {}, "×"), weights.node, el("b", {}, "="), products.node),
    root.querySelector(".lw-say"), formula);

  function weightField(d, e) {
    const field = numberField({
      label: `Kernel, row ${d + 1}, column ${e + 1}`, min: -100, max: 100, value: 0, say,
      onchange(v) {
        set.kernel(model.get("kernel").map((line, r) => line.map((w, c) => (r === d && c === e ? v : w))));
      },
    });
    field.input.setFor = field.set;
    return field.input;
  }

  function take(k) {
    const filter = filters[k];
    if (!filter) {
      say("Edit any number of the kernel below.");
      return;
    }
    quiet = true;
    set.kernel(filter.kernel);
    set.bias(filter.bias);
    quiet = false;
    restart();
  }

  /** Begin with these settings: nothing is filled but the first place. */
  function restart() {
    if (quiet) return;
    stop();
    const now = settings();
    result = answers(now);
    filled = new Array(result.data.length).fill(false);
    for (const name of ["picture", "stride", "padding", "dilation"]) fields[name].set(now[name]);
    const known = filters.findIndex((f) => same(f.kernel, now.kernel) && f.bias === now.bias);
    fields.filter.set(known);
    showKernel(now.kernel);
    showFormula(now);
    if (result.why) refuse(now);
    else move(0);
  }

  function showKernel(kernel) {
    weights.show(kernel);
    const digits = decimals(kernel);
    kernel.forEach((line, d) => line.forEach((v, e) => {
      const box = weights.body.rows[d].cells[e].firstChild;
      box.setFor(Number(v.toFixed(digits)));
    }));
  }

  function showFormula({ grey, kernel, stride, padding, dilation }) {
    const lines = [["rows", grey.length, kernel.length], ["columns", grey[0].length, kernel[0].length]];
    const square = grey.length === grey[0].length && kernel.length === kernel[0].length;
    formula.replaceChildren(...(square ? lines.slice(0, 1) : lines).map(([name, size, k]) => el("div", {},
      `${square ? "Output size" : `Output ${name}`}: `,
      el("span", { class: "lw-mono" }, sizeFormula(size, k, stride, padding, dilation)))));
  }

  /** Show that this kernel has no place on this image. */
  function refuse(now) {
    drawInput(now, []);
    output.draw([null], [1, 1], { look: colours });
    output.mark([]);
    output.describe("No output");
    outTitle.textContent = "Output: none";
    under.clear();
    products.clear();
    say(result.why, "bad");
  }

  function move(place) {
    quiet = true;
    setPlace(place);
    quiet = false;
    show();
  }

  const scale = (values) => values.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
  const cellOf = (size) => (Math.max(...size) <= WRITTEN + 4 ? 80 : Math.max(1, Math.floor(560 / Math.max(...size))));
  const format = (size) => (Math.max(...size) <= WRITTEN ? words : null);

  function drawInput({ grey, padding }, boxes) {
    const image = imageOf(grey), shown = framed(image, padding), size = [shown.rows, shown.columns];
    input.draw([...shown.data], size, { look: colours, cell: cellOf(size), format: format(size) });
    const frameBox = padding ? [[padding, padding, image.rows, image.columns, "lw-frame"]] : [];
    input.mark([...frameBox, ...boxes]);
    inTitle.textContent = `Image, ${image.rows} × ${image.columns}` +
      (padding ? `, with ${padding} of zeros on each side` : "");
    input.describe(`${model.get("picture")}; ${size[0]} by ${size[1]} pixels${padding ? " with padding" : ""}`);
  }

  /** Show the window at the place, fill its answer, and tell the sum. */
  function show() {
    const now = settings();
    if (!result || result.why) return;
    const { rows, columns, data, reach } = result;
    const place = Math.min(model.get("place"), data.length - 1);
    const row = Math.floor(place / columns), column = place % columns;
    filled[place] = true;
    const at = windowAt(now, row, column), top = row * now.stride, left = column * now.stride;
    const taps = now.dilation === 1 ? [] : now.kernel.flatMap((line, d) =>
      line.map((_, e) => [top + d * now.dilation, left + e * now.dilation, 1, 1, "lw-tap"]));
    drawInput(now, [[top, left, ...reach, "lw-window"], ...taps]);
    drawOutput();
    output.mark([[row, column, 1, 1, "lw-window"]]);
    under.show(at.pixels);
    products.show(at.products);
    outTitle.textContent = `Output, ${rows} × ${columns}`;
    if (!playing) tell(row, column, at.sum, now.bias);
  }

  function drawOutput() {
    const { rows, columns, data } = result, size = [rows, columns];
    const known = [...data].map((v, i) => (filled[i] ? v : null));
    output.draw(known, size, {
      look: colours, reach: scale(data), signed: true, cell: cellOf(size), format: format(size),
    });
    const done = filled.filter(Boolean).length;
    output.describe(`Output, ${rows} by ${columns}, ${done} of ${data.length} places filled, ` +
      `values from ${words(Math.min(...data))} to ${words(Math.max(...data))}`);
  }

  function tell(row, column, sum, bias) {
    const done = filled.filter(Boolean).length, all = filled.length;
    const added = bias === 0 ? "" : ` + bias ${words(bias)} = ${words(sum)}`;
    say(`Row ${row}, column ${column}: the products add up to ${words(sum - bias)}${added}. ` +
      (done === all ? `All ${all} places are filled.` : `${done} of ${all} places are filled.`));
  }

  function step() {
    if (result.why) return;
    move((Math.min(model.get("place"), filled.length - 1) + 1) % filled.length);
  }

  function fillAll() {
    stop();
    if (result.why) return;
    filled.fill(true);
    show();
  }

  function stop() {
    if (playing) cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = "Play";
  }

  /** Slide on by itself: small images slowly enough to follow, large ones in ten seconds. */
  function toggle() {
    if (playing) {
      stop();
      show();
      return;
    }
    if (result.why) {
      say(result.why, "bad");
      return;
    }
    if (filled.every(Boolean)) restart();
    play.textContent = "Pause";
    const pause = Math.min(Math.max(10000 / filled.length, 16), 500);
    let due = performance.now() + pause;
    const tick = (time) => {
      if (!root.isConnected) { stop(); return; }
      for (; time >= due && !filled.every(Boolean); due += pause) filled[next()] = true;
      show();
      if (filled.every(Boolean)) { stop(); show(); } else playing = requestAnimationFrame(tick);
    };
    playing = requestAnimationFrame(tick);
  }

  function next() {
    const place = (Math.min(model.get("place"), filled.length - 1) + 1) % filled.length;
    quiet = true;
    setPlace(place);
    quiet = false;
    return place;
  }

  const go = (row, column) => {
    stop();
    move(Math.min(Math.max(row, 0), result.rows - 1) * result.columns +
      Math.min(Math.max(column, 0), result.columns - 1));
  };
  target.addEventListener("pointerdown", (event) => {
    if (!result.why) go(...output.at(event));
  });
  target.addEventListener("keydown", (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const by = moves[event.key];
    if (!by || result.why || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const place = Math.min(model.get("place"), filled.length - 1);
    go(Math.floor(place / result.columns) + by[0], (place % result.columns) + by[1]);
  });

  onTheme(() => { colours = palette(root); if (result.why) refuse(settings()); else show(); }, cleanups);
  cleanups.push(stop);
  const wanted = model.get("place");
  restart();
  if (!result.why && wanted) move(wanted);
  return () => cleanups.forEach((end) => end());
}

export default { render };
