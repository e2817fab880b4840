// Training in slices: batches, optimizer, and the record of losses.
import { accuracyOf, backward, forward, meanLoss, memoryFor, network, room, RULES, start } from "./nn.js";
import { random } from "./maths.js";

/** A loss over this, or none at all, is called diverged: ignorance costs 0.693. */
export const DIVERGED = 1e3;
const RECORD = 300;

/** Read the packed points: for each task training and held-out rows [x0, x1, y]. */
export function unpack(view, tasks, training, heldOut) {
  let place = 0;
  const rows = (count) => Array.from({ length: count }, () => {
    const row = [0, 4, 8].map((k) => view.getFloat32(place + k, true));
    place += 12;
    return row;
  });
  return Object.fromEntries(tasks.map((task) => [task, { training: rows(training), heldOut: rows(heldOut) }]));
}

/** Put rows into an array of inputs and one of labels. */
export function columns(rows, inputs) {
  return {
    x: Float64Array.from(rows.flatMap((row) => row.slice(0, inputs))),
    y: Float64Array.from(rows, (row) => row[2]),
  };
}

/** Start a network on training and held-out data {x, y}. */
export function beginTraining({ sizes, activation, kind, seed }, training, heldOut) {
  const net = start(network(sizes), kind, seed), count = training.y.length;
  return {
    net, activation, training, heldOut,
    grads: network(sizes),
    space: room(net, Math.max(count, heldOut.y.length)),
    labels: new Float64Array(count),
    memory: memoryFor(net.theta.length),
    order: Array.from({ length: count }, (_, i) => i),
    next: random(seed * 104729 + 5),
    cursor: count, steps: 0, seen: 0, diverged: false, history: [], every: 1,
  };
}

/** Forget what the optimizer remembers: another one takes over. */
export function forget(run) {
  run.memory = memoryFor(run.net.theta.length);
}

function shuffle(run) {
  const { order, next } = run;
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  run.cursor = 0;
}

/** Take one step on the next batch of a shuffled order; an epoch's last batch may be
    smaller. Gives the batch's mean loss before the step. */
export function oneStep(run, { optimizer, rate, batch, decay }) {
  const { net, grads, space, labels, training, order, activation } = run;
  const inputs = net.sizes[0], count = order.length;
  if (run.cursor >= count) shuffle(run);
  const n = Math.min(batch, count - run.cursor);
  for (let r = 0; r < n; r += 1) {
    const example = order[run.cursor + r];
    for (let i = 0; i < inputs; i += 1) space.a[0][r * inputs + i] = training.x[example * inputs + i];
    labels[r] = training.y[example];
  }
  const loss = meanLoss(forward(net, space, n, activation), labels, n);
  backward(net, space, labels, n, activation, grads);
  RULES[optimizer](net.theta, grads.theta, run.memory, rate, decay);
  run.cursor += n;
  run.seen += n;
  run.steps += 1;
  // Written so that NaN counts as diverged too.
  run.diverged = !(loss < DIVERGED);
  return loss;
}

function measure({ net, space, activation }, { x, y }) {
  space.a[0].set(x);
  const logits = forward(net, space, y.length, activation);
  return { loss: meanLoss(logits, y, y.length), accuracy: accuracyOf(logits, y, y.length) };
}

/** Measure both parts and keep it in the record, which is thinned as it grows. */
export function evaluate(run) {
  const training = measure(run, run.training), heldOut = measure(run, run.heldOut);
  const now = { step: run.steps, train: training.loss, held: heldOut.loss, accuracy: heldOut.accuracy };
  if (!(training.loss < DIVERGED)) run.diverged = true;
  if (run.history.at(-1)?.step === now.step) run.history.pop();
  run.history.push(now);
  if (run.history.length > RECORD) run.history = run.history.filter((_, i, all) => i % 2 === 0 || i === all.length - 1);
  return now;
}

/** Train for some epochs without a page: what a test looks at. */
export function epochs(settings, data, chosen, count) {
  const run = beginTraining(settings, data, data), sizes = [];
  for (let k = 0; k < count && !run.diverged; k += 1) {
    do {
      const before = run.seen;
      oneStep(run, chosen);
      sizes.push(run.seen - before);
    } while (!run.diverged && run.cursor < run.order.length);
  }
  return { diverged: run.diverged, steps: run.steps, order: run.order, sizes };
}
