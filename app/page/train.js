// The place Train: start a run, watch it, and look back at those before.

import { json, sendJson } from "./api.js";
import { h } from "./dom.js";
import { current, duration, has, moment, number, t } from "./language.js";
import { refusal } from "./notice.js";
import { changes, choices, field, presets } from "./recipes.js";
import { RunView, isOpen } from "./run.js";

const FIELDS = ["training_steps", "learning_rate", "batch_size", "validation_size", "seed"];
const RELOAD_MS = 5000;

export function mount(root, rest) {
  const formBox = h("div", {});
  const history = h("div", {});
  const view = new RunView(() => load());
  const nothing = h("p", { class: "empty" }, t("run.none"));
  let isGone = false;
  let timer = 0;

  async function load() {
    clearTimeout(timer);
    try {
      const { items } = await json("train?limit=20");
      if (isGone) return;
      history.replaceChildren(items.length ? await table(items) : h("p", { class: "empty" }, t("runs.none")));
      if (!view.id && items.length) watch(address() ?? items[0].id);
    } catch (problem) {
      if (!isGone) history.replaceChildren(refusal(problem));
    }
    if (!isGone) timer = setTimeout(load, RELOAD_MS);
  }

  function watch(id) {
    if (view.id === id) return;
    nothing.hidden = true;
    view.id = id;
    view.watch(id);
  }

  function address() {
    const [, id] = location.hash.split("/");
    return /^\d+$/.test(id ?? "") ? Number(id) : null;
  }

  async function start(body) {
    const run = await sendJson("POST", "train", body);
    location.hash = `#train/${run.id}`;
    watch(run.id);
    load();
  }

  root.replaceChildren(
    h("h1", {}, t("train")),
    h("p", { class: "lead" }, t("train.lead")),
    h("div", { class: "train" }, formBox, h("div", { class: "stack" }, nothing, view.element)),
    h("section", {}, h("h2", {}, t("runs")), history),
  );
  form(start).then((element) => formBox.replaceChildren(element), (problem) => formBox.replaceChildren(refusal(problem)));
  if (address()) watch(address());
  load();
  return {
    go: () => address() && watch(address()),
    hide() {
      isGone = true;
      clearTimeout(timer);
      view.stop();
    },
  };
}

async function form(start) {
  const values = await presets();
  const fields = await Promise.all(FIELDS.map(async (name) => [name, await field(name)]));
  const inputs = fields.map(([name, bounds]) => [name, input(name, bounds)]);
  const notice = h("div", {});
  const given = await choices();
  const recipe = select("recipe", given.recipe, () => fill());
  const promote = select("promote", given.promote);
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

  fill();
  return h(
    "form",
    { class: "stack", onsubmit: submit },
    labelled(t("recipe"), recipe, note),
    fields.map(([name, bounds], i) => labelled(text(`field.${name}`, name), inputs[i][1], h("small", {}, meaning(name, bounds)))),
    labelled(t("promote"), promote),
    button,
    notice,
  );
}

function select(name, { options, chosen }, onchange = () => {}) {
  return h("select", { name, onchange }, options.map((value) => h("option", { value, selected: value === chosen }, text(`${name}.${value}`, value))));
}

function input(name, { min, max, isWhole, isAbove }) {
  return h("input", { type: "number", name, min: isAbove ? Number.EPSILON : min, max, step: isWhole ? 1 : "any", inputmode: isWhole ? "numeric" : "decimal" });
}

/** Say what a field means, in the service's own words where there are none in the reader's language, and its bounds. */
function meaning(name, { min, max, isAbove, description }) {
  const words = current() !== "en" && has(`field.${name}.note`) ? t(`field.${name}.note`) : description;
  return `${words}; ${t(isAbove ? "bounds.above" : "bounds", { min: number(min), max: number(max) })}`;
}

function labelled(name, control, ...notes) {
  return h("label", { class: "field" }, h("span", {}, name), control, ...notes);
}

async function table(runs) {
  const heads = ["run.id", "state", "recipe", "run.when", "run.outcome"];
  const rows = await Promise.all(runs.map(async (run) => {
    const changed = (await changes(run.recipe)).map(([name, value]) => `${text(`field.${name}`, name)} ${value}`);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: `#train/${run.id}` }, run.id)),
      h("td", {}, h("span", { class: `chip ${run.state}` }, t(`state.${run.state}`))),
      h("td", {}, text(`recipe.${run.recipe.name}`, run.recipe.name), changed.length > 0 && h("small", {}, changed.join(", "))),
      h("td", {}, moment(run.requested_at), took(run)),
      h("td", { class: "wide" }, run.version !== null && h("a", { href: `#versions/${run.version}` }, t("version", { version: run.version })), h("small", {}, run.error ?? run.decision ?? "")),
    );
  }));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("runs") }, h("table", { class: "cards-if-narrow" }, h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, rows)));
}

function took(run) {
  if (!run.started_at || !run.finished_at || isOpen(run)) return null;
  return h("small", {}, duration((new Date(run.finished_at) - new Date(run.started_at)) / 1000));
}

function text(key, otherwise) {
  return has(key) ? t(key) : otherwise;
}
