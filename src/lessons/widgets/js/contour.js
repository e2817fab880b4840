// Lines of equal height over a grid.

/** Segments [x0, y0, x1, y1, …] where a grid of values crosses a level. The grid lies
    row by row; coordinates count columns and rows. */
export function crossings(values, columns, rows, level) {
  const found = [];
  for (let y = 0; y + 1 < rows; y += 1) {
    for (let x = 0; x + 1 < columns; x += 1) cell(values, columns, x, y, level, found);
  }
  return found;
}

function cell(values, columns, x, y, level, found) {
  const at = y * columns + x;
  const a = values[at] - level, b = values[at + 1] - level;
  const c = values[at + columns + 1] - level, d = values[at + columns] - level;
  const points = [];
  // Once round the cell: a point on each side whose ends lie on two sides of the level.
  if (a > 0 !== b > 0) points.push(x + a / (a - b), y);
  if (b > 0 !== c > 0) points.push(x + 1, y + b / (b - c));
  if (c > 0 !== d > 0) points.push(x + d / (d - c), y + 1);
  if (d > 0 !== a > 0) points.push(x, y + a / (a - d));
  if (points.length === 8 && a > 0 === (a + b + c + d > 0)) {
    // A saddle whose middle belongs to corner a: the lines cut off b and d.
    found.push(...points);
  } else if (points.length === 8) {
    found.push(...points.slice(6), ...points.slice(0, 6));
  } else found.push(...points);
}
