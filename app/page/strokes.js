// Strokes painted on a canvas: on the pad as drawn, and for the network with the proportions of MNIST's digits.

export const SIDE = 280; // units along the pad's side; strokes are kept in these units: [[x, y], ...]
export const BRUSH = 18; // width of a stroke on the pad, in units

const PICTURE_SIDE = 168; // side of the picture that is sent, in pixels
const DIGIT_SIDE = 120; // longer side of the digit in it, with the stroke width: 6 pixels for each of MNIST's 20
const PEN = 12; // width of a stroke in it: 2 of MNIST's pixels, as in its digits
const LARGEST_SCALE = 4; // limit, so that a dot stays a dot

const drawings = new WeakMap(); // the canvas context of each PNG made here

/** Paint strokes as round, smooth lines: quadratic curves through the midpoints of neighboring points. */
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
    context.lineTo(x + 0.01, y); // a line of length 0 would leave no dot
    context.stroke();
  }
}

/** Return the digit as a PNG, black on white, with all strokes scaled to one size.
 *
 * The pad's brush has one width: a small digit would look like a blob, a large one like a wire. The network learned from
 * neither, so the strokes are painted again at MNIST's proportions. */
export function toPng(strokes) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = PICTURE_SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true }); // keep it in memory: it is read at once
  context.fillStyle = "#fff";
  context.fillRect(0, 0, PICTURE_SIDE, PICTURE_SIDE);
  const [left, right, top, bottom] = box(strokes);
  const scale = Math.min(LARGEST_SCALE, (DIGIT_SIDE - PEN) / Math.max(right - left, bottom - top, 1));
  const place = ([x, y]) => [PICTURE_SIDE / 2 + scale * (x - (left + right) / 2), PICTURE_SIDE / 2 + scale * (y - (top + bottom) / 2)];
  paint(context, strokes.map((stroke) => stroke.map(place)), PEN);
  const png = decodeDataUri(canvas.toDataURL("image/png")); // toBlob waits for an idle moment, which would delay the end of a stroke
  drawings.set(png, context);
  return png;
}

/** Return the gray levels {levels, side} of a PNG that `toPng` made; undefined of any other picture. */
export function drawnLevels(png) {
  const rgba = drawings.get(png)?.getImageData(0, 0, PICTURE_SIDE, PICTURE_SIDE).data;
  if (!rgba) return undefined;
  const levels = new Uint8Array(PICTURE_SIDE ** 2);
  for (let i = 0; i < levels.length; i++) levels[i] = rgba[4 * i]; // much faster than Uint8Array.from
  return { levels, side: PICTURE_SIDE };
}

/** Return whether a growing stroke may be a digit already: a dot or a flat line is not, and is not sent. */
export function mayBeDigit(strokes) {
  const [left, right, top, bottom] = box(strokes);
  return Math.max(right - left, bottom - top) > BRUSH && right - left < 2 * (bottom - top);
}

/** Return left, right, top and bottom of the strokes' center lines, in units. */
function box(strokes) {
  const [xs, ys] = [strokes.flat().map(([x]) => x), strokes.flat().map(([, y]) => y)];
  return [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
}

/** Return the bytes of a base64 data URI as a Blob; the Content-Security-Policy does not allow fetch to do it. */
export function decodeDataUri(uri) {
  const [head, body] = uri.split(",");
  const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: head.slice("data:".length).split(";")[0] });
}
