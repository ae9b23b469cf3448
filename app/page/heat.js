// The heat map: the network's picture in grey, with what speaks for a digit in red and what against in blue.

const SIDE = 28;
const FOR = [178, 24, 43]; // RdBu of https://colorbrewer2.org, as in the service's own heat map
const AGAINST = [33, 102, 172];
const LIGHTER = { [FOR]: [244, 128, 108], [AGAINST]: [110, 176, 240] }; // the same, on a dark ground

/** Paint contributions, 28 rows of 28 in nats, onto a canvas of 28 by 28 pixels: none is clear, the largest full. */
export function paintHeat(canvas, contributions) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const limit = Math.max(...contributions.flat().map(Math.abs)) || 1;
  const pixels = new ImageData(SIDE, SIDE);
  contributions.flat().forEach((value, i) => {
    const colour = value > 0 ? FOR : AGAINST;
    const strength = Math.sqrt(Math.abs(value) / limit); // the square root shows the weak ones, too
    pixels.data.set([...(isDark ? LIGHTER[colour] : colour), 255 * strength], 4 * i);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Return the difference of two explanations: what speaks for the first digit and not for the second. */
export function less(first, second) {
  return first.map((row, y) => row.map((value, x) => value - second[y][x]));
}
