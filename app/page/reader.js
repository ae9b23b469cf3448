// Asks the service what is on the pad. A growing stroke is asked about one question at a time; what is done waits for
// nobody; and an answer that comes after a newer one is not shown.

import { json } from "./api.js";
import { decodeDataUri } from "./ink.js";

const PAUSE_MS = 60; // between two questions while a stroke grows

export class Reader {
  #wanted = null; // what is to be asked next
  #asked = 0; // questions so far
  #shown = 0; // the latest of them whose answer is shown, or that is not wanted any more
  #isAsking = false;
  #timer = 0;

  /** `show(prediction, isFinal)` gets each answer, `refuse(problem)` why the final one is none. */
  constructor(show, refuse) {
    this.show = show;
    this.refuse = refuse;
  }

  /** Read what `toBlob()` returns, if anything: at once if it is final, else soon. */
  read(toBlob, isFinal) {
    this.#wanted = { toBlob, isFinal };
    if (isFinal) this.#ask();
    else this.#timer ||= setTimeout(() => this.#ask(), PAUSE_MS);
  }

  /** Forget what was asked. */
  stop() {
    this.#wanted = null;
    this.#shown = this.#asked;
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#wanted || (this.#isAsking && !this.#wanted.isFinal)) return;
    const { toBlob, isFinal } = this.#wanted;
    const body = toBlob();
    this.#wanted = null;
    if (!body) return;
    const number = ++this.#asked;
    const isNews = () => number > this.#shown && (this.#shown = number);
    this.#isAsking = true;
    try {
      const { predictions } = await json("predict?fit=mnist&return_image=true", { method: "POST", body });
      if (isNews()) this.show(predictions[0], isFinal);
    } catch (problem) {
      if (isFinal && isNews()) this.refuse(problem);
    } finally {
      this.#isAsking = this.#asked > number && this.#isAsking;
      if (this.#wanted) this.#timer ||= setTimeout(() => this.#ask(), PAUSE_MS);
    }
  }
}

/** Return what each pixel of a picture that the network saw adds to a digit's logit: 28 rows of 28, in nats. */
export async function explain(uri, digit) {
  return (await json(`explain?digit=${digit}`, { method: "POST", body: decodeDataUri(uri) })).contributions;
}
