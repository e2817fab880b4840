// Numbers out of the bytes of a trait, which arrive as a DataView, little-endian.

/** Read float32 numbers. */
export function float32s(view) {
  return Float64Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** The number that 16 bits stand for: sign, five bits of exponent, ten of fraction. */
export function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Read float16 numbers: half the bytes, three decimal digits. */
export function float16s(view) {
  return Float64Array.from({ length: view.byteLength / 2 }, (_, i) => half(view.getUint16(2 * i, true)));
}
