// Pillow's resize of a square of bytes, byte for byte: by the mean of the area where it shrinks, else by cubic curves.
// As ImagingResample in Pillow's Resample.c, with its fixed-point numbers.

const PRECISION_BITS = 22;

/** Return a square of `from` x `from` bytes as `to` x `to`. */
export function resized(square, from, to) {
  const filter = from > to ? BOX : BICUBIC;
  const taps = Array.from({ length: to }, (_, at) => weightsAt(at, from, to, filter));
  return transposedRows(transposedRows(square, from, from, taps), from, to, taps);
}

const BOX = { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
const BICUBIC = { support: 2, weight: bicubic };

function bicubic(distance) {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Return the first source pixel of a target pixel, and the weights of it and those behind it as integers. */
function weightsAt(at, from, to, { support, weight }) {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const center = (at + 0.5) * scale;
  const first = Math.max(0, Math.trunc(center - support * stretch + 0.5));
  const last = Math.min(from, Math.trunc(center + support * stretch + 0.5));
  const weights = Array.from({ length: last - first }, (_, x) => weight((x + first - center + 0.5) * (1 / stretch)));
  const sum = weights.reduce((total, each) => total + each, 0);
  return { first, weights: weights.map((each) => toFixed(each / sum)) };
}

function toFixed(weight) {
  const scaled = weight * 2 ** PRECISION_BITS;
  return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

/** Resample each row of a picture, and return it with its rows as columns. */
function transposedRows(pixels, width, height, taps) {
  const result = new Uint8ClampedArray(taps.length * height);
  for (let y = 0; y < height; y++) {
    taps.forEach(({ first, weights }, x) => {
      let sum = 2 ** (PRECISION_BITS - 1);
      for (let i = 0; i < weights.length; i++) sum += weights[i] * pixels[y * width + first + i];
      result[x * height + y] = sum >> PRECISION_BITS;
    });
  }
  return new Uint8Array(result);
}
