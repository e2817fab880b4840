// A small network for two classes, its gradient and the optimizers: what
// lessons.dnn, lessons.losses, lessons.backprop and lessons.optimizers compute.
// All parameters lie in one array `theta`: for each layer w, row by row, then b.
import { ACTIVATIONS, normals } from "./maths.js";

/** What may stand between layers; without it a stack of layers is one layer. */
export const BETWEEN = {
  ...ACTIVATIONS,
  identity: { value: (x) => x, slope: () => 1 },
};

/** Standard deviation of the weights at the start, as in lessons.dnn. */
export const STARTS = {
  he: (nIn) => Math.sqrt(2 / nIn),
  glorot: (nIn, nOut) => Math.sqrt(2 / (nIn + nOut)),
  standard: () => 1,
};

/** Make a network of the given sizes, [inputs, hidden…, 1], over one array. */
export function network(sizes, values = null) {
  const count = sizes.slice(1).reduce((sum, n, k) => sum + (sizes[k] + 1) * n, 0);
  const theta = values ? Float64Array.from(values) : new Float64Array(count);
  let place = 0;
  const take = (n) => theta.subarray(place, (place += n));
  const layers = sizes.slice(1).map((nOut, k) => {
    const nIn = sizes[k];
    return { nIn, nOut, w: take(nIn * nOut), b: take(nOut) };
  });
  return { sizes, theta, layers };
}

/** Draw the weights anew; biases start at 0. */
export function start(net, kind, seed) {
  const next = normals(seed * 7919 + 17);
  for (const { nIn, nOut, w, b } of net.layers) {
    const deviation = STARTS[kind](nIn, nOut);
    for (let i = 0; i < w.length; i += 1) w[i] = deviation * next();
    b.fill(0);
  }
  return net;
}

/** Room for `rows` examples: their values a and z in each layer, and deltas. */
export function room(net, rows) {
  const arrays = (sizes) => sizes.map((n) => new Float64Array(rows * n));
  const after = net.sizes.slice(1);
  return { a: arrays(net.sizes), z: arrays(after), delta: arrays(after) };
}

/** Send the first n rows of space.a[0] through; gives the logits, one a row. */
export function forward(net, space, n, activation) {
  const f = BETWEEN[activation].value;
  const last = net.layers.length - 1;
  net.layers.forEach(({ nIn, nOut, w, b }, k) => {
    const a = space.a[k], z = space.z[k], out = space.a[k + 1];
    for (let r = 0; r < n; r += 1) {
      const from = r * nIn, to = r * nOut;
      for (let j = 0; j < nOut; j += 1) z[to + j] = b[j];
      for (let i = 0; i < nIn; i += 1) {
        const v = a[from + i], row = i * nOut;
        for (let j = 0; j < nOut; j += 1) z[to + j] += v * w[row + j];
      }
    }
    if (k < last) for (let i = 0; i < n * nOut; i += 1) out[i] = f(z[i]);
  });
  return space.z[last];
}

/** Mean binary cross-entropy from logits, in nats: log(1 + e^-z) where y is 1. */
export function meanLoss(logits, labels, n) {
  let sum = 0;
  for (let r = 0; r < n; r += 1) {
    const z = labels[r] ? -logits[r] : logits[r];
    sum += Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
  }
  return sum / n;
}

/** Share of examples on the right side of logit 0. */
export function accuracyOf(logits, labels, n) {
  let right = 0;
  for (let r = 0; r < n; r += 1) right += (logits[r] > 0) === (labels[r] === 1) ? 1 : 0;
  return right / n;
}

/** After `forward`: write the gradient of the mean loss into the network `grads`. */
export function backward(net, space, labels, n, activation, grads) {
  const { slope } = BETWEEN[activation], top = net.layers.length - 1;
  const sigmoid1 = ACTIVATIONS.sigmoid.value;
  grads.theta.fill(0);
  // Prediction minus label, then layer by layer down.
  for (let r = 0; r < n; r += 1) {
    space.delta[top][r] = (sigmoid1(space.z[top][r]) - labels[r]) / n;
  }
  for (let k = top; k >= 0; k -= 1) {
    const { nIn, nOut, w } = net.layers[k], { w: gw, b: gb } = grads.layers[k];
    const a = space.a[k], delta = space.delta[k];
    const below = k > 0 ? space.delta[k - 1] : null, z = k > 0 ? space.z[k - 1] : null;
    for (let r = 0; r < n; r += 1) {
      const from = r * nIn, to = r * nOut;
      for (let j = 0; j < nOut; j += 1) gb[j] += delta[to + j];
      for (let i = 0; i < nIn; i += 1) {
        const v = a[from + i], row = i * nOut;
        let back = 0;
        for (let j = 0; j < nOut; j += 1) {
          gw[row + j] += v * delta[to + j];
          back += delta[to + j] * w[row + j];
        }
        if (below) below[from + i] = back * slope(z[from + i]);
      }
    }
  }
}

/** What the optimizers remember: the number of steps and two running values. */
export function memoryFor(size) {
  return { t: 0, m: new Float64Array(size), v: new Float64Array(size) };
}

const MU = 0.9, RHO = 0.9, B1 = 0.9, B2 = 0.999, EPS = 1e-8;

function adamStep(p, g, memory, rate, decay) {
  memory.t += 1;
  const { t, m, v } = memory;
  const fix1 = 1 - B1 ** t, fix2 = 1 - B2 ** t;
  for (let i = 0; i < p.length; i += 1) {
    m[i] = B1 * m[i] + (1 - B1) * g[i];
    v[i] = B2 * v[i] + (1 - B2) * g[i] * g[i];
    p[i] -= rate * (m[i] / fix1 / (Math.sqrt(v[i] / fix2) + EPS) + decay * p[i]);
  }
}

/** The rules of lessons.optimizers. Each changes p in place by one step against g. */
export const RULES = {
  sgd(p, g, memory, rate) {
    for (let i = 0; i < p.length; i += 1) p[i] -= rate * g[i];
  },
  momentum(p, g, { m }, rate) {
    for (let i = 0; i < p.length; i += 1) {
      m[i] = MU * m[i] + g[i];
      p[i] -= rate * m[i];
    }
  },
  rmsprop(p, g, { v }, rate) {
    for (let i = 0; i < p.length; i += 1) {
      v[i] = RHO * v[i] + (1 - RHO) * g[i] * g[i];
      p[i] -= (rate * g[i]) / Math.sqrt(v[i] + EPS);
    }
  },
  adam: (p, g, memory, rate) => adamStep(p, g, memory, rate, 0),
  adamw: (p, g, memory, rate, decay) => adamStep(p, g, memory, rate, decay),
};

/** What readers call them, in the order of chapter 04. */
export const RULE_NAMES = [
  ["sgd", "SGD"], ["momentum", "momentum"], ["rmsprop", "RMSProp"], ["adam", "Adam"],
  ["adamw", "AdamW"],
];

/** Train on all of x (n rows) for some steps: what a test compares with the package.
    Gives logits, loss and gradient at the start, and the parameters at the end. */
export function trainSteps({ sizes, activation, rule, rate, decay = 0, steps = 1 }, theta, x, y) {
  const net = network(sizes, theta), grads = network(sizes);
  const space = room(net, y.length), memory = memoryFor(net.theta.length);
  space.a[0].set(x.flat());
  let first = null;
  for (let k = 0; k < steps; k += 1) {
    const logits = forward(net, space, y.length, activation);
    const loss = meanLoss(logits, y, y.length);
    backward(net, space, y, y.length, activation, grads);
    first ??= { logits: logits.slice(), loss, grads: grads.theta.slice() };
    RULES[rule](net.theta, grads.theta, memory, rate, decay);
  }
  return { ...first, theta: net.theta };
}
