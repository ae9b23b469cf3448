// Small marks beside a drawn digit that the server takes for text: as inkling/vision/captions.py, for drawings, which
// leave the edges of their picture free.

const MAX_COUNT = 400;
const DOMINANT = 0.15;
const SMALL_HEIGHT = 0.35;
const SMALL_WIDTH = 0.6;
const FLAT_HEIGHT = 0.5;
const FLAT_WIDTH = 2.5;
const FAR = 0.25;
const NEAR = 0.06;
const LINE = 3;
const LONG_LINE = 5;

/** Return of each component whether it is text; null if none is. */
export function findCaptions({ count, areas, boxes }) {
  if (count < 2 || count > MAX_COUNT) return null;
  const marks = boxes.map((box) => ({ box, width: box.right - box.left, height: box.bottom - box.top }));
  const isWide = marks.map(({ width, height }) => width >= FLAT_WIDTH * height);
  const weights = areas.map((area, i) => (isWide[i] ? 0 : area));
  const main = weights.indexOf(Math.max(...weights));
  const total = areas.reduce((sum, area) => sum + area, 0);
  if (isWide[main] || areas[main] < DOMINANT * total) return null;
  const side = Math.max(marks[main].width, marks[main].height);
  const isFlat = marks.map(({ height }, i) => isWide[i] && height <= FLAT_HEIGHT * side);
  const isSmall = marks.map(
    ({ width, height }, i) => i !== main && ((height <= SMALL_HEIGHT * side && width <= SMALL_WIDTH * side) || isFlat[i]),
  );
  const large = boxes.filter((_, i) => !isSmall[i]);
  const letters = marks.map(({ width, height }, i) => (isSmall[i] ? Math.max(1, roundHalfEven(width / height)) : 0));
  const captions = marks.map(({ box }, i) => {
    if (!isSmall[i]) return false;
    const beside = large.map((other) => Math.max(gap(box.left, box.right, other.left, other.right), gapY(box, other)));
    const inLine = isFlat[i] ? LONG_LINE : letters.reduce((sum, each, j) => sum + (gapY(box, boxes[j]) < 0 ? each : 0), 0);
    const isFar = Math.min(...beside) > FAR * side && inLine >= LINE;
    return isFar || (inLine >= LONG_LINE && large.every((other) => gapY(box, other) > NEAR * side));
  });
  return captions.some(Boolean) ? captions : null;
}

/** Return the rows between two boxes, negative where they overlap. */
function gapY(one, other) {
  return gap(one.top, one.bottom, other.top, other.bottom);
}

function gap(start, end, otherStart, otherEnd) {
  return Math.max(start - otherEnd, otherStart - end);
}

/** Round as NumPy and Python do: halves to the even number. */
export function roundHalfEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
