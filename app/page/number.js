// A number: digits side by side, each with its own set of bars, read by POST /read.

import { json } from "./api.js";
import { h, style } from "./dom.js";
import { probability, t } from "./language.js";
import { BRUSH, decodeDataUri, paint } from "./strokes.js";

const DIGIT_SIDE = 120; // height of the tallest digit in the picture that is sent, in pixels
const PEN = 12;
const MARGIN = 30;
const WIDEST = 2000;
const SHORTEST = 0.5; // of the tallest: lower strokes are points and dashes, no digits

/** Return whether strokes lie side by side as digits do: at least two tall groups with a gap between them. */
export function areSeveral(strokes) {
  const spans = strokes.map((stroke) => {
    const [xs, ys] = [stroke.map(([x]) => x), stroke.map(([, y]) => y)];
    return { left: Math.min(...xs) - BRUSH / 2, right: Math.max(...xs) + BRUSH / 2, top: Math.min(...ys), bottom: Math.max(...ys) };
  });
  const groups = [];
  for (const span of spans.sort((a, b) => a.left - b.left)) {
    const last = groups.at(-1);
    if (!last || span.left > last.right) groups.push({ ...span });
    else Object.assign(last, { right: Math.max(last.right, span.right), top: Math.min(last.top, span.top), bottom: Math.max(last.bottom, span.bottom) });
  }
  const tallest = Math.max(...groups.map(({ top, bottom }) => bottom - top));
  return groups.filter(({ top, bottom }) => bottom - top > Math.max(BRUSH, SHORTEST * tallest)).length > 1;
}

/** Return strokes as a PNG, black on white, as they lie on the pad. */
export function toWidePng(strokes) {
  const points = strokes.flat();
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const scale = Math.min(DIGIT_SIDE / Math.max(height, 1), WIDEST / Math.max(width, 1));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [scale * width + 2 * MARGIN, scale * height + 2 * MARGIN].map(Math.ceil);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  paint(context, strokes.map((stroke) => stroke.map(([x, y]) => [MARGIN + scale * (x - left), MARGIN + scale * (y - top)])), PEN);
  return decodeDataUri(canvas.toDataURL("image/png"));
}

/** Return {text, digits} of the numbers on a picture, a Blob. Throws Problem if there is none. */
export async function readNumber(picture) {
  const { version, text, lines } = await json("read?return_image=true", { method: "POST", body: picture });
  return { version, text: text.replaceAll("\n", " / "), digits: lines.flatMap(({ digits }) => digits) };
}

/** Return the digits of a number, each with its image and its bars; `onOpen(image)` is called with one to show on the pad. */
export function numberView(digits, classes, onOpen) {
  return h("ol", { class: "number" }, digits.map((digit) => h(
    "li",
    { "data-verdict": digit.is_digit === false ? "none" : null },
    h("button", { type: "button", class: "digit", title: t("open"), "aria-label": t("tray.open", { label: classes[digit.digit] }), onclick: () => onOpen(digit.image) }, h("img", { class: "pixels", src: digit.image, alt: "", width: 28, height: 28 })),
    h("b", {}, classes[digit.digit], " ", h("small", {}, probability(digit.confidence))),
    h("ul", { class: "mini", "aria-label": t("number.bars") }, digit.probabilities.map((share, k) =>
      style(h("li", { class: k === digit.digit ? "best" : null, title: `${classes[k]}: ${probability(share)}` }, h("span", {}, classes[k]), h("span", { class: "bar" })), { "--share": share }))),
  )));
}
