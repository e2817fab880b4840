// What a network, or one of its units, says about every place of the plane.
import { forward, room } from "./nn.js";
import { ACTIVATIONS } from "./maths.js";
import { gridPicture } from "./surface.js";

const SLICE = 4, TILE = 14;

/** Which array of `room` holds a unit's values: "" is the output, "1.3" a hidden unit. */
function columnOf(space, net, unit, n, write) {
  const [k, j] = unit ? unit.split(".").map(Number) : [0, 0];
  const from = unit ? space.a[k] : space.z.at(-1), stride = unit ? net.sizes[k] : 1;
  const value = unit ? (v) => v : ACTIVATIONS.sigmoid.value;
  for (let r = 0; r < n; r += 1) write(r, value(from[r * stride + j]));
}

/** A surface on a grid over `span`, computed a few rows at a time. With one input there
    is one row. After `begin(unit)` call `slice` until `finished`. */
export function surfaceOf(net, activation, span, grid) {
  const [[x0, x1], [y0, y1]] = span, inputs = net.sizes[0], rows = inputs === 1 ? 1 : grid;
  const space = room(net, SLICE * grid), fresh = new Float64Array(grid * rows);
  const surface = { values: new Float64Array(grid * rows), rows, finished: false, half: 0.5, scale: 0.5, begin, slice };
  let row = 0, unit = "";

  /** Ask for a surface; one under way is finished first, so that each is shown. */
  function begin(wanted) {
    if (surface.finished || wanted !== unit || row === 0) row = 0;
    unit = wanted;
    surface.finished = false;
  }

  function slice(more) {
    do {
      const count = Math.min(SLICE, rows - row);
      for (let r = 0; r < count * grid; r += 1) {
        const up = row + Math.floor(r / grid);
        space.a[0][r * inputs] = x0 + (((r % grid) + 0.5) / grid) * (x1 - x0);
        if (inputs > 1) space.a[0][r * inputs + 1] = y1 - ((up + 0.5) / grid) * (y1 - y0);
      }
      forward(net, space, count * grid, activation);
      columnOf(space, net, unit, count * grid, (r, v) => { fresh[row * grid + r] = v; });
      row += count;
    } while (row < rows && more());
    if (row >= rows) finish();
  }

  function finish() {
    surface.values.set(fresh);
    const size = (most, v) => Math.max(most, Math.abs(v));
    surface.half = unit ? 0 : 0.5;
    surface.scale = unit ? surface.values.reduce(size, 1e-9) : 0.5;
    surface.finished = true;
    row = 0;
  }

  return surface;
}

/** Small surfaces of all units, drawn where they stand. */
export function thumbnails(net, activation, span) {
  const [[x0, x1], [y0, y1]] = span, inputs = net.sizes[0], count = TILE * TILE;
  const space = room(net, count), picture = gridPicture(TILE, TILE);
  for (let r = 0; r < count; r += 1) {
    space.a[0][r * inputs] = x0 + (((r % TILE) + 0.5) / TILE) * (x1 - x0);
    if (inputs > 1) space.a[0][r * inputs + 1] = y1 - ((Math.floor(r / TILE) + 0.5) / TILE) * (y1 - y0);
  }
  const values = new Float64Array(count);

  function draw(pen, places, side, colours, marked) {
    forward(net, space, count, activation);
    const last = places.length - 1;
    places.forEach((layer, k) => layer.forEach(([x, y], j) => {
      const unit = k === last ? "" : `${k}.${j}`;
      columnOf(space, net, unit, count, (r, v) => { values[r] = v; });
      const half = unit ? 0 : 0.5;
      const scale = unit ? values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-9) : 0.5;
      picture.paint((i) => (values[i] - half) / scale, colours);
      pen.drawImage(picture.canvas, x - side / 2, y - side / 2, side, side);
      pen.strokeStyle = colours.ink;
      pen.lineWidth = k > 0 && unit === marked ? 2.5 : 0.7;
      pen.strokeRect(x - side / 2, y - side / 2, side, side);
    }));
  }

  return { draw };
}
