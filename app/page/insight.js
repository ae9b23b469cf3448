// The two pictures beside the bars: the 28x28 pixels that the network read, and the heat map that explains the result.

import { h } from "./dom.js";
import { paintHeat, subtract } from "./heat.js";
import { sentences, t } from "./language.js";
import { explain } from "./reader.js";
import { warningText } from "./verdict.js";

export class Insight {
  seen = h("img", { class: "pixels", alt: "", width: 28, height: 28, hidden: true });
  #seenNote = h("p", { class: "note" });
  #warnings = h("ul", { class: "warnings", hidden: true });
  #heat = h("canvas", { class: "pixels", width: 28, height: 28, role: "img", "aria-label": t("why") });
  #heatTitle = h("h2", {}, t("why"));
  #heatNote = h("p", { class: "note" });
  classes = Array.from({ length: 10 }, (_, digit) => digit); // the names of the classes that the version learned
  #newest = 0; // number of the newest explanation; the answers to older ones are dropped

  constructor() {
    this.element = h(
      "div",
      { class: "stack inside" },
      h("figure", {}, h("h2", {}, t("seen")), h("div", { class: "tile dark" }, this.seen), h("figcaption", {}, this.#warnings, this.#seenNote)),
      h("figure", {}, this.#heatTitle, h("div", { class: "tile" }, this.#heat), h("figcaption", {}, this.#heatNote)),
    );
  }

  /** The two pictures and their titles, for a picture of the page. */
  get pictures() {
    return { seen: this.seen, heat: this.#heat, titles: [t("seen"), this.#heatTitle.textContent] };
  }

  /** Show no picture. */
  clear() {
    this.#newest += 1;
    this.seen.hidden = true;
    this.#seenNote.textContent = t("seen.note");
    this.#warnings.hidden = true;
    this.#heatNote.textContent = t("why.note");
    this.#heatTitle.textContent = t("why");
    this.#heat.setAttribute("aria-label", t("why"));
    this.#heat.getContext("2d").clearRect(0, 0, 28, 28);
  }

  /** Show the picture that the network read. */
  showSeen({ digit, normalized }) {
    this.seen.src = normalized.image;
    this.seen.alt = t("seen.alt", { digit: this.classes[digit] });
    this.seen.hidden = false;
    this.#seenNote.textContent = describe(normalized);
    this.#warnings.replaceChildren(...normalized.warnings.map((warning) => h("li", {}, warningText(warning))));
    this.#warnings.hidden = normalized.warnings.length === 0;
  }

  /** Explain the digit that was read; if `other` is a different digit, explain why it was not read instead.
   *
   * Resolves to the digits explained, [7] or [7, 9]; to null if a newer call came, or the explanation failed. */
  async explain({ digit, normalized }, other) {
    const number = ++this.#newest;
    const digits = other === digit ? [digit] : [digit, other];
    try {
      const [first, second] = await Promise.all(digits.map((k) => explain(normalized.image, k)));
      if (number !== this.#newest) return null;
      paintHeat(this.#heat, second ? subtract(first, second) : first);
    } catch (error) {
      if (number === this.#newest) this.#heatNote.textContent = error.message;
      return null;
    }
    const key = digits.length > 1 ? "why.not" : "why.is";
    const names = { digit: this.classes[digit], other: this.classes[other] };
    this.#heatTitle.textContent = t(key, names);
    this.#heatNote.textContent = t(`${key}.note`, names);
    this.#heat.setAttribute("aria-label", `${this.#heatTitle.textContent} ${this.#heatNote.textContent}`);
    return digits;
  }
}

/** Return how a picture was normalized, in words. */
function describe({ is_scaled, is_untouched, inverted, background_removed }) {
  if (is_scaled) return t("seen.scaled");
  if (is_untouched) return t("seen.untouched");
  return sentences(t("seen.fitted"), inverted && t("seen.inverted"), background_removed && t("seen.background"));
}
