// Strokes on a pad to an image in the form of MNIST's: grey levels, the longer side of
// the ink 20 pixels, the centre of its mass on pixel (14, 14) of 28 x 28.
//
// MNIST was made from scans. Here the strokes are scaled as lines and inked after that,
// so the stroke is as wide as in the data, whether the reader draws large or small.

export const SIDE = 28;
/** The pen's width in pixels, and how many pixels its edge takes from ink to paper. */
export const PEN = { width: 2.5, edge: 1.4 };
const BOX = 20, CENTRE = 14;
// A drawing is enlarged at most this much, so that a dot stays a dot.
const LARGEST = 6 * SIDE;

/** The rectangle around all points, [left, top, right, bottom], or null if there is none. */
export function bounds(strokes) {
  const points = strokes.flat().filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  if (points.length === 0) return null;
  const span = (axis) => points.reduce(
    ([low, high], p) => [Math.min(low, p[axis]), Math.max(high, p[axis])], [Infinity, -Infinity]);
  const [left, right] = span(0), [top, bottom] = span(1);
  return [left, top, right, bottom];
}

function distance(x, y, [ax, ay], [bx, by]) {
  const dx = bx - ax, dy = by - ay, long = dx * dx + dy * dy;
  const t = long === 0 ? 0 : Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / long, 0), 1);
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** Ink lines on 28 x 28 pixels: 1 inside the stroke, falling to 0 over its edge. Pixel
    (r, c) has its centre at x = c, y = r. */
export function inked(strokes, pen = PEN) {
  const out = new Float64Array(SIDE * SIDE), reach = (pen.width + pen.edge) / 2;
  const clip = (v) => Math.min(Math.max(v, 0), SIDE - 1);
  const range = (a, b) => [clip(Math.ceil(Math.min(a, b) - reach)), clip(Math.floor(Math.max(a, b) + reach))];
  for (const stroke of strokes) {
    for (let k = 0; k < stroke.length; k += 1) {
      const a = stroke[Math.max(k - 1, 0)], b = stroke[k];
      const [left, right] = range(a[0], b[0]), [top, bottom] = range(a[1], b[1]);
      for (let r = top; r <= bottom; r += 1) {
        for (let c = left; c <= right; c += 1) {
          const ink = Math.min((reach - distance(c, r, a, b)) / pen.edge, 1);
          if (ink > out[r * SIDE + c]) out[r * SIDE + c] = ink;
        }
      }
    }
  }
  return out;
}

/** The centre of mass of an image, [x, y] in pixels; null of a blank one. */
export function centreOfMass(pixels) {
  let mass = 0, x = 0, y = 0;
  pixels.forEach((ink, i) => {
    mass += ink;
    x += ink * (i % SIDE);
    y += ink * Math.floor(i / SIDE);
  });
  return mass === 0 ? null : [x / mass, y / mass];
}

/** Bring strokes, lists of [x, y] in any unit of the pad (1 is its side), to MNIST's
    form: 784 grey levels from 0 to 1, or null if there is no stroke. */
export function toPixels(strokes, pen = PEN) {
  const box = bounds(strokes);
  if (box === null) return null;
  const [left, top, right, bottom] = box;
  const long = Math.max(right - left, bottom - top);
  const scale = Math.min((BOX - pen.width) / Math.max(long, 1e-9), LARGEST);
  const middle = [(left + right) / 2, (top + bottom) / 2];
  const place = ([dx, dy]) => strokes.map((stroke) => stroke
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
    .map(([x, y]) => [(x - middle[0]) * scale + dx, (y - middle[1]) * scale + dy]));
  const [x, y] = centreOfMass(inked(place([CENTRE, CENTRE]), pen));
  // No ink may leave the image: the box of the ink stays inside.
  const half = [(right - left) * scale / 2, (bottom - top) * scale / 2].map((v) => v + pen.width / 2);
  const shift = (mass, size) => Math.min(Math.max(2 * CENTRE - mass, size - 0.5), SIDE - 0.5 - size);
  return inked(place([shift(x, half[0]), shift(y, half[1])]), pen);
}
