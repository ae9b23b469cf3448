// The stages of a training run, from the first moment, with the seconds that each took or takes.

import { h } from "./dom.js";
import { duration, has, number, t } from "./language.js";

const TICK_MS = 1000;

export class Stages {
  #run = null;
  #ahead = 0; // milliseconds by which the server's clock is ahead of this one
  #timer = 0;
  element = h("ol", { class: "stages", "aria-label": t("stages") });

  /** Show the stages of a run; `ahead`: milliseconds by which the server's clock is ahead of this one. */
  show(run, ahead) {
    [this.#run, this.#ahead] = [run, ahead];
    this.#draw();
    clearInterval(this.#timer);
    if (run.finished_at === null) this.#timer = setInterval(() => this.#draw(), TICK_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }

  #draw() {
    const now = Date.now() + this.#ahead;
    const items = spans(this.#run, now).map(({ name, seconds, isOver }) => {
      const time = isOver && seconds < 10 ? t("seconds", { n: number(seconds, 1) }) : duration(seconds);
      return h("li", { class: isOver ? null : "now", "aria-current": isOver ? null : "step" }, stageName(name), " ", h("b", {}, time));
    });
    this.element.replaceChildren(...items);
    this.element.hidden = !items.length;
  }
}

/** Return the stages of a run: [{name, seconds, isOver}]. Of a run that an earlier release trained none is known. */
function spans({ requested_at, started_at, finished_at, stages }, now) {
  if (!stages.length && finished_at) return [];
  const starts = [{ name: "waiting", started_at: requested_at }, ...stages];
  return starts.map(({ name, started_at: start }, i) => {
    const next = i === 0 ? (started_at ?? stages[0]?.started_at) : stages[i]?.started_at;
    const end = next ?? finished_at;
    return { name, seconds: Math.max(0, ((end ? new Date(end) : now) - new Date(start)) / 1000), isOver: Boolean(end) };
  });
}

/** Return the name of a stage; that of a newer server as it is. */
export function stageName(name) {
  return has(`stage.${name}`) ? t(`stage.${name}`) : name;
}

/** Return the stage that lasts, null if none does. */
export function currentStage(run) {
  return run.finished_at === null ? (run.stages.at(-1)?.name ?? null) : null;
}
