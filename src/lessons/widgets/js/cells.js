// Recurrent cells forwards and backwards, as in lessons.rnn: plain, GRU and LSTM. A
// state is one array; the LSTM's holds h, then c. Weights are flat: w_x and w_h lie as
// (inputs, gates, width), row by row.
import { ACTIVATIONS } from "./maths.js";

const squash = ACTIVATIONS.sigmoid.value;

/** Number of gates, in the package's order: reset, update, candidate for the GRU;
    input, forget, candidate, output for the LSTM. */
export const GATES = { plain: 1, gru: 3, lstm: 4 };

/** Cut the numbers of all three networks into their arrays: w_x, w_h, b, and b_h. */
export function cutCells(numbers, nIn, width) {
  let from = 0;
  const all = Float64Array.from(numbers);
  const take = (count) => all.slice(from, (from += count));
  const cells = {};
  for (const [kind, gates] of Object.entries(GATES)) {
    const row = gates * width;
    cells[kind] = { kind, nIn, width, gates, w_x: take(nIn * row), w_h: take(width * row), b: take(row) };
    if (kind === "gru") cells[kind].b_h = take(width);
  }
  return cells;
}

/** Add x @ w to `out`; the rows of w are as long as `out`. */
function addProduct(out, x, w) {
  const row = out.length;
  for (let i = 0; i < x.length; i += 1) {
    for (let j = 0; j < row; j += 1) out[j] += x[i] * w[i * row + j];
  }
  return out;
}

/** Give d @ w.T. */
function backProduct(d, w, rows) {
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < d.length; j += 1) out[i] += d[j] * w[i * d.length + j];
  }
  return out;
}

const STEP = {
  plain(cell, h, x) {
    const z = addProduct(addProduct(cell.b.slice(), x, cell.w_x), h, cell.w_h);
    return { state: z.map(Math.tanh) };
  },
  gru(cell, h, x) {
    const n = cell.width, state = new Float64Array(n);
    const z = addProduct(cell.b.slice(), x, cell.w_x);
    const own = addProduct(new Float64Array(3 * n), h, cell.w_h);
    const inner = cell.b_h.map((b, j) => b + own[2 * n + j]);
    const r = inner.map((_, j) => squash(z[j] + own[j]));
    const u = inner.map((_, j) => squash(z[n + j] + own[n + j]));
    const fresh = inner.map((v, j) => Math.tanh(z[2 * n + j] + r[j] * v));
    for (let j = 0; j < n; j += 1) state[j] = u[j] * h[j] + (1 - u[j]) * fresh[j];
    return { state, before: h, inner, r, u, fresh };
  },
  lstm(cell, old, x) {
    const n = cell.width, state = new Float64Array(2 * n);
    const z = addProduct(addProduct(cell.b.slice(), x, cell.w_x), old.subarray(0, n), cell.w_h);
    const [i, f, g, o] = [squash, squash, Math.tanh, squash].map((s, k) => z.slice(k * n, (k + 1) * n).map(s));
    for (let j = 0; j < n; j += 1) {
      state[n + j] = f[j] * old[n + j] + i[j] * g[j];
      state[j] = o[j] * Math.tanh(state[n + j]);
    }
    return { state, before: old, i, f, g, o };
  },
};

/** Gradient of the state before a step, from that of the state after it. */
const BACK = {
  plain(cell, { state }, grad) {
    const d = grad.map((v, j) => v * (1 - state[j] ** 2));
    return backProduct(d, cell.w_h, cell.width);
  },
  gru(cell, { before, inner, r, u, fresh }, grad) {
    const n = cell.width, d = new Float64Array(3 * n);
    for (let j = 0; j < n; j += 1) {
      const candidate = grad[j] * (1 - u[j]) * (1 - fresh[j] ** 2);
      d[j] = candidate * inner[j] * r[j] * (1 - r[j]);
      d[n + j] = grad[j] * (before[j] - fresh[j]) * u[j] * (1 - u[j]);
      d[2 * n + j] = candidate * r[j];
    }
    return backProduct(d, cell.w_h, n).map((v, j) => v + grad[j] * u[j]);
  },
  lstm(cell, { state, before, i, f, g, o }, grad) {
    const n = cell.width, d = new Float64Array(4 * n), out = new Float64Array(2 * n);
    for (let j = 0; j < n; j += 1) {
      const shown = Math.tanh(state[n + j]);
      const memory = grad[n + j] + grad[j] * o[j] * (1 - shown ** 2);
      d[j] = memory * g[j] * i[j] * (1 - i[j]);
      d[n + j] = memory * before[n + j] * f[j] * (1 - f[j]);
      d[2 * n + j] = memory * i[j] * (1 - g[j] ** 2);
      d[3 * n + j] = grad[j] * shown * o[j] * (1 - o[j]);
      out[n + j] = memory * f[j];
    }
    out.set(backProduct(d, cell.w_h, n));
    return out;
  },
};

/** Read a sequence (a list of inputs) from a state of zeros. Gives one record a step;
    `record.state` is the state after it. */
export function unroll(cell, sequence) {
  let state = new Float64Array(cell.kind === "lstm" ? 2 * cell.width : cell.width);
  return sequence.map((x) => {
    const record = STEP[cell.kind](cell, state, x);
    state = record.state;
    return record;
  });
}

/** Gradient of the sum of the last h with respect to the state after each step. */
export function backThroughTime(cell, records) {
  let grad = new Float64Array(records[0].state.length).fill(1, 0, cell.width);
  const grads = [grad];
  for (let t = records.length - 1; t > 0; t -= 1) {
    grad = BACK[cell.kind](cell, records[t], grad);
    grads.unshift(grad);
  }
  return grads;
}

/** As `backThroughTime`, from the inputs: what the tests compare. */
export function gradientsFrom(cell, sequence) {
  const flat = (v) => Float64Array.from(v);
  const own = { ...cell, w_x: flat(cell.w_x), w_h: flat(cell.w_h), b: flat(cell.b), b_h: flat(cell.b_h ?? []) };
  return backThroughTime(own, unroll(own, sequence)).map((g) => [...g]);
}
