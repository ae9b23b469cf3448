// The reading of a picture: by the server; while that is away, of a drawing, by this browser.

import { Problem, json } from "./api.js";
import { keptNetwork } from "./kept_network.js";
import { t } from "./language.js";
import { forward } from "./network.js";
import { normalize } from "./normalize.js";
import { isServerAway } from "./server.js";
import { drawnLevels } from "./strokes.js";

const SIDE = 28;
const DIGIT_THRESHOLD = 0.5; // as in inkling/network/digit_probe.py

/** Return the prediction of a picture, a Blob, as POST /predict?fit=mnist does, with `version` and `reader`.
 *
 * `reader` is "server" or "browser". Throws Problem: the picture shows no digit, or nobody can read it. */
export async function readPicture(picture) {
  if (isServerAway()) return readHere(picture);
  try {
    const { version, predictions } = await json("predict?fit=mnist&return_image=true", { method: "POST", body: picture });
    return { version, ...predictions[0], reader: "server" };
  } catch (problem) {
    if (problem.status !== 0) throw problem;
    return readHere(picture);
  }
}

async function readHere(picture) {
  const drawn = drawnLevels(picture);
  const network = drawn && (await keptNetwork());
  if (!network || (network.card.fit ?? "mnist") !== "mnist") throw new Problem({});
  const image = normalize(drawn.levels, drawn.side);
  if (typeof image === "string") throw new Problem({ status: 422, title: t("here.title"), detail: t(image) });
  return { ...predictionOf(network, image), version: network.version, reader: "browser" };
}

/** Return the prediction of an image (784 bytes), without `version`. */
function predictionOf(network, image) {
  const { probabilities, digitScore } = forward(network, image);
  const [confidence, digit] = [Math.max(...probabilities), probabilities.indexOf(Math.max(...probabilities))];
  return {
    digit,
    confidence,
    probabilities: [...probabilities],
    ...(network.card.classes && { label: network.classes[digit] }),
    ...(digitScore !== null && { is_digit: digitScore >= DIGIT_THRESHOLD, digit_score: digitScore }),
    normalized: { is_untouched: false, inverted: true, box: null, background_removed: false, warnings: [], image: toDataUri(image) },
  };
}

function toDataUri(image) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const pixels = new ImageData(SIDE, SIDE);
  image.forEach((level, i) => pixels.data.set([level, level, level, 255], 4 * i));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/png");
}
