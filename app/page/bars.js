// The ten probabilities, one row per class. Choosing a row asks for an explanation: why this class, or why not.

import { h, style } from "./dom.js";
import { probability, t } from "./language.js";

export class Bars {
  #rows;

  /** `onChoose(digit)` is called when the reader chooses a digit, `onPoint(digit)` when they point at one, or at none: null. */
  constructor(onChoose, onPoint) {
    this.#rows = Array.from({ length: 10 }, (_, digit) => row(digit, onChoose));
    this.#rows.forEach(({ label }, digit) => {
      label.addEventListener("pointerenter", () => onPoint(digit));
      label.addEventListener("pointerleave", () => onPoint(null));
    });
    this.element = h(
      "fieldset",
      { class: "bars" },
      h("legend", { class: "unseen" }, t("bars")),
      this.#rows.map(({ label }) => label),
    );
  }

  /** Show the probabilities (10); null clears them. */
  show(probabilities) {
    const best = probabilities && probabilities.indexOf(Math.max(...probabilities));
    this.#rows.forEach(({ label, input, value }, digit) => {
      style(label, { "--share": probabilities?.[digit] ?? 0 });
      label.classList.toggle("best", digit === best);
      value.textContent = probabilities ? probability(probabilities[digit]) : "";
      input.disabled = !probabilities;
    });
  }

  /** Name the rows by the classes (10) that the version learned. */
  name(classes) {
    const areLong = classes.some((name) => name.length > 1);
    this.element.classList.toggle("named", areLong);
    this.#rows.forEach(({ name }, digit) => (name.textContent = classes[digit]));
  }

  choose(digit) {
    this.#rows.forEach(({ input }, i) => (input.checked = i === digit));
  }
}

function row(digit, onChoose) {
  const value = h("span", { class: "value" });
  const name = h("span", { class: "digit" }, digit);
  const input = h("input", { type: "radio", name: "why", value: digit, class: "unseen", onchange: () => onChoose(digit) });
  const label = h("label", {}, input, name, h("span", { class: "bar" }), value);
  return { label, input, value, name };
}
