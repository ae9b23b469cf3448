// The reading of a picture: by the server; while that is away, of a drawing, by this browser.

import { Problem, json } from "./api.js";
import { keptNetwork } from "./kept_network.js";
import { t } from "./language.js";
import { forward } from "./network.js";
import { normalize } from "./normalize.js";
import { loadServed, servedFit } from "./served.js";
import { isServerAway } from "./server.js";
import { decodeDataUri, drawnLevels } from "./strokes.js";

const SIDE = 28;
const FIRST = 3; // as in inkling/vision/normalization.py
const MAX_CONFIDENCE = 1 - 1e-6; // as in inkling/readings.py
const DIGIT_THRESHOLD = 0.5; // as in inkling/network/digit_probe.py

/** Return the prediction of a picture, a Blob, as POST /predict?fit=mnist does, with `version` and `reader`.
 *
 * `reader` is "server" or "browser". Throws Problem: the picture shows no digit, or nobody can read it. */
export async function readPicture(picture) {
  if (isServerAway()) return readHere(picture);
  try {
    if (servedFit() === "plain") return await readScaled(picture);
    const { version, predictions } = await json("predict?fit=mnist&return_image=true", { method: "POST", body: picture });
    return { version, ...predictions[0], reader: "server" };
  } catch (problem) {
    if (problem.status === 0) return readHere(picture);
    if (problem.slug === "invalid-field") await loadServed(); // another version may be served since
    if (servedFit() === "plain") return readScaled(picture);
    throw problem;
  }
}

/** Read a picture by a version that learned pictures scaled as a whole. Drawings become light on dark. */
async function readScaled(picture) {
  const whole = await createImageBitmap(picture);
  const scale = SIDE / Math.max(whole.width, whole.height);
  const [width, height] = [whole.width, whole.height].map((side) => Math.max(1, Math.round(scale * side)));
  const bitmap = await createImageBitmap(whole, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  if (drawnLevels(picture)) context.filter = "invert(1)";
  context.drawImage(bitmap, Math.floor((SIDE - width) / 2), Math.floor((SIDE - height) / 2));
  const image = canvas.toDataURL("image/png");
  const { version, predictions } = await json("predict", { method: "POST", body: decodeDataUri(image) });
  const { warnings = [] } = predictions[0];
  const normalized = { is_scaled: true, box: null, warnings, image };
  return { version, ...predictions[0], normalized, reader: "server" };
}

async function readHere(picture) {
  const drawn = drawnLevels(picture);
  const network = drawn && (await keptNetwork());
  if (!network || (network.card.fit ?? "mnist") !== "mnist") throw new Problem({});
  const readings = normalize(drawn.levels, drawn.side);
  if (typeof readings === "string") throw new Problem({ status: 422, title: t("here.title"), detail: t(readings) });
  return { ...predictionOf(network, readings), version: network.version, reader: "browser" };
}

/** Return the prediction of the readings of a picture, without `version`. */
function predictionOf(network, readings) {
  const { image, warnings, probabilities, digitScore } = chooseReading(network, readings);
  const [confidence, digit] = [Math.max(...probabilities), indexOfLargest(probabilities)];
  return {
    digit,
    confidence,
    probabilities: [...probabilities],
    ...(network.card.classes && { label: network.classes[digit] }),
    ...(digitScore !== null && { is_digit: digitScore >= DIGIT_THRESHOLD, digit_score: digitScore }),
    normalized: { is_untouched: false, inverted: true, box: null, background_removed: false, warnings, image: toDataUri(image) },
  };
}

/** Read every reading, and return the one that answers, with the probabilities of all: as inkling/readings.py does. */
export function chooseReading(network, readings) {
  const outputs = readings.map((reading) => ({ ...reading, ...forward(network, reading.image) }));
  if (outputs.length === 1) return outputs[0];
  const odds = outputs.map(({ probabilities }, i) => {
    const confidence = Math.min(Math.max(...probabilities), MAX_CONFIDENCE);
    return ((i === 0 ? FIRST : 1) * confidence) / (1 - confidence);
  });
  const total = odds.reduce((sum, each) => sum + each, 0);
  const probabilities = outputs[0].probabilities.map((_, k) => outputs.reduce((sum, output, i) => sum + odds[i] * output.probabilities[k], 0) / total);
  const digit = indexOfLargest(probabilities);
  const agreeing = outputs.map((output, i) => (indexOfLargest(output.probabilities) === digit ? odds[i] : -1));
  const isAny = agreeing.some((each) => each >= 0);
  const best = indexOfLargest(isAny ? agreeing : outputs.map((output) => output.probabilities[digit]));
  return { ...outputs[best], probabilities };
}

function indexOfLargest(values) {
  return values.indexOf(Math.max(...values));
}

function toDataUri(image) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const pixels = new ImageData(SIDE, SIDE);
  image.forEach((level, i) => pixels.data.set([level, level, level, 255], 4 * i));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/png");
}
