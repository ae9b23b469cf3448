// The heat map: pixels that support a digit in red, pixels that oppose it in blue.

const SIDE = 28;
const FOR = [178, 24, 43]; // RdBu of https://colorbrewer2.org, as in inkling/plots/attribution.py
const AGAINST = [33, 102, 172];
const LIGHTER = { [FOR]: [244, 128, 108], [AGAINST]: [110, 176, 240] }; // the same colors on a dark background

/** Return the color of a value, red above 0 and blue below, and its strength, 0 to 1, where `limit` is the largest. */
export function heatColor(value, limit) {
  const [red, green, blue] = colorOf(value, matchMedia("(prefers-color-scheme: dark)").matches);
  return [`rgb(${red} ${green} ${blue})`, strengthOf(value, limit)];
}

/** Paint contributions, 28 rows of 28 in nats, onto a canvas of 28 by 28 pixels: 0 is transparent, the largest opaque. */
export function paintHeat(canvas, contributions) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const limit = Math.max(...contributions.flat().map(Math.abs)) || 1;
  const pixels = new ImageData(SIDE, SIDE);
  contributions.flat().forEach((value, i) => {
    pixels.data.set([...colorOf(value, isDark), 255 * strengthOf(value, limit)], 4 * i);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Return the difference of two explanations: the support for the first digit minus that for the second. */
export function subtract(first, second) {
  return first.map((row, y) => row.map((value, x) => value - second[y][x]));
}

/** Return [red, green, blue] of a value: red above 0, blue below. */
export function colorOf(value, isDark) {
  const color = value > 0 ? FOR : AGAINST;
  return isDark ? LIGHTER[color] : color;
}

/** Return the strength of a value, 0 to 1, where `limit` is the largest. */
export function strengthOf(value, limit) {
  return Math.sqrt(Math.abs(value) / limit); // the square root makes weak contributions visible
}
