// fit=mnist for a drawing of the pad, black on white: byte for byte as inkling/vision/ makes it, in the cases that a pen
// on an empty pad can cause. Pictures from elsewhere are for the server.

import { findCaptions, roundHalfEven } from "./captions.js";
import { dilated, emptyBox, extend, labeled } from "./components.js";
import { resized } from "./resampling.js";

const CAPTIONS_LEFT_OUT = "small text or icons beside the digit were left out"; // as in inkling/vision/captions.py
const SIDE = 28;
const DIGIT_SIDE = 20; // as in inkling/digit.py
const CENTER = 14.5; // as in inkling/vision/placement.py
const GAP = 1 / 20; // as in inkling/vision/segmentation.py, with the next ones
const DUST = 0.06;
const FAINT = 0.25 * 255; // as in inkling/vision/drawing.py
const FREE_COLUMNS = 0.04;
const PAIR_WIDTH = 0.75;
const MAX_ASPECT_RATIO = 2.5; // as in inkling/vision/placed_digit.py, with the next ones
const SOLID_BLOCKS = [[12, 12], [8, 18]];

/** Return the readings of gray levels (side x side): [{image, warnings}], the first of them three times as likely.
 *
 * An image is 784 bytes, 0 background to 255 foreground. If the picture shows no single digit, return the key of the text
 * that says why. */
export function normalize(gray, side) {
  const levels = gray.map((level) => 255 - level);
  const strokes = labeled(levels, side);
  const captions = findCaptions(strokes);
  const whole = { image: imageOf(levels, side), warnings: [] };
  if (!captions) return typeof whole.image === "string" ? whole.image : [whole];
  const kept = levels.map((level, i) => (captions[strokes.of[i] - 1] ? 0 : level));
  const readings = [{ image: imageOf(kept, side), warnings: [CAPTIONS_LEFT_OUT] }, whole];
  const found = readings.filter(({ image }) => typeof image !== "string");
  return found.length ? found : readings[0].image;
}

/** Return the image of strokes, or the key of the text that says why there is none. */
function imageOf(levels, side) {
  const strokes = labeled(levels, side);
  if (strokes.count === 0) return "here.none";
  if (showsSeveral(levels.map((level) => (level > FAINT ? level : 0)), side)) return "here.several";
  const shown = withoutDust(strokes, side);
  const box = boxOf(shown, side);
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  if (width > MAX_ASPECT_RATIO * height) return "here.wide";
  const placed = placeInFrame(crop(levels.map((level, i) => (shown[i] ? level : 0)), side, box), width, height);
  return SOLID_BLOCKS.some(([rows, columns]) => hasBlock(placed, rows, columns)) ? "here.none" : placed;
}

/** Return whether strokes without their faint pixels, which might connect two digits, are more than one digit. */
function showsSeveral(strong, side) {
  const strokes = labeled(strong, side);
  return strokes.count > 1 && (countDigits(groupsOf(strokes, side)) > 1 || areSideBySide(strokes));
}

/** Return which pixels are the digit: without specks away from it. */
function withoutDust(strokes, side) {
  if (strokes.count === 1) return strokes.of;
  const { of, areas, boxes } = groupsOf(strokes, side);
  const main = indexOfLargest(areas);
  const isKept = boxes.map((box, i) => areas[i] >= DUST * areas[main] || isNear(box, boxes[main]));
  return of.map((group) => Number(group > 0 && isKept[group - 1]));
}

/** Return the strokes grouped with those nearby. */
function groupsOf({ of, areas, boxes }, side) {
  const main = boxes[indexOfLargest(areas)];
  const longest = Math.max(main.right - main.left, main.bottom - main.top);
  return regrouped(of, labeled(dilated(of, side, Math.max(1, roundHalfEven(longest * GAP))), side), side);
}

/** Return the groups of dilated strokes, of the strokes' own pixels. */
function regrouped(strokes, joined, side) {
  const of = joined.of.map((group, i) => (strokes[i] ? group : 0));
  const areas = new Array(joined.count).fill(0);
  const boxes = Array.from({ length: joined.count }, emptyBox);
  of.forEach((group, i) => {
    if (!group) return;
    areas[group - 1] += 1;
    extend(boxes[group - 1], i % side, Math.floor(i / side));
  });
  return { of, areas, boxes, count: joined.count };
}

/** Return how many groups of strokes are digits: the largest, and those of comparable size beside, below or above it. */
function countDigits({ areas, boxes }) {
  const at = indexOfLargest(areas);
  const main = boxes[at];
  const size = (box) => Math.max(box.right - box.left, box.bottom - box.top);
  return boxes.filter((box, i) => {
    if (i === at) return true;
    const overlapX = Math.min(box.right, main.right) - Math.max(box.left, main.left);
    const overlapY = Math.min(box.bottom, main.bottom) - Math.max(box.top, main.top);
    const height = Math.min(box.bottom - box.top, main.bottom - main.top);
    const isComparable = size(box) >= 0.5 * size(main) && areas[i] >= 0.2 * areas[at];
    const isBeside = overlapX <= 0 && overlapY >= 0.5 * height;
    return isComparable && (isBeside || (overlapY <= 0 && size(box) >= 0.7 * size(main)));
  }).length;
}

/** Return whether the two largest components are two digits, each in columns of its own. */
function areSideBySide({ areas, boxes }) {
  const [first, second] = areas.map((_, i) => i).sort((a, b) => areas[b] - areas[a] || a - b);
  const [one, other] = [boxes[first], boxes[second]];
  const heights = [one.bottom - one.top, other.bottom - other.top];
  const tall = Math.max(one.bottom, other.bottom) - Math.min(one.top, other.top);
  const wide = Math.max(one.right, other.right) - Math.min(one.left, other.left);
  const gap = Math.max(one.left, other.left) - Math.min(one.right, other.right);
  const shared = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  return (
    gap >= Math.max(1, FREE_COLUMNS * tall) &&
    shared >= 0.75 * Math.min(...heights) &&
    Math.min(...heights) >= 0.7 * Math.max(...heights) &&
    areas[second] >= 0.3 * areas[first] &&
    wide >= PAIR_WIDTH * tall
  );
}

function isNear(box, main) {
  const size = Math.max(main.right - main.left, main.bottom - main.top);
  const gapX = Math.max(box.left - main.right, main.left - box.right);
  const gapY = Math.max(box.top - main.bottom, main.top - box.bottom);
  return Math.max(gapX, gapY) <= size / 4;
}

/** Return the image of a cropped digit: its box fitted into 20x20, its center of mass in the middle. */
function placeInFrame(digit, width, height) {
  const fitted = stretched(fittedToBox(digit, width, height));
  const box = boxOf(fitted.pixels, fitted.width);
  const [w, h] = [box.right - box.left, box.bottom - box.top];
  const pixels = crop(fitted.pixels, fitted.width, box);
  const place = (center, length) => Math.min(Math.max(Math.floor(CENTER - center), 0), SIDE - length);
  const [x, y] = centerOfMass(pixels, w);
  const [left, top] = [place(x, w), place(y, h)];
  const placed = new Uint8Array(SIDE * SIDE);
  for (let row = 0; row < h; row++) placed.set(pixels.subarray(row * w, (row + 1) * w), (top + row) * SIDE + left);
  return placed;
}

function fittedToBox(digit, width, height) {
  const side = Math.max(width, height);
  if (side === DIGIT_SIDE || side === DIGIT_SIDE - 1) return { pixels: digit, width };
  const square = new Uint8Array(side * side); // the digit in its corner, so that whole multiples come out sharp
  for (let row = 0; row < height; row++) square.set(digit.subarray(row * width, (row + 1) * width), row * side);
  return { pixels: resized(square, side, DIGIT_SIDE), width: DIGIT_SIDE };
}

function stretched({ pixels, width }) {
  const brightest = Math.max(...pixels);
  if (brightest >= 254) return { pixels, width };
  const factor = Math.fround(255 / brightest);
  return { pixels: pixels.map((level) => roundHalfEven(Math.fround(level * factor))), width };
}

function centerOfMass(pixels, width) {
  let [total, x, y] = [0, 0, 0];
  pixels.forEach((level, i) => {
    total += level;
    x += level * (i % width);
    y += level * Math.floor(i / width);
  });
  return [x / total, y / total];
}

function boxOf(pixels, width) {
  const box = emptyBox();
  pixels.forEach((level, i) => level && extend(box, i % width, Math.floor(i / width)));
  return box;
}

function crop(pixels, width, { left, top, right, bottom }) {
  const cropped = new Uint8Array((right - left) * (bottom - top));
  for (let y = top; y < bottom; y++) cropped.set(pixels.subarray(y * width + left, y * width + right), (y - top) * (right - left));
  return cropped;
}

/** Return whether a block of rows and columns is all foreground: too large for a stroke. */
function hasBlock(image, rows, columns) {
  const isFull = (top, left) => {
    for (let y = top; y < top + rows; y++) for (let x = left; x < left + columns; x++) if (image[y * SIDE + x] <= 127) return false;
    return true;
  };
  for (let top = 0; top <= SIDE - rows; top++) for (let left = 0; left <= SIDE - columns; left++) if (isFull(top, left)) return true;
  return false;
}

function indexOfLargest(values) {
  return values.indexOf(Math.max(...values));
}
