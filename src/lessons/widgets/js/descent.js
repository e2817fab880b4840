// The surfaces of the optimizer race, and how a rule goes down them.
import { memoryFor, RULES } from "./nn.js";

/** The decay of AdamW, strong enough to be seen. */
export const DECAY = 0.1;
const FAR = 1e3;

/** The surfaces of lessons.widgets.race, each with its gradient by hand. `lowest` are
    the lowest points, `floor` is their height; x and y are the edges of the map. */
export const SURFACES = {
  bowl: {
    title: "long bowl: ½ w0² + 12.5 w1²",
    x: [-5, 5], y: [-2.5, 2.5], lowest: [[0, 0]], floor: 0,
    value: (a, b) => (a * a + 25 * b * b) / 2,
    slope: (a, b) => [a, 25 * b],
  },
  saddle: {
    title: "saddle, with a valley on each side",
    x: [-3, 3], y: [-3, 3], lowest: [[0, 2], [0, -2]], floor: -1,
    value: (a, b) => (a * a - b * b) / 2 + b ** 4 / 16,
    slope: (a, b) => [a, -b + b ** 3 / 4],
  },
  valley: {
    title: "curved valley, after Rosenbrock",
    x: [-2, 2], y: [-1, 3], lowest: [[1, 1]], floor: 0,
    value: (a, b) => (1 - a) ** 2 + 10 * (b - a * a) ** 2,
    slope: (a, b) => [-2 * (1 - a) - 40 * a * (b - a * a), 20 * (b - a * a)],
  },
  two: {
    title: "two minima, the left one lower",
    x: [-3.5, 3.5], y: [-2, 2], lowest: [[-2.093361, 0]], floor: -0.4095443,
    value: (a, b) => (a * a - 4) ** 2 / 16 + a / 5 + b * b,
    slope: (a, b) => [(a * (a * a - 4)) / 4 + 0.2, 2 * b],
  },
};

/** Where a surface is lowest, and how high another place lies above that. */
export const lowestPoints = (name) => SURFACES[name].lowest;
export const above = (name, a, b) => SURFACES[name].value(a, b) - SURFACES[name].floor;

/** Run one rule for some steps. Gives the places, the losses, and the step at which it
    went too far to come back, or null. */
export function run(name, rule, rate, start, steps, decay = DECAY) {
  const { value, slope } = SURFACES[name], p = Float64Array.from(start), memory = memoryFor(2);
  const path = [[...p]], losses = [value(...p)];
  for (let k = 1; k <= steps; k += 1) {
    RULES[rule](p, Float64Array.from(slope(...p)), memory, rate, decay);
    path.push([...p]);
    losses.push(value(...p));
    // Written so that NaN counts as too far.
    if (!(Math.hypot(...p) < FAR)) return { path, losses, diverged: k };
  }
  return { path, losses, diverged: null };
}
