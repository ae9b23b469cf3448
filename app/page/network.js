// The network in the browser: a version's checkpoint, fetched as data, and the forward pass, which computes what
// `inkling/network/forward.py` defines.

import { call } from "./api.js";

const SIDE = 28;
const SHIFTS = [[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]]; // the views: down, right; as in inkling/network/views.py
const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit));
const ALIGNED = 8; // bytes; the file's length field, after which the header begins

/** Return the network of a version: {version, classes, parameters, card}. Throws Problem if there is no such version. */
export async function loadNetwork(version) {
  return parseNetwork(await (await call(`versions/${version}/checkpoint`)).arrayBuffer(), version);
}

/** Return the network in a checkpoint file, an ArrayBuffer: safetensors with a card (inkling/network/checkpoint.py). */
export function parseNetwork(content, version) {
  const length = Number(new DataView(content).getBigUint64(0, true));
  const { __metadata__: metadata, ...tensors } = JSON.parse(new TextDecoder().decode(new Uint8Array(content, ALIGNED, length)));
  const parameters = {};
  for (const [name, { data_offsets: [start, end] }] of Object.entries(tensors)) {
    parameters[name] = new Float32Array(content, ALIGNED + length + start, (end - start) / 4);
  }
  const card = JSON.parse(metadata.inkling);
  return { version, classes: card.classes ?? DIGITS, parameters, card };
}

/** Read an image.
 *
 * `pixels`: 784 bytes, 28 rows of 28, 0 background to 255 foreground. Returns
 * - hidden1 (128), hidden2 (256): the activations, 0 to 1
 * - logits (10): before the temperature, of the image itself
 * - probabilities (10): calibrated; of an image that the network is not sure of, over all views
 * - digitScore: how much it looks like a digit, 0 to 1; null if the version has no probe */
export function forward(network, pixels) {
  const { parameters, card } = network;
  const x = Float64Array.from(pixels, (level) => level / 255);
  const seen = activations(parameters, x);
  let probabilities = softmax(seen.logits, card.temperature ?? 1);
  if (card.views && Math.max(...probabilities) < card.views.below) {
    const each = SHIFTS.map((shift) => activations(parameters, shifted(x, ...shift)).logits);
    const mean = seen.logits.map((_, k) => each.reduce((sum, logits) => sum + logits[k], 0) / each.length);
    probabilities = softmax(mean, card.views.temperature);
  }
  return { ...seen, probabilities, digitScore: digitScore(parameters, seen) };
}

/** Return the weights of a unit of the first hidden layer, one for each of the 784 pixels. */
export function pixelWeights(network, unit) {
  const units = network.parameters["biases/b1"].length;
  return Float32Array.from({ length: SIDE * SIDE }, (_, pixel) => network.parameters["weights/h1"][pixel * units + unit]);
}

function activations(p, x) {
  const hidden1 = dense(x, p["weights/h1"], p["biases/b1"]).map(sigmoid);
  const hidden2 = dense(hidden1, p["weights/h2"], p["biases/b2"]).map(sigmoid);
  return { hidden1, hidden2, logits: dense(hidden2, p["weights/out"], p["biases/out"]) };
}

/** The digit probe (inkling/network/digit_probe.py): of the activations of both layers and the largest logit. */
function digitScore(p, { hidden1, hidden2, logits }) {
  const weights = p["weights/is_digit"];
  if (!weights) return null;
  const features = [...hidden1, ...hidden2, Math.max(...logits)];
  const units = p["weights/is_digit_hidden"];
  const inputs = units ? [...dense(features, units, p["biases/is_digit_hidden"]).map(sigmoid), features.at(-1)] : features;
  return sigmoid(inputs.reduce((sum, input, i) => sum + input * weights[i], p["biases/is_digit"][0]));
}

/** Return x W + b; the weights have one row for each input. */
function dense(x, weights, biases) {
  const sums = Float64Array.from(biases);
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    if (value === 0) continue; // most pixels
    for (let j = 0, k = i * sums.length; j < sums.length; j++, k++) sums[j] += value * weights[k];
  }
  return sums;
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

function softmax(logits, temperature) {
  const largest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp((logit - largest) / temperature));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/** Return an image moved by some pixels; what enters is background. */
function shifted(x, down, right) {
  return x.map((_, i) => {
    const [row, column] = [Math.floor(i / SIDE) - down, (i % SIDE) - right];
    return row >= 0 && row < SIDE && column >= 0 && column < SIDE ? x[row * SIDE + column] : 0;
  });
}
