// A pad at rest: it writes one sample by itself, once, if the reader leaves it empty and has not asked for less motion.

const IDLE_MS = 1200;
const REDUCED = "(prefers-reduced-motion: reduce)";

let isOver = false; // whether a sample was written, or the reader was faster

export class Rest {
  #timer = 0;
  #isWritten = false; // whether the sample is on the pad

  /** Write soon: `write(digit)` writes a sample on a pad, an empty one. */
  constructor(pad, write) {
    this.pad = pad;
    if (isOver || matchMedia(REDUCED).matches) return;
    this.#timer = setTimeout(() => {
      if (document.hidden || !pad.isEmpty) return;
      isOver = true;
      write(Math.floor(10 * Math.random()));
      this.#isWritten = true;
    }, IDLE_MS);
  }

  /** The reader does something: no sample any more. */
  end() {
    isOver = true;
    clearTimeout(this.#timer);
  }

  /** The reader begins to draw: take the sample off the pad. */
  makeWay() {
    if (this.#isWritten) this.pad.clear();
  }

  /** The pad is empty, by whomever. */
  forget() {
    this.#isWritten = false;
  }
}
