// The training images that excite a hidden unit most, each a link that opens it on the pad. Where the server has none, nothing.

import { json } from "./api.js";
import { h } from "./dom.js";
import { number, t } from "./language.js";
import { imageLink } from "./share.js";
import { isServerAway } from "./server.js";

const REST_MS = 120; // a pointer that moves on sooner asks nothing

export class ActivatingImages {
  #title = h("p", { class: "note" });
  #list = h("ul", {});
  #answers = new Map(); // "version/layer/unit" -> the server's answer
  #without = null; // the version whose images the server said that it does not have
  #newest = 0; // number of the newest question; the answers to older ones are dropped
  #timer = 0;
  element = h("div", { class: "activating" }, this.#title, this.#list);

  /** Show the images of a unit, counted from 0, of the hidden layer 1 or 2, once the pointer rests on it. */
  show(version, layer, unit) {
    const asked = ++this.#newest;
    clearTimeout(this.#timer);
    if (version === this.#without || isServerAway()) return this.#draw(unit, []);
    this.#timer = setTimeout(async () => {
      const items = await this.#ask(version, layer, unit);
      if (asked === this.#newest) this.#draw(unit, items, layer);
    }, REST_MS);
  }

  clear() {
    this.#newest += 1;
    clearTimeout(this.#timer);
    this.#draw(0, []);
  }

  async #ask(version, layer, unit) {
    const path = `versions/${version}/units/${layer}/${unit}`;
    try {
      if (!this.#answers.has(path)) this.#answers.set(path, (await json(path)).items);
      return this.#answers.get(path);
    } catch (problem) {
      if (problem.status) this.#without = version; // else the server is away for a while
      return [];
    }
  }

  #draw(unit, items, layer) {
    this.element.hidden = !items.length;
    this.#title.textContent = t("inside.excited", { n: unit + 1, layer });
    this.#list.replaceChildren(...items.map(({ index, label, image }) => {
      const alt = t("inside.excited.alt", { label, index: number(index) });
      return h("li", {}, h("a", { href: imageLink(image), title: t("open") }, h("img", { class: "pixels", src: image, alt, width: 28, height: 28 })));
    }));
  }
}
