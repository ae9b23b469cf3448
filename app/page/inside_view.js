// The inside view: the input, the units of both hidden layers, and by the bars the outputs, as lit cells.
// Pointing at a unit paints its weights, red and blue, onto the cells that it reads, and shows what excites it most.

import { ActivatingImages } from "./activating_images.js";
import { h } from "./dom.js";
import { heatColor } from "./heat.js";
import { keptNetwork } from "./kept_network.js";
import { number, percent, sentences, t } from "./language.js";
import { forward, loadNetwork } from "./network.js";

const LAYERS = [
  { name: "input", units: 784, columns: 28, gap: 0 },
  { name: "hidden1", units: 128, columns: 16, gap: 0.12, weights: "weights/h1" },
  { name: "hidden2", units: 256, columns: 16, gap: 0.12, weights: "weights/h2" },
];
export const OUTPUTS = LAYERS.length; // the layer of the bars
const OUTPUT = { name: "output", weights: "weights/out" };
const CANVAS = 336; // pixels: divisible by 28 and by 16

export class InsideView {
  #network = null; // the one shown last
  #loading = { version: null, network: null }; // the version loaded last, and the promise of its network
  #calls = 0; // of show and clear: what an earlier one awaited is out of date
  #activations = [[], [], []]; // of the layers; empty while nothing is shown
  #note = h("p", { class: "note", role: "status" });
  #activating = new ActivatingImages();
  #strips = LAYERS.map((layer, i) => new Strip(layer, (unit) => this.point(i, unit)));

  constructor() {
    const title = h("h2", { class: "unseen", id: "inside-title" }, t("inside"));
    this.element = h("section", { class: "strips", "aria-labelledby": "inside-title" }, title, this.#strips.map(({ element }) => element), this.#note, this.#activating.element);
    this.clear();
  }

  clear() {
    this.#calls++;
    this.#activations = [[], [], []];
    delete this.element.dataset.version;
    this.element.ariaBusy = "false";
    this.#activating.clear();
    this.point(0, null);
  }

  /** Show what a version computes of an image, 28x28, a data URI; nothing if its network cannot be loaded.
   * Of calls that overlap, the last one is shown. */
  async show(uri, version) {
    const call = ++this.#calls;
    this.element.ariaBusy = "true";
    try {
      const [network, pixels] = await Promise.all([this.#load(version), pixelsOf(uri)]);
      if (call !== this.#calls) return;
      const { hidden1, hidden2 } = forward(network, pixels);
      this.#network = network;
      this.#activations = [[...pixels].map((level) => level / 255), [...hidden1], [...hidden2]];
      this.element.dataset.version = version;
      this.element.ariaBusy = "false";
      this.point(0, null);
    } catch {
      if (call !== this.#calls) return;
      this.#network = null; // that of another version explains nothing here
      this.clear(); // the answer stands without its layers
    }
  }

  /** Return a promise of a version's network; one that failed is loaded again. */
  #load(version) {
    if (version !== this.#loading.version) {
      const network = keptNetwork().then((kept) => (kept?.version === version ? kept : loadNetwork(version)));
      const loading = (this.#loading = { version, network });
      network.catch(() => loading === this.#loading && (this.#loading = { version: null, network: null }));
    }
    return this.#loading.network;
  }

  /** Paint the weights of a unit of layer 1, 2 or 3 (the outputs) onto the layer before it; null: of none. */
  point(i, unit) {
    const layer = LAYERS[i] ?? OUTPUT;
    const isPointed = unit !== null && layer.weights && this.#network;
    this.#strips.forEach((strip, k) => {
      if (isPointed && k === i - 1) strip.showWeights(this.#weightsOf(layer.weights, unit));
      else strip.show(this.#activations[k], isPointed && k === i ? unit : null);
    });
    if (isPointed && LAYERS[i]) this.#activating.show(this.#network.version, i, unit); // and they stay, to be opened
    this.#note.textContent = isPointed ? this.#describe(i, unit) : t("inside.note");
  }

  #weightsOf(name, unit) {
    const weights = this.#network.parameters[name];
    const inputs = LAYERS.find((layer, i) => (LAYERS[i + 1] ?? OUTPUT).weights === name).units;
    return Array.from({ length: inputs }, (_, k) => weights[k * (weights.length / inputs) + unit]);
  }

  #describe(i, unit) {
    const name = LAYERS[i] ? t("inside.unit", { n: unit + 1, p: percent(this.#activations[i][unit] ?? 0, 0) }) : t("inside.output", { name: this.#network.classes[unit] });
    return sentences(name, t(i === 1 ? "inside.pixels" : "inside.units"));
  }
}

/** The cells of one layer, on a canvas: a slider, so that arrow keys choose a unit. */
class Strip {
  #layer;
  #canvas;
  #pointed = null;

  /** `onPoint(unit)` is called with the unit that the reader points at, or null. */
  constructor(layer, onPoint) {
    this.#layer = layer;
    const { name, units, columns } = layer;
    this.#canvas = h("canvas", { width: CANVAS, height: (CANVAS / columns) * (units / columns), class: "cells" });
    const caption = h("figcaption", { id: `strip-${name}` }, t(`inside.${name}`, { n: number(units) }));
    this.element = h("figure", { class: `layer ${name}` }, caption, this.#canvas);
    if (layer.weights) this.#listen(onPoint);
    else this.#canvas.setAttribute("role", "presentation");
  }

  /** Light each cell by its activation, 0 to 1; `pointed`: the unit to frame. */
  show(activations, pointed) {
    const color = getComputedStyle(this.#canvas).color;
    this.#paint((unit) => [color, activations[unit] ?? 0]);
    this.#pointed = pointed ?? this.#pointed;
    if (pointed !== null) this.#frame(pointed);
  }

  showWeights(weights) {
    const limit = Math.max(...weights.map(Math.abs)) || 1;
    this.#paint((unit) => heatColor(weights[unit], limit));
  }

  #paint(cell) {
    const { units, columns, gap } = this.#layer;
    const context = this.#canvas.getContext("2d");
    const side = CANVAS / columns;
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    for (let unit = 0; unit < units; unit++) {
      const [color, strength] = cell(unit);
      if (strength < 0.01) continue;
      context.globalAlpha = strength;
      context.fillStyle = color;
      context.fillRect((unit % columns) * side, Math.floor(unit / columns) * side, side * (1 - gap), side * (1 - gap));
    }
    context.globalAlpha = 1;
  }

  #frame(unit) {
    const { columns } = this.#layer;
    const context = this.#canvas.getContext("2d");
    const side = CANVAS / columns;
    context.strokeStyle = getComputedStyle(this.element).color;
    context.lineWidth = 3;
    context.strokeRect((unit % columns) * side - 1, Math.floor(unit / columns) * side - 1, side, side);
  }

  #listen(onPoint) {
    const { units, columns, name } = this.#layer;
    const canvas = this.#canvas;
    const attributes = { role: "slider", tabindex: 0, "aria-labelledby": `strip-${name}`, "aria-valuemin": 1, "aria-valuemax": units };
    for (const [key, value] of Object.entries(attributes)) canvas.setAttribute(key, value);
    const choose = (unit) => {
      canvas.setAttribute("aria-valuenow", unit + 1);
      this.#pointed = unit;
      onPoint(unit);
    };
    canvas.setAttribute("aria-valuenow", 1);
    const at = ({ offsetX, offsetY }) => {
      const side = canvas.clientWidth / columns;
      choose(Math.min(units - 1, Math.floor(offsetY / side) * columns + Math.min(columns - 1, Math.floor(offsetX / side))));
    };
    canvas.addEventListener("pointermove", at);
    canvas.addEventListener("pointerdown", at);
    for (const event of ["pointerleave", "blur"]) canvas.addEventListener(event, () => onPoint(null));
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && choose(this.#pointed ?? 0));
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(Math.min(units - 1, Math.max(0, (this.#pointed ?? 0) + step)));
    });
  }
}

/** Return the 784 bytes of an image, a data URI. */
async function pixelsOf(uri) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 0);
}
