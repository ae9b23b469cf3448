// "Was it wrong?": one chip for each class and one for none, which send the drawing with its true class.

import { h } from "./dom.js";
import { t } from "./language.js";
import { refusal } from "./notice.js";
import { sendCorrection } from "./outbox.js";

const KEY = "inkling-source"; // in localStorage: the name under which this browser's corrections are kept

/** Return the name under which this browser's corrections are kept: made once, of random letters. */
export function sourceName() {
  const known = localStorage.getItem(KEY);
  if (known) return known;
  const random = crypto.getRandomValues(new Uint8Array(5));
  const name = `page-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  localStorage.setItem(KEY, name);
  return name;
}

export class Corrections {
  #notice = h("div", { "aria-live": "polite" });
  #chips = h("div", { class: "row chips" });
  #picture = null; // a function that returns the drawing, null while there is none

  /** `onSent(correction)` is called when the server has kept one. */
  constructor(onSent) {
    this.onSent = onSent;
    this.element = h("fieldset", { class: "corrections", disabled: true, hidden: true }, h("legend", {}, t("wrong")), this.#chips, this.#notice);
  }

  /** Show the chips of a version's classes, if the server takes corrections. */
  show({ classes, areDigits, takesFeedback }) {
    this.element.hidden = !takesFeedback;
    const labels = [...classes.map((name, number) => [String(number), name]), ["none", t(areDigits ? "wrong.none" : "wrong.other")]];
    this.#chips.replaceChildren(...labels.map(([label, name]) => h("button", { type: "button", value: label, onclick: () => this.#send(label) }, name)));
  }

  /** Offer to correct the drawing that `picture()` returns as a Blob; null: there is none. */
  offer(picture) {
    this.#picture = picture;
    this.element.disabled = picture === null;
    if (picture) this.#notice.replaceChildren();
  }

  async #send(label) {
    this.element.disabled = true;
    try {
      const correction = await sendCorrection(this.#picture(), label, sourceName());
      if (correction) this.onSent(correction);
      else this.#notice.replaceChildren(h("p", {}, t("wrong.waits")));
    } catch (problem) {
      this.#notice.replaceChildren(refusal(problem));
      this.element.disabled = this.#picture === null;
    }
  }
}
