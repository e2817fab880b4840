// What the convolution explorer computes: all answers of a kernel, and one of them.
import { convolve, convSize, framed } from "./cnn.js";

const flat = (rows) => Float64Array.from(rows.flat());

/** The image of a table of grey levels from 0 to 255: rows, columns, and data from 0 to 1. */
export function imageOf(grey) {
  return { rows: grey.length, columns: grey[0].length, channels: 1, data: flat(grey).map((v) => v / 255) };
}

/** All answers of a kernel (rows of numbers) to an image, and why there are none if it
    does not fit. */
export function answers({ grey, kernel, bias, stride, padding, dilation }) {
  const image = imageOf(grey), size = [kernel.length, kernel[0].length, 1, 1];
  const out = convolve({ size, w: flat(kernel), b: [bias] }, image, { stride, padding, dilation });
  const reach = size.slice(0, 2).map((k) => dilation * (k - 1) + 1);
  const room = [image.rows, image.columns].map((n) => n + 2 * padding);
  const tight = reach[0] > room[0] ? 0 : reach[1] > room[1] ? 1 : -1;
  const why = tight < 0 ? "" : `The kernel reaches over ${reach[tight]} pixels, and the image ` +
    `with its padding has ${room[tight]}. Take more padding, less dilation, a smaller kernel or a larger image.`;
  return { ...out, reach, why };
}

/** One place of the window: its pixels, their products with the kernel, and the sum. */
export function windowAt({ grey, kernel, bias, stride, padding, dilation }, row, column) {
  const x = framed(imageOf(grey), padding);
  const pixels = kernel.map((line, d) => line.map((_, e) =>
    x.data[(row * stride + d * dilation) * x.columns + column * stride + e * dilation]));
  const products = kernel.map((line, d) => line.map((w, e) => w * pixels[d][e]));
  return { pixels, products, sum: products.flat().reduce((a, b) => a + b, 0) + bias };
}

/** The formula of the output's size with the present numbers. */
export function sizeFormula(size, kernel, stride, padding, dilation) {
  const result = convSize(size, kernel, stride, padding, dilation);
  const inside = `${size} + 2 · ${padding} − ${dilation} · (${kernel} − 1) − 1`;
  return `⌊(${inside}) / ${stride}⌋ + 1 = ${result > 0 ? result : "no place"}`;
}
