// The test accuracies of all versions on one axis, each with its 95 % interval; one axis for each dataset.

import { h, style } from "./dom.js";
import { number, percent, t } from "./language.js";

const WIDEST = 0.1; // of the axis, below the best version: worse ones stand at its left end
const STEPS = [0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001]; // between marks, the first that leaves at least MARKS of them
const MARKS = 3;

/** Return the axes of versions: [{version, evaluation, dataset, classes}, ...]. */
export function accuracyAxes(versions, served) {
  const measured = versions.filter(({ evaluation }) => evaluation);
  const groups = Map.groupBy(measured, ({ dataset, classes }) => JSON.stringify([dataset ?? "mnist", classes]));
  const holdsServed = (group) => group.some(({ version }) => version === served);
  const servedFirst = [...groups.values()].sort((a, b) => holdsServed(b) - holdsServed(a));
  return servedFirst.map((group) => axis(group, served, groups.size > 1));
}

function axis(versions, served, isNamed) {
  const lows = versions.map(({ evaluation }) => evaluation.interval_95[0]);
  const highs = versions.map(({ evaluation }) => evaluation.interval_95[1]);
  const best = Math.max(...versions.map(({ evaluation }) => evaluation.accuracy));
  const high = Math.max(...highs);
  const low = Math.max(Math.min(...lows), best - WIDEST);
  const at = (value) => `${(100 * (Math.max(value, low) - low)) / (high - low || 1)}%`;
  const step = STEPS.find((size) => marks(low, high, size).length >= MARKS) ?? STEPS.at(-1);
  const digits = step < 0.01 ? 1 : 0;
  return h(
    "figure",
    { class: "axis" },
    h("figcaption", {}, h("h2", {}, isNamed ? t("axis.of", { dataset: nameOf(versions[0].dataset) }) : t("axis"))),
    h("ul", {}, versions.map((version) => row(version, served, at, low))),
    h("div", { class: "marks", "aria-hidden": "true" }, marks(low, high, step).map((value) => style(h("span", {}, percent(value, digits)), { "--at": at(value) }))),
  );
}

function row({ version, evaluation: { accuracy, interval_95: [low, high] } }, served, at, lowest) {
  const isBelow = accuracy < lowest;
  const line = style(h("span", { class: `interval ${isBelow ? "below" : ""}`, "aria-hidden": "true" }), { "--low": at(low), "--high": at(high), "--at": at(accuracy) });
  const words = t("axis.row", { accuracy: percent(accuracy), low: percent(low), high: percent(high) });
  return h(
    "li",
    { class: version === served ? "served" : null, title: words },
    h("a", { href: `#versions/${version}` }, t("version.short", { version })),
    line,
    h("span", { class: "value" }, percent(accuracy), h("span", { class: "unseen" }, " ", t("interval", { low: percent(low), high: percent(high) }))),
  );
}

function nameOf(dataset) {
  return dataset === null || dataset === "mnist" ? "MNIST" : dataset;
}

function marks(low, high, step) {
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** Return what a version costs against another: {points, digit, from, to}; null if it costs nothing, or cannot be compared.
 *
 * `points`: of test accuracy; `digit`: the class that loses most, if one does, whose recall falls from `from` to `to`. */
export function cost(version, served) {
  if (!version.evaluation || !served?.evaluation || !isSameDataset(version, served)) return null;
  const points = 100 * (served.evaluation.accuracy - version.evaluation.accuracy);
  if (points <= 0) return null;
  const falls = version.evaluation.digits.map((score, digit) => ({ digit, from: served.evaluation.digits[digit].recall, to: score.recall }));
  const worst = falls.reduce((most, fall) => (fall.from - fall.to > most.from - most.to ? fall : most));
  return { points: number(points, 2), ...worst };
}

export function isSameDataset(one, other) {
  return (one.dataset ?? "mnist") === (other.dataset ?? "mnist") && one.classes.join() === other.classes.join();
}
