// The package's convolutional functions in JavaScript, named alike. Images are flat
// arrays with their sizes: { rows, columns, channels, data }, channels last, as in
// lessons.cnn for one image. A test holds each to the package.

/** Read float32 numbers, little-endian, from the bytes of a trait. */
export function floats(view) {
  return Float64Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** Count the places of a kernel along one axis; 0 if it does not fit. */
export function convSize(size, kernel, stride = 1, padding = 0, dilation = 1) {
  const room = size + 2 * padding - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : Math.floor(room / stride) + 1;
}

/** Frame an image with zeros. */
export function framed(image, padding) {
  const { rows, columns, channels, data } = image;
  const wide = columns + 2 * padding, high = rows + 2 * padding;
  const out = new Float64Array(high * wide * channels);
  for (let r = 0; r < rows; r += 1) {
    const line = data.slice(r * columns * channels, (r + 1) * columns * channels);
    out.set(line, ((r + padding) * wide + padding) * channels);
  }
  return { rows: high, columns: wide, channels, data: out };
}

/** Slide a kernel over one image. `layer` is { size: [height, width, c_in, c_out], w, b }
    with w flat in that order. Gives an image of no rows where the kernel does not fit. */
export function convolve(layer, image, { stride = 1, padding = 0, dilation = 1 } = {}) {
  const [height, width, cIn, cOut] = layer.size;
  const rows = convSize(image.rows, height, stride, padding, dilation);
  const columns = convSize(image.columns, width, stride, padding, dilation);
  if (rows === 0 || columns === 0) return { rows: 0, columns: 0, channels: cOut, data: new Float64Array(0) };
  const x = framed(image, padding);
  const data = new Float64Array(rows * columns * cOut);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const at = (i * columns + j) * cOut;
      for (let o = 0; o < cOut; o += 1) data[at + o] = layer.b[o];
      for (let d = 0; d < height; d += 1) {
        for (let e = 0; e < width; e += 1) {
          const pixel = ((i * stride + d * dilation) * x.columns + j * stride + e * dilation) * cIn;
          for (let c = 0; c < cIn; c += 1) {
            const value = x.data[pixel + c];
            if (value === 0) continue;
            const weight = ((d * width + e) * cIn + c) * cOut;
            for (let o = 0; o < cOut; o += 1) data[at + o] += value * layer.w[weight + o];
          }
        }
      }
    }
  }
  return { rows, columns, channels: cOut, data };
}

/** Keep the largest number of each square window; the windows tile the image. */
export function maxPool(image, window = 2) {
  const { channels } = image;
  const rows = Math.floor(image.rows / window), columns = Math.floor(image.columns / window);
  const data = new Float64Array(rows * columns * channels).fill(-Infinity);
  for (let r = 0; r < rows * window; r += 1) {
    for (let k = 0; k < columns * window; k += 1) {
      const to = (Math.floor(r / window) * columns + Math.floor(k / window)) * channels;
      const from = (r * image.columns + k) * channels;
      for (let c = 0; c < channels; c += 1) data[to + c] = Math.max(data[to + c], image.data[from + c]);
    }
  }
  return { rows, columns, channels, data };
}

const rectified = (data) => data.map((v) => Math.max(v, 0));

function affine({ size: [nIn, nOut], w, b }, x) {
  const out = Float64Array.from(b);
  for (let i = 0; i < nIn; i += 1) {
    if (x[i] === 0) continue;
    for (let j = 0; j < nOut; j += 1) out[j] += x[i] * w[i * nOut + j];
  }
  return out;
}

/** LeNet's layers in the order in which their numbers travel: w, then b. */
export const LENET = [
  ["conv1", [5, 5, 1, 6]], ["conv2", [5, 5, 6, 16]],
  ["dense1", [400, 120]], ["dense2", [120, 84]], ["dense3", [84, 10]],
];

/** Cut LeNet's 61,706 numbers into its layers. */
export function lenetLayers(numbers) {
  const flat = Float64Array.from(numbers), layers = {};
  let from = 0;
  const take = (count) => flat.subarray(from, (from += count));
  for (const [name, size] of LENET) {
    const w = take(size.reduce((a, b) => a * b, 1));
    layers[name] = { size, w, b: take(size.at(-1)) };
  }
  return layers;
}

/** Classify one image of 28 x 28 numbers. Gives the logits, and the maps of both
    convolutions after ReLU. */
export function lenet(layers, pixels) {
  const image = { rows: 28, columns: 28, channels: 1, data: Float64Array.from(pixels) };
  const through = (layer, x, options) => {
    const made = convolve(layer, x, options);
    return { ...made, data: rectified(made.data) };
  };
  const first = through(layers.conv1, image, { padding: 2 });
  const second = through(layers.conv2, maxPool(first));
  let h = maxPool(second).data;
  h = rectified(affine(layers.dense1, h));
  h = rectified(affine(layers.dense2, h));
  return { first, second, logits: affine(layers.dense3, h) };
}

/** As `lenet`, from all its numbers in a row: what the tests compare. */
export function lenetFrom(numbers, pixels) {
  return lenet(lenetLayers(numbers), pixels);
}

/** The pixels of the image that a pixel of a map sees, along one axis: [first, last],
    as far as they lie in the image. */
export function seenBy(layer, place) {
  const [first, last] = layer === 1 ? [place - 2, place + 2] : [2 * place - 2, 2 * place + 11];
  return [Math.max(first, 0), Math.min(last, 27)];
}
