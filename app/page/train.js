// The view Train: a form that starts a run, the run's curves, and the list of past runs.

import { json, sendJson } from "./api.js";
import { MOST_CURVES } from "./chart.js";
import { decisionText } from "./decisions.js";
import { h } from "./dom.js";
import { current, duration, has, moment, number, t } from "./language.js";
import { refusal } from "./notice.js";
import { serverText } from "./server_texts.js";
import { changes, choices, field, presets } from "./recipes.js";
import { RunView, runLength } from "./run.js";
import { SearchView } from "./search.js";

const FIELDS = ["training_steps", "learning_rate", "batch_size", "validation_size", "seed"];
const RELOAD_MS = 5000;

/** Fill the view; return {go, hide}: called when the address changes, and when the reader leaves the view. */
export function mount(root) {
  return new TrainView(root);
}

class TrainView {
  #form = h("div", {});
  #history = h("div", {});
  #empty = h("p", { class: "empty" }, t("run.none"));
  #run = new RunView(() => this.#load());
  #search = new SearchView();
  #shown = null; // id of the run that is shown
  #compared = new Map(); // id -> {id, total_steps, progress}: other runs whose curves are shown
  #listed = ""; // the runs that the list shows
  #isHidden = false;
  #timer = 0;

  constructor(root) {
    root.replaceChildren(
      h("h1", {}, t("train")),
      h("p", { class: "lead" }, t("train.lead")),
      h("div", { class: "train" }, this.#form, h("div", { class: "stack" }, this.#empty, this.#run.element)),
      this.#search.element,
      h("section", {}, h("h2", {}, t("runs")), this.#history),
    );
    const fill = (element) => this.#form.replaceChildren(element);
    form((body) => this.#start(body)).then(fill, (problem) => fill(refusal(problem)));
    this.go();
    this.#load();
  }

  go() {
    if (addressedRun()) this.#watch(addressedRun());
  }

  hide() {
    this.#isHidden = true;
    clearTimeout(this.#timer);
    this.#run.stop();
    this.#search.stop();
  }

  async #load() {
    clearTimeout(this.#timer);
    try {
      const { items } = await json("train?limit=20");
      if (this.#isHidden) return;
      await this.#list(items);
      if (this.#shown === null && items.length) this.#watch(addressedRun() ?? items[0].id);
    } catch (problem) {
      if (!this.#isHidden) this.#history.replaceChildren(refusal(problem));
      this.#listed = "";
    }
    if (!this.#isHidden) this.#timer = setTimeout(() => this.#load(), RELOAD_MS);
  }

  /** Show the list of runs, again only when it has changed: the reader's focus may be in it. */
  async #list(runs) {
    const listed = JSON.stringify(runs);
    if (listed === this.#listed) return;
    this.#listed = listed;
    const choose = (run, input) => this.#choose(run, input);
    this.#history.replaceChildren(runs.length ? await table(runs, choose, this.#compared) : h("p", { class: "empty" }, t("runs.none")));
  }

  #watch(id) {
    if (this.#shown === id) return;
    this.#shown = id;
    this.#empty.hidden = true;
    this.#run.watch(id);
  }

  /** Show or hide the curves of another run. */
  async #choose(run, input) {
    if (!input.checked) this.#compared.delete(run.id);
    else if (this.#compared.size < MOST_CURVES - 1) this.#compared.set(run.id, await json(`train/${run.id}`));
    else input.checked = false;
    this.#run.compare([...this.#compared.values()]);
  }

  async #start(body) {
    const run = await sendJson("POST", "train", body);
    location.hash = `#train/${run.id}`;
    this.#watch(run.id);
    this.#load();
  }
}

/** Return the id of the run that the address names, or null. */
function addressedRun() {
  const [, id] = location.hash.split("/");
  return /^\d+$/.test(id ?? "") ? Number(id) : null;
}

async function form(start) {
  const values = await presets();
  const fields = await Promise.all(FIELDS.map(async (name) => [name, await field(name)]));
  const inputs = fields.map(([name, bounds]) => [name, input(name, bounds)]);
  const notice = h("div", {});
  const options = await choices();
  const recipe = select("recipe", options.recipe, () => fill());
  const promote = select("promote", options.promote);
  const note = h("small", {});
  const button = h("button", { class: "primary", type: "submit" }, t("train.start"));

  function fill() {
    for (const [name, element] of inputs) element.placeholder = values[recipe.value][name];
    note.textContent = t(`recipe.${recipe.value}.note`);
  }

  async function submit(event) {
    event.preventDefault();
    const changed = inputs.filter(([, element]) => element.value !== "").map(([name, element]) => [name, element.valueAsNumber]);
    button.disabled = true;
    notice.replaceChildren();
    try {
      await start({ recipe: recipe.value, promote: promote.value, overrides: Object.fromEntries(changed) });
    } catch (problem) {
      notice.replaceChildren(refusal(problem));
    } finally {
      button.disabled = false;
    }
  }

  const advanced = h(
    "details",
    { class: "advanced" },
    h("summary", {}, t("advanced")),
    h(
      "div",
      { class: "stack" },
      fields.map(([name, bounds], i) => labeled(text(`field.${name}`, name), inputs[i][1], h("small", {}, meaning(name, bounds)))),
      labeled(t("promote"), promote),
    ),
  );
  advanced.addEventListener("invalid", () => (advanced.open = true), true); // or the browser cannot show what is wrong

  fill();
  return h("form", { class: "stack", onsubmit: submit }, labeled(t("recipe"), recipe, note), button, notice, advanced);
}

function select(name, { options, chosen }, onchange = () => {}) {
  return h("select", { name, onchange }, options.map((value) => h("option", { value, selected: value === chosen }, text(`${name}.${value}`, value))));
}

function input(name, { min, max, isWhole, isAbove }) {
  return h("input", { type: "number", name, min: isAbove ? Number.EPSILON : min, max, step: isWhole ? 1 : "any", inputmode: isWhole ? "numeric" : "decimal" });
}

/** Return the meaning of a field and its bounds: translated if there is a translation, else the service's description. */
function meaning(name, { min, max, isAbove, description }) {
  const words = current() !== "en" && has(`field.${name}.note`) ? t(`field.${name}.note`) : description;
  return t("bounds.of", { meaning: words, bounds: t(isAbove ? "bounds.above" : "bounds", { min: number(min), max: number(max) }) });
}

function labeled(name, control, ...notes) {
  return h("label", { class: "field" }, h("span", {}, name), control, ...notes);
}

async function table(runs, choose, compared) {
  const heads = ["run.id", "state", "recipe", "run.when", "run.outcome", "curves"];
  const rows = await Promise.all(runs.map(async (run) => {
    const changed = (await changes(run.recipe)).map(([name, value]) => `${text(`field.${name}`, name)} ${value}`);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: `#train/${run.id}` }, run.id)),
      h("td", {}, h("span", { class: `chip ${run.state}` }, t(`state.${run.state}`))),
      h("td", {}, text(`recipe.${run.recipe.name}`, run.recipe.name), changed.length > 0 && h("small", {}, changed.join(", "))),
      h("td", {}, moment(run.requested_at), took(run)),
      h("td", { class: "wide" }, run.version !== null && h("a", { href: `#versions/${run.version}` }, t("version", { version: run.version })), h("small", {}, run.error ? serverText(run.error) : decisionText(run.decision ?? ""))),
      h("td", {}, curves(run, choose, compared.has(run.id))),
    );
  }));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("runs") }, h("table", { class: "cards-if-narrow" }, h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, rows)));
}

/** Return the box that shows the curves of a run beside those of others; null if it has none. */
function curves(run, choose, checked) {
  if (!run.step) return null;
  const input = h("input", { type: "checkbox", checked, "aria-label": t("curves.of", { id: run.id }), onchange: () => choose(run, input) });
  return h("label", { class: "check" }, input, h("span", { "aria-hidden": "true" }, t("curves.compare")));
}

function took(run) {
  const seconds = runLength(run);
  return seconds === null ? null : h("small", {}, duration(seconds));
}

function text(key, otherwise) {
  return has(key) ? t(key) : otherwise;
}
