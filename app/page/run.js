// One training run: its state, its curves, the time left, and its outcome.

import { call, json } from "./api.js";
import { Chart } from "./chart.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { duration, number, percent, t } from "./language.js";
import { refusal } from "./notice.js";

/** The tutorial's published output: step, loss of a batch of 256 in nats, its accuracy. Comparable only with the same recipe. */
const PUBLISHED = [[100, 567.3, 0.137], [500, 138.6, 0.887], [1000, 81.7, 0.906], [2000, 59.3, 0.918], [3000, 43.9, 0.949]];
const RETRY_MS = 2000; // after an answer that is not a stream

export class RunView {
  #progress = new Map(); // step -> progress line
  #run = null;
  #source = null;
  #timer = 0;
  #loss = new Chart(t("loss"), (value) => number(value, 1), "log");
  #accuracy = new Chart(t("accuracy"), (value) => percent(value, 1), "unit");
  #head = h("div", { class: "row" });
  #bar = h("progress", { max: 1, value: 0 });
  #state = h("p", { class: "note", role: "status" });
  #end = h("div", {});

  /** `onEnd(run)` is called when the run that is watched ends. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.element = h("div", { class: "stack" }, this.#head, this.#bar, this.#state, this.#end, h("div", { class: "charts" }, this.#loss.element, this.#accuracy.element));
    this.element.hidden = true;
  }

  /** Show a run, and follow it until it ends. */
  async watch(id) {
    this.stop();
    this.#progress.clear();
    try {
      await this.#load(id);
    } catch (problem) {
      this.element.hidden = false;
      this.#head.replaceChildren();
      this.#end.replaceChildren(refusal(problem));
    }
  }

  stop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  async #load(id) {
    const run = await json(`train/${id}`);
    for (const line of run.progress) this.#progress.set(line.step, line);
    this.#show(run);
    if (isOpen(run)) this.#follow(id);
  }

  /** Follow the run's server-sent events. The browser reconnects by itself and sends the last step that it received. */
  #follow(id) {
    const source = (this.#source = new EventSource(`train/${id}/events`));
    source.addEventListener("progress", (event) => {
      const line = JSON.parse(event.data);
      this.#progress.set(line.step, line);
      this.#show({ ...this.#run, state: "running", waits_for: null, preparing: null });
    });
    source.addEventListener("preparing", (event) => {
      this.#show({ ...this.#run, state: "running", waits_for: null, ...JSON.parse(event.data) });
    });
    source.addEventListener("end", (event) => {
      source.close();
      this.#show(JSON.parse(event.data));
      this.onEnd(this.#run);
    });
    source.addEventListener("open", () => this.#showProgress());
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.#state.textContent = t("run.lost");
      if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => this.#retry(id), RETRY_MS);
    });
  }

  async #retry(id) {
    try {
      await this.#load(id);
    } catch {
      this.#timer = setTimeout(() => this.#retry(id), RETRY_MS);
    }
  }

  #show(run) {
    this.#run = run;
    this.element.hidden = false;
    this.element.dataset.state = run.state;
    const cancel = isOpen(run) && h("button", { type: "button", onclick: () => this.#cancel() }, t("run.cancel"));
    if (this.#head.dataset.for !== `${run.id} ${run.state}`) {
      this.#head.dataset.for = `${run.id} ${run.state}`;
      const chip = h("span", { class: `chip ${run.state}` }, t(`state.${run.state}`));
      this.#head.replaceChildren(h("h2", {}, t("run", { id: run.id })), chip, ...(cancel ? [h("span", { class: "push" }, cancel)] : []));
    }
    this.#showProgress();
    this.#draw();
  }

  #showProgress() {
    const run = this.#run;
    const last = [...this.#progress.values()].at(-1);
    const step = run.state === "succeeded" ? run.total_steps : (last?.step ?? run.step);
    this.#bar.value = step / run.total_steps;
    const done = t("run.steps", { step: number(step), total: number(run.total_steps) });
    const left = last && isOpen(run) ? duration((last.elapsed_s / last.step) * (run.total_steps - last.step)) : null;
    const took = last && !isOpen(run) ? t("run.took", { time: duration(last.elapsed_s) }) : "";
    const trained = `${done} ${left ? t("run.left", { time: left }) : took}`;
    this.#state.textContent = run.state === "queued" ? (run.waits_for ?? t("state.queued")) : (run.preparing ?? trained);
    this.#end.replaceChildren(...outcome(run));
  }

  #draw() {
    const lines = [...this.#progress.values()].sort((a, b) => a.step - b.step);
    const of = (name) => lines.filter((line) => line[name] !== null).map((line) => [line.step, line[name]]);
    const published = (column) => PUBLISHED.map((row) => [row[0], row[column]]);
    const isTutorial = this.#run.recipe.name === "tutorial" && this.#run.recipe.batch_size === 256;
    const tutorial = (column) => (isTutorial ? [{ name: t("published"), kind: "published", points: published(column) }] : []);
    const end = this.#run.total_steps;
    this.#loss.show([{ name: t("batch"), kind: "batch", points: of("loss") }, ...tutorial(1)], end);
    const validation = { name: t("validation"), kind: "validation", points: of("validation_accuracy") };
    const batch = { name: t("batch"), kind: validation.points.length ? "faint" : "batch", points: of("accuracy") };
    this.#accuracy.show([...(validation.points.length ? [validation] : []), batch, ...tutorial(2)], end);
  }

  async #cancel() {
    const id = this.#run.id;
    if (!(await ask(t("run.cancel.title", { id }), h("p", {}, t("run.cancel.what")), t("run.cancel")))) return;
    try {
      await call(`train/${id}`, { method: "DELETE" });
    } catch (problem) {
      this.#end.replaceChildren(refusal(problem));
    }
  }
}

/** Return the elements that describe the outcome; none while the run is not finished. */
function outcome(run) {
  if (run.state === "succeeded") {
    const link = h("a", { href: `#versions/${run.version}` }, t("version", { version: run.version }));
    return [h("p", { class: "outcome" }, link, ": ", run.decision ?? "")];
  }
  if (run.state !== "failed") return [];
  const isDataMissing = run.error_type === "dataset";
  return [refusal({ title: t(isDataMissing ? "data.missing" : "run.failed"), detail: isDataMissing ? `${run.error} ${t("data.how")}` : run.error })];
}

export function isOpen(run) {
  return run.state === "queued" || run.state === "running";
}
