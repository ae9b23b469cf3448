// The answer beside the pad: the digit, the verdict, the bars; or a number with its bars; or why there is none.

import { Bars } from "./bars.js";
import { h } from "./dom.js";
import { probability, t } from "./language.js";
import { refusal } from "./notice.js";
import { numberView } from "./number.js";
import { verdictOn } from "./verdict.js";

export class Answer {
  #root;
  #digit = h("output", { class: "answer", "aria-hidden": "true" });
  #verdict = h("p", { class: "sure" });
  #spoken = h("p", { class: "unseen", "aria-live": "polite" });
  #problem = h("div", {});
  #number = h("div", {});
  #classes = Array.from({ length: 10 }, (_, digit) => String(digit));
  prediction = null; // the one shown

  /** `root` takes the state, for styles and tests; `onChoose(digit)` and `onPoint(digit)`, or null,
   * are called when the reader chooses a bar and points at one. */
  constructor(root, onChoose, onPoint) {
    this.#root = root;
    this.bars = new Bars(onChoose, onPoint);
    const verdict = h("div", { class: "verdict" }, this.#digit, h("div", {}, this.#verdict, this.#spoken));
    this.elements = [verdict, this.#problem, this.#number, this.bars.element];
  }

  get classes() {
    return this.#classes;
  }

  set classes(names) {
    this.#classes = names;
    this.bars.name(names);
  }

  /** Say what is shown in words, for a picture of it. */
  get words() {
    return { answer: this.#digit.textContent, verdict: this.#verdict.textContent };
  }

  blank(note = t("blank")) {
    this.#clear("blank", "–", note);
    this.#spoken.textContent = "";
  }

  refuse(problem) {
    this.#clear("refused", "?", "");
    this.#problem.replaceChildren(refusal(problem));
  }

  /** Say something in place of the verdict, also to screen readers. */
  say(note) {
    this.#verdict.textContent = this.#spoken.textContent = note;
  }

  /** Show a prediction; return whether it is another digit than before. */
  show(prediction, isFinal) {
    const isNew = prediction.digit !== this.prediction?.digit;
    this.prediction = prediction;
    if (isNew) this.bars.choose(prediction.digit);
    this.#problem.replaceChildren();
    this.#number.replaceChildren();
    this.bars.element.hidden = false;
    this.#digit.textContent = prediction.label ?? prediction.digit;
    this.#digit.classList.toggle("named", prediction.label?.length > 1);
    const { kind, text } = verdictOn(prediction, this.#classes, isFinal);
    this.#verdict.textContent = text;
    this.#root.dataset.verdict = kind;
    delete this.#root.dataset.number;
    this.bars.show(prediction.probabilities);
    this.#root.dataset.state = isFinal ? "read" : "reading";
    if (isFinal) this.#announce(prediction);
    return isNew;
  }

  /** Show a number; `onOpen(image)` is called with the image of a digit to show on the pad. */
  showNumber({ text, digits }, onOpen) {
    this.#clear("read", text, t("number.read", { n: digits.length }));
    this.#digit.classList.add("named");
    this.bars.element.hidden = true;
    this.#root.dataset.number = text;
    this.#number.replaceChildren(numberView(digits, this.#classes, onOpen));
    this.#spoken.textContent = t("number.spoken", { text });
  }

  #clear(state, mark, note) {
    this.prediction = null;
    this.#problem.replaceChildren();
    this.#number.replaceChildren();
    this.bars.element.hidden = false;
    this.#digit.textContent = mark;
    this.#digit.classList.remove("named");
    this.#verdict.textContent = note;
    this.bars.show(null);
    this.#root.dataset.state = state;
    delete this.#root.dataset.verdict;
    delete this.#root.dataset.number;
  }

  /** Announce the three most probable digits to screen readers. */
  #announce({ probabilities }) {
    const order = probabilities.map((p, k) => [p, k]).sort(([a], [b]) => b - a);
    const [best, second, third] = order.map(([p, k]) => `${this.#classes[k]}, ${probability(p)}`);
    this.#spoken.textContent = t("spoken", { best, second, third });
  }
}
