// Asks the service what is on the pad: one question at a time and always the newest, so that answers come in order.

import { json } from "./api.js";
import { decodeDataUri } from "./ink.js";

const PAUSE_MS = 60; // between two questions while a stroke grows

export class Reader {
  #wanted = null;
  #isAsking = false;
  #round = 0; // since the pad was emptied: answers of an earlier round are dropped
  #timer = 0;

  /** `show(prediction, isFinal)` gets each answer, `refuse(problem)` why the final one is none. */
  constructor(show, refuse) {
    this.show = show;
    this.refuse = refuse;
  }

  /** Read what `toBlob()` returns: at once if it is final, else soon. */
  read(toBlob, isFinal) {
    this.#wanted = { toBlob, isFinal };
    this.#schedule();
  }

  /** Forget what was asked. */
  stop() {
    this.#round += 1;
    this.#wanted = null;
  }

  #schedule() {
    if (this.#wanted?.isFinal) this.#ask();
    else this.#timer ||= setTimeout(() => this.#ask(), PAUSE_MS);
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#isAsking || !this.#wanted) return;
    const { toBlob, isFinal } = this.#wanted;
    const round = this.#round;
    this.#wanted = null;
    this.#isAsking = true;
    try {
      const { predictions } = await json("predict?fit=mnist&return_image=true", { method: "POST", body: await toBlob() });
      if (round === this.#round) this.show(predictions[0], isFinal);
    } catch (problem) {
      if (round === this.#round && isFinal) this.refuse(problem);
    } finally {
      this.#isAsking = false;
      if (this.#wanted) this.#schedule();
    }
  }
}

/** Return what each pixel of a picture that the network saw adds to a digit's logit: 28 rows of 28, in nats. */
export async function explain(uri, digit) {
  return (await json(`explain?digit=${digit}`, { method: "POST", body: decodeDataUri(uri) })).contributions;
}
