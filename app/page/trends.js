// Small pictures of the service: a line over time, a strip of shares over time, and a histogram.

import { h, s, style } from "./dom.js";

const [WIDTH, HEIGHT] = [240, 44];
const COLUMNS = 30; // of a strip

/** Return a line over values, oldest first; null is a gap. */
export function sparkline(values, label) {
  const most = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const x = (i) => (values.length > 1 ? (i * WIDTH) / (values.length - 1) : WIDTH);
  const y = (value) => HEIGHT - 2 - (value / most) * (HEIGHT - 4);
  const d = values.map((value, i) => (value === null ? "" : `${(values[i - 1] ?? null) === null ? "M" : "L"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`)).join("");
  const dots = values.map((value, i) => value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null && s("circle", { cx: x(i), cy: y(value), r: 1.5 }));
  return s("svg", { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, d && s("path", { d }), dots);
}

/** Return a strip: a row for each name, a column for each moment, shaded by the share of a row in its moment.
 *
 * `moments`: the counts of each row, oldest first; several of them share a column if there are more than COLUMNS. */
export function strip(names, moments, label) {
  const size = Math.max(1, Math.ceil(moments.length / COLUMNS));
  const columns = Array.from({ length: Math.ceil(moments.length / size) }, (_, i) => addUp(moments.slice(i * size, (i + 1) * size), names.length));
  const most = Math.max(...columns.flatMap((counts) => shares(counts)), Number.MIN_VALUE);
  const cells = columns.flatMap((counts, x) => shares(counts).map((share, y) => share > 0 && s("rect", { x, y, width: 1, height: 1, "fill-opacity": (share / most).toFixed(2) })));
  const picture = s("svg", { viewBox: `${columns.length - COLUMNS} 0 ${COLUMNS} ${names.length}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, cells);
  return h("div", { class: "strip" }, h("ol", { "aria-hidden": "true" }, names.map((name) => h("li", {}, name))), picture);
}

/** Return a histogram: rows [{name, count, expected}], `expected` a share or null; `format(share)` is shown at its end. */
export function histogram(rows, label, format) {
  const total = rows.reduce((sum, { count }) => sum + count, 0) || 1;
  const most = Math.max(...rows.map(({ count, expected }) => Math.max(count / total, expected ?? 0)), Number.MIN_VALUE);
  const items = rows.map(({ name, count, expected }) => {
    const bar = style(h("span", { class: "bar", "aria-hidden": "true" }, expected !== null && h("i", {})), { "--share": count / total / most, "--expected": (expected ?? 0) / most });
    return h("li", {}, h("span", {}, name), bar, h("span", { class: "value" }, format(count / total)));
  });
  return h("ul", { class: "histogram", "aria-label": label }, items);
}

function addUp(moments, length) {
  return Array.from({ length }, (_, k) => moments.reduce((sum, counts) => sum + (counts[k] ?? 0), 0));
}

function shares(counts) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (total ? count / total : 0));
}
