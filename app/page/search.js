// The newest search on the view Train: a chart per field that it varies, with a dot per trial, and the best trials.

import { json, sendJson } from "./api.js";
import { h, s } from "./dom.js";
import { has, number, percent, t } from "./language.js";
import { refusal } from "./notice.js";
import { serverText } from "./server_texts.js";

const RELOAD_MS = 5000;
const SHOWN = 5; // trials in the table
const WIDTH = 360;
const HEIGHT = 220;
const MARGIN = { top: 12, right: 12, bottom: 26, left: 52 };

/** A section, hidden while there is no search. It follows the search until `stop`. */
export class SearchView {
  element = h("section", { hidden: true });
  #timer = 0;
  #isStopped = false;

  constructor() {
    this.#load();
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #load() {
    clearTimeout(this.#timer);
    try {
      const { items } = await json("searches?limit=1");
      const search = items.length ? await json(`searches/${items[0].id}`) : null;
      if (this.#isStopped) return;
      if (search) this.#show(search);
    } catch (problem) {
      if (!this.element.hidden && !this.#isStopped) this.element.replaceChildren(refusal(problem));
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#load(), RELOAD_MS);
  }

  #show(search) {
    const ended = search.ranking.filter(({ state }) => state !== "queued" && state !== "running").length;
    const scored = search.ranking.filter(({ validation_loss: loss }) => loss !== null);
    this.element.hidden = false;
    this.element.dataset.state = search.state;
    this.element.replaceChildren(
      h("h2", {}, t("search", { id: search.name ?? search.id }), " ", h("span", { class: `chip ${search.state}` }, t(`search.${search.state}`))),
      h("p", {}, search.error ? serverText(search.error) : t("search.trials", { ended, trials: search.trials })),
      scored.length > 0 && h("div", { class: "charts" }, fields(search).map((field) => scatter(field, search.space[field], scored))),
      scored.length > 0 && table(search, scored.slice(0, SHOWN)),
      search.state === "running" && h("button", { type: "button", onclick: () => this.#cancel(search.id) }, t("search.cancel")),
    );
  }

  async #cancel(id) {
    try {
      this.#show(await sendJson("DELETE", `searches/${id}`));
    } catch (problem) {
      this.element.append(refusal(problem));
    }
  }
}

function fields(search) {
  return Object.keys(search.space).sort();
}

/** Return a chart of the held-out cross-entropy over the values of a field. */
function scatter(field, words, trials) {
  const values = trials.map((trial) => trial.values[field]);
  const across = words.startsWith("{") ? categories(values) : axis(values, words.startsWith("log:"));
  const losses = axis(trials.map((trial) => trial.validation_loss), true);
  const x = (value) => MARGIN.left + across.share(value) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (loss) => HEIGHT - MARGIN.bottom - losses.share(loss) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const title = t("search.chart", { field: fieldName(field) });
  const dots = trials.map((trial, i) =>
    s(
      "circle",
      { cx: x(trial.values[field]), cy: y(trial.validation_loss), r: i ? 3.5 : 6, class: `trial ${i ? trial.state : "best"}` },
      s("title", {}, t("search.dot", { trial: trial.trial, value: show(trial.values[field]), loss: number(trial.validation_loss, 4) })),
    ),
  );
  return h(
    "figure",
    { class: "chart" },
    h("h3", {}, title),
    h(
      "div",
      { class: "plot" },
      s(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title },
        losses.ends.map((loss) => [
          s("line", { x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(loss), y2: y(loss), class: "grid-line" }),
          s("text", { x: MARGIN.left - 8, y: y(loss), "text-anchor": "end", dy: "0.32em" }, show(loss)),
        ]),
        across.ends.map((value) => s("text", { x: x(value), y: HEIGHT - 6, "text-anchor": "middle" }, show(value))),
        dots.reverse(), // the best one above the others
      ),
    ),
  );
}

/** Return {ends, share}: the smallest and largest value, and where between them a value is, 0 to 1. */
function axis(values, isLog) {
  const transform = isLog ? (value) => Math.log(Math.max(value, 1e-12)) : (value) => value;
  const ends = [...new Set([Math.min(...values), Math.max(...values)])];
  const [low, high] = [transform(ends[0]), transform(ends.at(-1))];
  return { ends, share: (value) => (high > low ? 0.04 + (0.92 * (transform(value) - low)) / (high - low) : 0.5) };
}

function categories(values) {
  const ends = [...new Set(values)].sort();
  return { ends, share: (value) => (ends.indexOf(value) + 0.5) / ends.length };
}

function table(search, trials) {
  const heads = [t("search.trial"), ...fields(search).map(fieldName), t("search.loss"), t("accuracy"), t("run.outcome")];
  const rows = trials.map((trial) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: `#train/${trial.run}` }, trial.trial)),
      fields(search).map((field) => h("td", {}, show(trial.values[field]))),
      h("td", {}, number(trial.validation_loss, 4)),
      h("td", {}, percent(trial.validation_accuracy), trial.interval_95 && h("small", {}, trial.interval_95.map((end) => percent(end)).join(" – "))),
      h("td", {}, trial.version === null ? t(`search.${trial.state}`) : h("a", { href: `#versions/${trial.version}` }, t("version", { version: trial.version }))),
    ),
  );
  const caption = t("search.best");
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)),
  );
}

function fieldName(field) {
  return has(`field.${field}`) ? t(`field.${field}`) : field;
}

function show(value) {
  return typeof value === "number" ? `${+value.toPrecision(4)}` : value;
}
