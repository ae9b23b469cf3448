// One training run: its state, its curves, the time left, and its outcome.

import { call, json } from "./api.js";
import { Chart } from "./chart.js";
import { decisionText } from "./decisions.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { duration, has, number, percent, sentences, t } from "./language.js";
import { refusal } from "./notice.js";
import { serverText } from "./server_texts.js";
import { currentStage, stageName, Stages } from "./stages.js";
import { Weights } from "./weights.js";

/** The tutorial's published output: step, loss of a batch of 256 in nats, its accuracy. Comparable only with the same recipe. */
const PUBLISHED = [[100, 567.3, 0.137], [500, 138.6, 0.887], [1000, 81.7, 0.906], [2000, 59.3, 0.918], [3000, 43.9, 0.949]];
const RETRY_MS = 2000; // after an answer that is not a stream
const COUNTED = ["reading images", "drawing digits"]; // stages of which the trainer says how far it is
const RECENT_LINES = 20; // lines of progress from which the time left is taken

export class RunView {
  #progress = new Map(); // step -> progress line
  #run = null;
  #others = []; // other runs whose curves are shown, with their progress
  #ahead = 0; // milliseconds by which the server's clock is ahead of this one
  #source = null;
  #timer = 0;
  #loss = new Chart(t("loss"), (value) => number(value, 1), "log");
  #accuracy = new Chart(t("accuracy"), (value) => percent(value, 1), "unit");
  #head = h("div", { class: "row" });
  #bar = h("progress", { max: 1, value: 0 });
  #state = h("p", { class: "note", role: "status" });
  #stages = new Stages();
  #end = h("div", {});
  #weights = new Weights();

  /** `onEnd(run)` is called when the run that is watched ends. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.element = h("div", { class: "stack" }, this.#head, this.#bar, this.#state, this.#stages.element, this.#end, h("div", { class: "charts" }, this.#loss.element, this.#accuracy.element), this.#weights.element);
    this.element.hidden = true;
  }

  /** Show a run, and follow it until it ends. */
  async watch(id) {
    this.stop();
    this.#progress.clear();
    this.#weights.watch(id);
    try {
      await this.#load(id);
    } catch (problem) {
      this.element.hidden = false;
      this.#head.replaceChildren();
      this.#end.replaceChildren(refusal(problem));
    }
  }

  /** Show the curves of other runs, too: [{id, total_steps, progress}, ...]. */
  compare(others) {
    this.#others = others;
    if (this.#run) this.#draw();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#stages.stop();
    this.#source?.close();
    this.#source = null;
  }

  async #load(id) {
    const response = await call(`train/${id}`);
    this.#ahead = clockAhead(response);
    const run = await response.json();
    for (const line of run.progress) this.#progress.set(line.step, line);
    this.#show(run);
    this.#weights.refresh();
    if (isOpen(run)) this.#follow(id);
  }

  /** Follow the run's server-sent events. The browser reconnects by itself and sends the last step that it received. */
  #follow(id) {
    const source = (this.#source = new EventSource(`train/${id}/events`));
    source.addEventListener("progress", (event) => {
      const line = JSON.parse(event.data);
      this.#progress.set(line.step, line);
      this.#show({ ...this.#run, state: "running", waits_for: null, preparing: null });
      this.#weights.refresh();
    });
    source.addEventListener("preparing", (event) => {
      this.#show({ ...this.#run, state: "running", waits_for: null, ...JSON.parse(event.data) });
    });
    source.addEventListener("stages", (event) => {
      const { stages } = JSON.parse(event.data);
      this.#show({ ...this.#run, state: "running", waits_for: null, started_at: this.#run.started_at ?? stages[0]?.started_at, stages });
    });
    source.addEventListener("end", (event) => {
      source.close();
      this.#show(JSON.parse(event.data));
      this.#weights.refresh();
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
    const lines = this.#sortedProgress();
    const last = lines.at(-1);
    const step = run.state === "succeeded" ? run.total_steps : (last?.step ?? run.step);
    this.#bar.value = step / run.total_steps;
    const done = t("run.steps", { step: number(step), total: number(run.total_steps) });
    const left = isOpen(run) ? timeLeft(lines, run.total_steps) : null;
    const took = runLength(run) === null ? "" : t("run.took", { time: duration(runLength(run)) });
    const trained = sentences(done, left === null ? took : t("run.left", { time: duration(left) }));
    this.#state.textContent = run.state === "queued" ? (run.waits_for ? decisionText(run.waits_for) : t("state.queued")) : (preparation(run, last) ?? trained);
    this.#state.classList.toggle("unseen", this.#state.textContent === stageName(currentStage(run) ?? "")); // the stages say it
    this.#stages.show(run, this.#ahead);
    this.#end.replaceChildren(...outcome(run));
  }

  #sortedProgress() {
    return [...this.#progress.values()].sort((a, b) => a.step - b.step);
  }

  #draw() {
    const others = this.#others.filter(({ id }) => id !== this.#run.id);
    if (others.length) return this.#drawSeveral([{ ...this.#run, progress: this.#sortedProgress() }, ...others]);
    const of = (name) => curve(this.#sortedProgress(), name);
    const published = (column) => PUBLISHED.map((row) => [row[0], row[column]]);
    const isTutorial = this.#run.recipe.name === "tutorial" && this.#run.recipe.batch_size === 256;
    const tutorial = (column) => (isTutorial ? [{ name: t("published"), kind: "published", points: published(column) }] : []);
    const end = this.#run.total_steps;
    this.#loss.show([{ name: t("batch"), kind: "batch", points: of("loss") }, ...tutorial(1)], end);
    const validation = { name: t("validation"), kind: "validation", points: of("validation_accuracy") };
    const batch = { name: t("batch"), kind: validation.points.length ? "faint" : "batch", points: of("accuracy") };
    this.#accuracy.show([...(validation.points.length ? [validation] : []), batch, ...tutorial(2)], end);
  }

  /** Draw the same curve of several runs: the accuracy on held-out images, or on the batch if a run holds out none. */
  #drawSeveral(runs) {
    const end = Math.max(...runs.map(({ total_steps }) => total_steps));
    const lines = (of) => runs.map((run, i) => ({ name: t("run", { id: run.id }), kind: i ? `other-${i}` : "batch", points: of(run.progress) }));
    this.#loss.show(lines((progress) => curve(progress, "loss")), end);
    this.#accuracy.show(lines((progress) => {
      const heldOut = curve(progress, "validation_accuracy");
      return heldOut.length ? heldOut : curve(progress, "accuracy");
    }), end);
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

function curve(progress, name) {
  return progress.filter((line) => line[name] !== null).map((line) => [line.step, line[name]]);
}

/** Return the seconds that the steps that are left take, at the speed of the last ones; null while that is not known.
 *
 * The first line's time includes what came before: compiling. */
function timeLeft(lines, totalSteps) {
  const [first, last] = [lines.at(-RECENT_LINES) ?? lines[0], lines.at(-1)];
  if (!last || last.step === first.step) return null;
  return ((last.elapsed_s - first.elapsed_s) / (last.step - first.step)) * (totalSteps - last.step);
}

/** Return what the trainer does before the first step or after the last one, in words; null while it takes steps. */
function preparation(run, last) {
  const stage = currentStage(run);
  if (stage === null || (stage === "compiling" && last)) return run.preparing && serverText(run.preparing);
  if (stage === "training") return null;
  const [, done, total] = (COUNTED.includes(stage) && run.preparing?.match(/([\d,]+) of ([\d,]+)/)) || [];
  return total ? t("stage.counted", { stage: stageName(stage), done, total }) : stageName(stage);
}

/** Return the milliseconds by which the server's clock is ahead of this one, to within a second. */
function clockAhead(response) {
  const date = Date.parse(response.headers.get("Date") ?? "");
  return Number.isNaN(date) ? 0 : date - Date.now();
}

/** Return the seconds from the start of a run to its end; null while it has none. */
export function runLength({ started_at, finished_at }) {
  return started_at && finished_at ? (new Date(finished_at) - new Date(started_at)) / 1000 : null;
}

/** Return the elements that describe the outcome; none while the run is not finished. */
function outcome(run) {
  if (run.state === "succeeded") {
    const link = h("a", { href: `#versions/${run.version}` }, t("version", { version: run.version }));
    return [h("p", { class: "outcome" }, link, ": ", decisionText(run.decision ?? ""))];
  }
  if (run.state !== "failed") return [];
  return [failure(run)];
}

/** Return the alert of a run that failed. */
export function failure({ error, error_type }) {
  const key = has(`failure.${error_type}`) ? `failure.${error_type}` : "failure.internal";
  return refusal({ title: t(key), detail: serverText(error) });
}

export function isOpen(run) {
  return run.state === "queued" || run.state === "running";
}
