// Strokes as ink: on the pad as they were drawn, and for the network in the proportions of MNIST.

export const SIDE = 280; // units of the pad's side, in which strokes are kept: [[x, y], ...]
export const BRUSH = 18; // units a stroke is wide on the pad

const PAPER = 168; // pixels of the side of the picture that is sent
const DIGIT = 120; // pixels of the digit's longer side on it, ink and all: 6 for each of MNIST's 20
const NIB = 12; // pixels a stroke is wide there: 2 of MNIST's, as its digits have it
const LARGEST_SCALE = 4; // a dot stays a dot

/** Draw strokes with round, smooth lines: quadratic curves through the middles of neighbouring points. */
export function paint(context, strokes, width) {
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = width;
  for (const points of strokes) {
    const [first, ...rest] = points;
    context.beginPath();
    context.moveTo(...first);
    for (let i = 0; i < rest.length - 1; i++) {
      const [x, y] = rest[i];
      context.quadraticCurveTo(x, y, (x + rest[i + 1][0]) / 2, (y + rest[i + 1][1]) / 2);
    }
    const [x, y] = rest.at(-1) ?? first;
    context.lineTo(x + 0.01, y); // a line of no length would leave no dot
    context.stroke();
  }
}

/** Return the digit as a PNG, black on white: the strokes brought to one size, whatever size they were drawn in.
 *
 * A small digit drawn with a brush of one width would be a blob, and a large one a wire: the network has seen neither. */
export function toPng(strokes) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = PAPER;
  const context = canvas.getContext("2d", { willReadFrequently: true }); // in memory: it is read at once
  context.fillStyle = "#fff";
  context.fillRect(0, 0, PAPER, PAPER);
  const [left, right, top, bottom] = box(strokes);
  const scale = Math.min(LARGEST_SCALE, (DIGIT - NIB) / Math.max(right - left, bottom - top, 1));
  const place = ([x, y]) => [PAPER / 2 + scale * (x - (left + right) / 2), PAPER / 2 + scale * (y - (top + bottom) / 2)];
  paint(context, strokes.map((stroke) => stroke.map(place)), NIB);
  return decodeDataUri(canvas.toDataURL("image/png")); // toBlob waits for an idle moment; a stroke's end should not
}

/** Whether a growing stroke may be a digit already: a dot and a flat line are none, and need not be asked about. */
export function isBegun(strokes) {
  const [left, right, top, bottom] = box(strokes);
  return Math.max(right - left, bottom - top) > BRUSH && right - left < 2 * (bottom - top);
}

/** Return left, right, top and bottom of the strokes' middles, in units. */
function box(strokes) {
  const [xs, ys] = [strokes.flat().map(([x]) => x), strokes.flat().map(([, y]) => y)];
  return [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
}

/** Return the bytes of a base64 data URI as a Blob; fetch could too, if the policy let it. */
export function decodeDataUri(uri) {
  const [head, body] = uri.split(",");
  const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: head.slice("data:".length).split(";")[0] });
}
