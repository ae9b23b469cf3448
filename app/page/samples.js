// Ten sample digits: SVG paths in a box of 100 by 100.

import { s } from "./dom.js";

const PATHS = [
  "M52 14C30 14 24 38 26 58C28 78 40 88 52 87C68 85 76 66 74 44C72 26 64 14 50 14",
  "M38 28C44 24 50 18 54 12C52 36 51 62 50 88",
  "M28 32C30 18 44 12 56 14C70 17 74 30 66 43C56 58 38 70 27 85C42 83 60 84 76 86",
  "M29 20C42 12 64 12 68 26C70 38 58 46 45 47C62 47 74 56 71 70C67 88 42 90 27 80",
  "M38 14C34 28 30 40 27 54C42 54 58 53 76 52M62 18C60 42 58 66 57 88",
  "M70 15C58 15 48 15 37 16C36 27 34 36 32 46C46 40 64 42 70 56C74 72 62 86 46 87C38 87 31 84 27 80",
  "M62 13C44 24 30 44 29 64C29 80 40 88 52 87C66 85 73 72 68 61C62 50 42 52 31 68",
  "M26 18C42 17 58 17 75 16C62 36 50 60 44 88",
  "M68 24C62 14 42 10 35 22C28 36 48 44 58 52C72 62 72 82 54 87C36 89 26 76 34 62C42 50 66 42 68 26",
  "M68 30C64 14 42 10 33 26C26 42 40 54 54 48C64 44 69 34 69 26C69 48 66 68 60 88",
];
const SPACING = 1.6; // units between the points of a stroke

/** Return a small picture of a digit. */
export function glyph(digit) {
  return s("svg", { viewBox: "14 4 72 92", "aria-hidden": "true" }, s("path", { d: PATHS[digit] }));
}

/** Return a digit's strokes: points [[x, y], ...] on a pad of `side` units. */
export function strokesOf(digit, side) {
  return PATHS[digit].split(/(?=M)/).map((d) => {
    const path = s("path", { d });
    const length = path.getTotalLength();
    const count = Math.ceil(length / SPACING);
    return Array.from({ length: count + 1 }, (_, i) => {
      const { x, y } = path.getPointAtLength((length * i) / count);
      return [(x / 100) * side, (y / 100) * side];
    });
  });
}
