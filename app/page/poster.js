// "Save picture": the pad, the bars, the network's input and its explanation on one canvas.

import { probability } from "./language.js";

const [WIDTH, HEIGHT, MARGIN, TILE] = [1200, 630, 45, 200];
const PAD = HEIGHT - 2 * MARGIN;
const BARS = { left: MARGIN + PAD + 45, width: 200, top: 190, step: 39 };
const FONT = "ui-sans-serif, system-ui, sans-serif";

/** Return the canvas.
 *
 * `pad`, `seen`, `heat`: what to draw; `titles`: of the last two; `answer`, `verdict`: in words; `classes`: of the bars. */
export function poster({ pad, seen, heat, titles, answer, verdict, classes, prediction: { probabilities, version } }) {
  const colors = themeColors();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const context = canvas.getContext("2d");
  const text = (words, x, y, size, color, weight = 400, align = "left") => {
    context.font = `${weight} ${size}px ${FONT}`;
    context.fillStyle = color;
    context.textAlign = align;
    context.fillText(words, x, y);
  };
  const tile = (image, left, top, side, background) => {
    context.fillStyle = background;
    context.fillRect(left, top, side, side);
    context.imageSmoothingEnabled = image === pad;
    context.drawImage(image, left, top, side, side);
  };
  context.fillStyle = colors.background;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  tile(pad, MARGIN, MARGIN, PAD, colors.surface);
  text(answer, BARS.left, 132, answer.length > 4 ? 48 : 100, colors.text, 600);
  text(verdict, BARS.left, 165, 19, colors.muted);
  const best = probabilities.indexOf(Math.max(...probabilities));
  probabilities.forEach((share, k) => {
    const y = BARS.top + k * BARS.step;
    const color = k === best ? colors.text : colors.muted;
    text(classes[k], BARS.left, y + 22, 19, color, k === best ? 600 : 400);
    const start = BARS.left + (classes[k].length > 1 ? 100 : 28);
    const width = BARS.left + BARS.width - start;
    context.fillStyle = colors.sunk;
    context.fillRect(start, y + 11, width, 10);
    context.fillStyle = k === best ? colors.accent : colors.muted;
    context.fillRect(start, y + 11, width * share, 10);
    text(probability(share), BARS.left + BARS.width + 85, y + 22, 17, color, 400, "right");
  });
  const left = WIDTH - MARGIN - TILE;
  [[seen, "#000"], [heat, colors.surface]].forEach(([image, background], i) => {
    const top = MARGIN + 28 + i * (TILE + 72);
    text(titles[i], left, top - 12, 19, colors.text, 600);
    tile(image, left, top, TILE, background);
  });
  text(`Inkling · v${version}`, WIDTH - MARGIN, HEIGHT - 12, 15, colors.muted, 400, "right");
  return canvas;
}

/** Return the colors of the theme: canvases know no custom properties. */
function themeColors() {
  const probe = document.body.appendChild(document.createElement("i"));
  const colors = {};
  for (const name of ["background", "surface", "text", "muted", "accent", "sunk"]) {
    probe.style.setProperty("color", `var(--${name})`);
    colors[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return colors;
}
