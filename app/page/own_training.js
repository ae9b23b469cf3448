// "Train with mine": a run that starts from the served version and learns the corrections too, what the gate said of
// it, and the way back.

import { json, sendJson } from "./api.js";
import { decisionText } from "./decisions.js";
import { h } from "./dom.js";
import { number, percent, t } from "./language.js";
import { refusal } from "./notice.js";
import { serverText } from "./server_texts.js";
import { failure, isOpen } from "./run.js";
import { followServed, loadServed } from "./served.js";

const KEY = "inkling-own-run"; // in localStorage: {id, base}, so that the run is found again
const NEEDED = 10; // corrections with a digit
/** The recipe of docs/learning.md; beyond it `base` is the served version. */
const FINE_TUNING = {
  feedback: 0.02, optimizer: "adam", learning_rate: 0.0003, warmup_steps: 100, weight_decay: 0, anneal_fraction: 0.5,
  synthetic: 0, training_steps: 4000, display_step: 100,
};

export class OwnTraining {
  #button = h("button", { type: "button", class: "primary", onclick: () => this.#start() }, t("own.train"));
  #note = h("p", { class: "note" });
  #bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": t("own.progress") });
  #state = h("p", { class: "note", role: "status" });
  #result = h("div", { class: "own-result" });
  #source = null;

  constructor() {
    this.element = h("div", { class: "own stack tight" }, h("div", { class: "row" }, this.#button, this.#note), this.#bar, this.#state, this.#result);
    const known = JSON.parse(localStorage.getItem(KEY));
    if (known) this.#watch(known);
  }

  /** Say how many of the corrections can be learned, and allow the run from ten on. */
  count(corrections) {
    const learnable = corrections.filter(({ label }) => label !== "none").length;
    this.#button.disabled = learnable < NEEDED || this.#source !== null;
    this.#note.textContent = learnable < NEEDED ? t("own.few", { n: number(learnable), needed: NEEDED }) : t("own.enough");
  }

  stop() {
    this.#source?.close();
    this.#source = null;
  }

  async #start() {
    this.#button.disabled = true;
    this.#result.replaceChildren();
    try {
      const { version: base } = await json("versions/current");
      const run = await sendJson("POST", "train", { recipe: "accurate", promote: "if_better", overrides: { base, ...FINE_TUNING } });
      const known = { id: run.id, base };
      localStorage.setItem(KEY, JSON.stringify(known));
      this.#watch(known);
    } catch (problem) {
      this.#button.disabled = false;
      this.#result.replaceChildren(refusal(problem));
    }
  }

  /** Follow the run until it ends; a run that nobody knows any more is forgotten. */
  async #watch({ id, base }) {
    try {
      const run = await json(`train/${id}`);
      this.#show(run, base);
      if (isOpen(run)) this.#follow(id, base);
    } catch (problem) {
      if (problem.status === 404) localStorage.removeItem(KEY);
    }
  }

  #follow(id, base) {
    const source = (this.#source = new EventSource(`train/${id}/events`));
    let run = { id, state: "running", total_steps: FINE_TUNING.training_steps, step: 0, preparing: null };
    const update = (event) => this.#show((run = { ...run, preparing: null, ...JSON.parse(event.data) }), base);
    for (const name of ["preparing", "progress"]) source.addEventListener(name, update);
    source.addEventListener("end", (event) => {
      this.stop();
      this.#button.disabled = false;
      this.#show(JSON.parse(event.data), base);
    });
    source.addEventListener("error", () => {
      if (source === this.#source) this.#state.textContent = t("run.lost");
    });
  }

  #show(run, base) {
    this.#bar.hidden = !isOpen(run);
    this.#bar.value = run.step / run.total_steps;
    this.#button.disabled ||= isOpen(run);
    const steps = t("run.steps", { step: number(run.step), total: number(run.total_steps) });
    this.#state.textContent = isOpen(run) ? (run.preparing ? serverText(run.preparing) : (run.state === "queued" ? t("state.queued") : steps)) : "";
    if (run.state === "failed") this.#result.replaceChildren(failure(run));
    if (run.state === "succeeded") this.#judge(run, base);
  }

  /** Show the gate's decision on the version that the run made, and both versions' scores. */
  async #judge(run, base) {
    const { items } = await json("promotions?limit=100");
    const decision = items.find(({ version, policy }) => version === run.version && policy === "if_better");
    const newest = items.find(({ is_promoted }) => is_promoted);
    if (!decision) return;
    const rows = [["own.people", decision.comparison?.people], ["own.dataset", decision.comparison]].filter(([, scores]) => scores);
    const isServed = newest.version === run.version;
    if (isServed) followServed(run.version);
    this.#result.replaceChildren(h("div", { class: "stack tight" },
      h("p", { class: decision.is_promoted ? "good" : "warning" }, t(decision.is_promoted ? "own.promoted" : "own.refused", { version: run.version, base })),
      rows.length > 0 && scoreTable(rows, decision.compared_with, run.version),
      h("p", { class: "note" }, decisionText(decision.reason)),
      h("div", { class: "row" },
        isServed && h("button", { type: "button", onclick: () => this.#rollBack(run, base, newest.id) }, t("own.back", { version: base })),
        decision.is_promoted && !isServed && h("span", {}, t("promoted", { version: newest.version })),
        h("a", { href: `#train/${run.id}` }, t("run", { id: run.id })),
      ),
    ));
  }

  async #rollBack(run, base, promotion) {
    try {
      await sendJson("PUT", "versions/current", { version: base, if_promotion: promotion });
      await loadServed();
      await this.#judge(run, base);
    } catch (problem) {
      this.#result.append(refusal(problem));
    }
  }
}

/** Return a table: images read correctly by the former and the new version. */
function scoreTable(rows, former, version) {
  const share = (correct, images) => [h("b", {}, percent(correct / images, 1)), h("small", {}, t("of", { correct: number(correct), total: number(images) }))];
  return h(
    "table",
    { class: "scores" },
    h("thead", {}, h("tr", {}, h("td", {}), [["own.before", former], ["own.after", version]].map(([key, number]) => h("th", { scope: "col" }, t(key, { version: number }))))),
    h("tbody", {}, rows.map(([key, scores]) => h("tr", {}, h("th", { scope: "row" }, t(key)), h("td", {}, share(scores.served_correct, scores.images)), h("td", {}, share(scores.candidate_correct, scores.images))))),
  );
}
