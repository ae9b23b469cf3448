/*
@README@
*/

/** The origin of this file, its largest difference from the server, and the card of the checkpoint. */
export const metadata = @METADATA@;

const SIDE = 28;
const PIXELS = 784;
const VIEWS_BELOW = @VIEWS_BELOW@; // 0: the version has no views
const TEMPERATURE = @TEMPERATURE@;
const VIEWS_TEMPERATURE = @VIEWS_TEMPERATURE@;
const SHIFTS = [[-1, 0], [1, 0], [0, -1], [0, 1]];

/** @type {Record<string, Float32Array>} */
const arrays = {
@ARRAYS@
};

/**
 * Read images.
 *
 * @param {Uint8Array | Uint8ClampedArray} images 784 bytes for each: 28 rows of 28 pixels, 0 background to 255 foreground
 * @returns {{ scores: Float32Array, digits: Int32Array }} of each image the probabilities of the digits 0 to 9, 10
 *   numbers after the other, and the most probable digit
 */
export function predict(images) {
  if (!(images instanceof Uint8Array || images instanceof Uint8ClampedArray)) {
    throw new TypeError("images is no Uint8Array");
  }
  if (images.length % PIXELS !== 0) {
    throw new RangeError(`images has ${images.length} bytes, which is no multiple of ${PIXELS}`);
  }
  const count = images.length / PIXELS;
  const scores = new Float32Array(10 * count);
  const digits = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const probabilities = read(Float64Array.from(images.subarray(i * PIXELS, (i + 1) * PIXELS), (level) => level / 255));
    scores.set(probabilities, 10 * i);
    digits[i] = probabilities.indexOf(Math.max(...probabilities));
  }
  return { scores, digits };
}

/** @param {Float64Array} x pixels of 0 to 1 */
function read(x) {
  const first = hidden(x);
  const scores = softmax(dense(first, arrays.out, arrays.b_out), TEMPERATURE);
  if (Math.max(...scores) >= VIEWS_BELOW) return scores;
  const views = [first, ...SHIFTS.map(([down, right]) => hidden(shifted(x, down, right)))];
  const mean = first.map((_, j) => views.reduce((sum, view) => sum + view[j], 0) / views.length);
  return softmax(dense(mean, arrays.out, arrays.b_out), VIEWS_TEMPERATURE);
}

/** @param {Float64Array} x */
function hidden(x) {
  const layer1 = dense(x, arrays.h1, arrays.b1).map(sigmoid);
  return dense(layer1, arrays.h2, arrays.b2).map(sigmoid);
}

/**
 * @param {Float64Array} x
 * @param {Float32Array} weights one row of outputs per input
 * @param {Float32Array} biases
 */
function dense(x, weights, biases) {
  const sums = Float64Array.from(biases);
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    if (value === 0) continue; // most pixels
    for (let j = 0, k = i * sums.length; j < sums.length; j++, k++) sums[j] += value * weights[k];
  }
  return sums;
}

/** @param {number} x */
function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

/**
 * @param {Float64Array} logits
 * @param {number} temperature
 */
function softmax(logits, temperature) {
  const largest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp((logit - largest) / temperature));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/**
 * @param {Float64Array} x
 * @param {number} down
 * @param {number} right
 */
function shifted(x, down, right) {
  return x.map((_, i) => {
    const row = Math.floor(i / SIDE) - down;
    const column = (i % SIDE) - right;
    return row >= 0 && row < SIDE && column >= 0 && column < SIDE ? x[row * SIDE + column] : 0;
  });
}

/** @param {string} base64 little-endian floats of 32 bits */
function float32(base64) {
  const bytes = decoded(base64);
  return Float32Array.from({ length: bytes.byteLength / 4 }, (_, i) => bytes.getFloat32(4 * i, true));
}
@FUNCTIONS@
/** @param {string} base64 */
function decoded(base64) {
  return new DataView(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer);
}
