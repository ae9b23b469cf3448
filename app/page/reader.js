// The readings of the pad. While a stroke grows, one request at a time; a finished drawing is sent at once. An answer
// that arrives after a newer one is dropped. When a server is back that was away, it reads what is shown once more.

import { json } from "./api.js";
import { readPicture } from "./reading.js";
import { watchServer } from "./server.js";
import { decodeDataUri } from "./strokes.js";

const PAUSE_MS = 60; // between two requests while a stroke grows

let newest = null; // the reader of the view that is shown

watchServer((isAway) => isAway || newest?.repeat());

export class Reader {
  #last = null; // what the newest request reads, a function; null if nothing is shown
  #next = null; // the next request
  #sent = 0; // number of requests so far
  #shown = 0; // number of the newest request whose answer is shown or no longer needed
  #isWaiting = false;
  #timer = 0;

  /** `show(prediction, isFinal)` is called with each answer, final if the drawing is finished and has not changed since;
   * `refuse(problem)` is called if the request for a finished drawing fails. */
  constructor(show, refuse) {
    this.show = show;
    this.refuse = refuse;
    newest = this;
  }

  /** Read what was read last. */
  repeat() {
    if (this.#last) this.read(this.#last, true);
  }

  /** Read the picture that `toBlob()` returns, if any: at once if it is final, else soon. */
  read(toBlob, isFinal) {
    this.#next = { toBlob, isFinal };
    this.#last = toBlob;
    if (isFinal) this.#send();
    else this.#timer ||= setTimeout(() => this.#send(), PAUSE_MS);
  }

  /** Drop the next request and the answers to come. */
  stop() {
    this.#next = this.#last = null;
    this.#shown = this.#sent;
  }

  async #send() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#next || (this.#isWaiting && !this.#next.isFinal)) return;
    const { toBlob, isFinal } = this.#next;
    const body = toBlob();
    this.#next = null;
    if (!body) return;
    const number = ++this.#sent;
    const isNewest = () => number > this.#shown && (this.#shown = number);
    this.#isWaiting = true;
    try {
      const prediction = await readPicture(body);
      const isOutdated = number !== this.#sent || this.#next !== null; // the drawing changed in the meantime
      if (isNewest()) this.show(prediction, isFinal && !isOutdated);
    } catch (problem) {
      if (isFinal && isNewest()) this.refuse(problem);
    } finally {
      this.#isWaiting = this.#sent > number && this.#isWaiting;
      if (this.#next) this.#timer ||= setTimeout(() => this.#send(), PAUSE_MS);
    }
  }
}

/** Return the contribution of each pixel of an image (28x28, a data URI) to a digit's logit: 28 rows of 28, in nats. */
export async function explain(uri, digit) {
  return (await json(`explain?digit=${digit}`, { method: "POST", body: decodeDataUri(uri) })).contributions;
}
