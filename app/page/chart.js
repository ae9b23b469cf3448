// Line charts over the steps of a training run, drawn as SVG. Pointing at a step shows its values.

import { h, s } from "./dom.js";
import { number } from "./language.js";

/** The number of runs whose lines a reader can distinguish. */
export const MOST_CURVES = 4;

const HEIGHT = 220;
const MARGIN = { top: 12, right: 12, bottom: 26, left: 46 };

export class Chart {
  #plot = h("div", { class: "plot" });
  #legend = h("ul", { class: "legend" });
  #lines = []; // [{name, kind, points: [[x, y], ...]}]; kind is a CSS class that sets color and dashes
  #end = 1;
  #hovered = null; // the step under the pointer

  /** `format(y)` returns a value as text; `scale` is "log", or "unit" for shares from 0 to 1. */
  constructor(title, format, scale) {
    this.title = title;
    this.format = format;
    this.scale = scale;
    this.element = h("figure", { class: "chart" }, h("h3", {}, title), this.#plot, this.#legend);
    this.#plot.addEventListener("pointermove", (event) => this.#hover(event));
    this.#plot.addEventListener("pointerleave", () => this.#leave());
    new ResizeObserver(() => this.#draw()).observe(this.#plot);
  }

  /** Show lines over the steps 0 to `end`. */
  show(lines, end) {
    this.#lines = lines;
    this.#end = Math.max(1, end);
    this.#draw();
  }

  #draw() {
    const width = this.#plot.clientWidth;
    if (!width) return;
    const box = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom };
    const [low, high] = this.#range();
    const transform = this.scale === "log" ? Math.log10 : (value) => value;
    this.x = (step) => box.left + (step / this.#end) * (box.right - box.left);
    const y = (value) => box.bottom - ((transform(value) - transform(low)) / (transform(high) - transform(low))) * (box.bottom - box.top);
    const within = ([step]) => step <= this.#end;
    this.#plot.replaceChildren(
      s(
        "svg",
        { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": this.title },
        this.#gridLines(low, high).map((value) => [
          s("line", { x1: box.left, x2: box.right, y1: y(value), y2: y(value), class: "grid-line" }),
          s("text", { x: box.left - 8, y: y(value), "text-anchor": "end", dy: "0.32em" }, this.#axisLabel(value)),
        ]),
        [0, 0.5, 1].map((share) =>
          s("text", { x: this.x(share * this.#end), y: HEIGHT - 6, "text-anchor": ["start", "middle", "end"][2 * share] },
            number(Math.round(share * this.#end))),
        ),
        this.#lines.map(({ kind, points }) => line(kind, points.filter(within).map(([step, value]) => [this.x(step), y(value)]))),
        this.#hovered !== null && s("line", { x1: this.x(this.#hovered), x2: this.x(this.#hovered), y1: box.top, y2: box.bottom, class: "pointer" }),
      ),
    );
    this.#showLegend();
  }

  #range() {
    if (this.scale === "unit") return [0, 1];
    const values = this.#lines.flatMap(({ points }) => points.filter(([step]) => step <= this.#end).map(([, value]) => value));
    if (!values.length) return [10, 1000];
    return [0.8 * Math.max(1e-6, Math.min(...values)), 1.2 * Math.max(1e-5, ...values)];
  }

  #gridLines(low, high) {
    if (this.scale === "unit") return [0, 0.25, 0.5, 0.75, 1];
    const decades = Array.from({ length: 14 }, (_, i) => 10 ** (i - 7));
    const all = decades.flatMap((decade) => [1, 2, 5].map((m) => m * decade)).filter((value) => value > low && value < high);
    return all.length > 6 ? all.filter((value) => Math.log10(value) % 1 === 0) : all;
  }

  #axisLabel(value) {
    return this.scale === "unit" ? `${Math.round(100 * value)} %` : `${+value.toPrecision(2)}`;
  }

  #showLegend() {
    this.#legend.replaceChildren(
      ...this.#lines.map(({ name, kind, points }) => {
        const point = this.#hovered === null ? points.filter(([step]) => step <= this.#end).at(-1) : nearest(points, this.#hovered);
        return h("li", { class: kind }, h("span", { class: "key" }), name, h("b", {}, point ? this.format(point[1]) : "–"));
      }),
    );
  }

  #hover(event) {
    const { left } = this.#plot.getBoundingClientRect();
    const points = this.#lines[0]?.points ?? [];
    const step = ((event.clientX - left - MARGIN.left) / (this.#plot.clientWidth - MARGIN.left - MARGIN.right)) * this.#end;
    this.#hovered = nearest(points, step)?.[0] ?? null;
    this.#draw();
  }

  #leave() {
    this.#hovered = null;
    this.#draw();
  }
}

function line(kind, points) {
  const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  const dots = kind === "published" || points.length === 1;
  return s("g", { class: `line ${kind}` }, d && s("path", { d }), dots && points.map(([cx, cy]) => s("circle", { cx, cy, r: 2.5 })));
}

function nearest(points, step) {
  return points.reduce((best, point) => (!best || Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best), null);
}
