// The first hidden layer of a run: for each of its 128 units a picture of 28x28 weights, and a replay of those received.

import { call } from "./api.js";
import { h } from "./dom.js";
import { colorOf, strengthOf } from "./heat.js";
import { number, t } from "./language.js";

const [UNITS, COLUMNS, SIDE] = [128, 16, 28];
const TILE = SIDE + 1; // with the gap
const LARGEST_BYTE = 127; // of the largest weight
const KEPT = 200; // frames, of 100 KB each; then every second one is dropped

export class Weights {
  #frames = []; // {step, largest, values: Int8Array}
  #run = null;
  #isAsking = false;
  #isStale = false; // whether there may be newer ones than those that are being asked for
  #canvas = h("canvas", { width: COLUMNS * TILE - 1, height: (UNITS / COLUMNS) * TILE - 1, role: "img", class: "weights" });
  #slider = h("input", { type: "range", min: 0, value: 0, "aria-label": t("weights.replay"), oninput: () => this.#draw(this.#slider.valueAsNumber) });
  #note = h("p", { class: "note" });

  constructor() {
    this.element = h("figure", { class: "stack tight", hidden: true }, h("h3", {}, t("weights")), this.#canvas, this.#slider, h("figcaption", {}, this.#note));
  }

  /** Show another run, from its beginning. */
  watch(id) {
    [this.#run, this.#frames] = [id, []];
    this.element.hidden = true;
  }

  /** Ask for newer weights, which a run has after each display step: one call at a time, and once more after it. */
  async refresh() {
    this.#isStale = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#isStale) {
      this.#isStale = false;
      await this.#ask(this.#run);
    }
    this.#isAsking = false;
  }

  async #ask(id) {
    try {
      const answer = await call(`train/${id}/weights?after=${this.#frames.at(-1)?.step ?? 0}`);
      if (answer.status === 204) return;
      const values = new Int8Array(await answer.arrayBuffer());
      if (id !== this.#run) return;
      this.#add({ step: Number(answer.headers.get("X-Step")), largest: Number(answer.headers.get("X-Largest-Weight")), values });
    } catch {
      // the weights are an extra: the run's own errors are shown where its progress is
    }
  }

  #add(frame) {
    const wasAtEnd = this.#slider.valueAsNumber >= this.#frames.length - 1;
    const shown = this.#frames[this.#slider.valueAsNumber]?.step;
    this.#frames = this.#frames.filter(({ step }) => step < frame.step); // a run that was resumed goes back
    if (this.#frames.length >= KEPT) this.#frames = this.#frames.filter((_, i) => i % 2 === 0);
    this.#frames.push(frame);
    const last = (this.#slider.max = this.#frames.length - 1);
    this.#slider.hidden = this.#frames.length < 2;
    this.element.hidden = false;
    this.#slider.value = wasAtEnd ? last : Math.max(0, this.#frames.findLastIndex(({ step }) => step <= shown));
    this.#draw(this.#slider.valueAsNumber);
  }

  /** Draw a frame, in the colors of the largest weight of all frames. */
  #draw(place) {
    const { step, largest, values } = this.#frames[place];
    const most = Math.max(...this.#frames.map((frame) => frame.largest));
    const { width, height } = this.#canvas;
    const pixels = new ImageData(width, height);
    const colors = colorsOf(largest, most);
    values.forEach((value, i) => {
      const [unit, pixel] = [Math.floor(i / (SIDE * SIDE)), i % (SIDE * SIDE)];
      const x = (unit % COLUMNS) * TILE + (pixel % SIDE);
      const y = Math.floor(unit / COLUMNS) * TILE + Math.floor(pixel / SIDE);
      pixels.data.set(colors[value + LARGEST_BYTE], 4 * (y * width + x));
    });
    this.#canvas.getContext("2d").putImageData(pixels, 0, 0);
    const text = t("weights.note", { step: number(step) });
    this.#note.textContent = text;
    this.#canvas.setAttribute("aria-label", `${t("weights")}: ${text}`);
    this.#slider.setAttribute("aria-valuetext", t("weights.step", { step: number(step) }));
  }
}

/** Return the color of each byte, from -127 on: several frames per second are drawn, of 100,000 weights each. */
function colorsOf(largest, most) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  return Array.from({ length: 2 * LARGEST_BYTE + 1 }, (_, i) => {
    const value = i - LARGEST_BYTE;
    return [...colorOf(value, isDark), 255 * strengthOf((value / LARGEST_BYTE) * largest, most)];
  });
}
