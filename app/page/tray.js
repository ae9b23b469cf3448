// "My digits": the corrections that were sent from this browser, each of which can be deleted.

import { call, json } from "./api.js";
import { sourceName } from "./corrections.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { number, t } from "./language.js";
import { refusal } from "./notice.js";

const PAGE = 100; // corrections per request
const LARGEST = 1000; // corrections shown
const FLIGHT_MS = 550;

export class Tray {
  #count = h("span", { class: "chip" });
  #list = h("ul", { class: "tray" });
  #notice = h("div", { "aria-live": "polite" });
  #locked = h("button", { type: "button", hidden: true, onclick: () => this.load(true) }, t("tray.unlock"));
  #deleteAll = h("button", { type: "button", class: "plain", onclick: () => this.#askToDeleteAll() }, t("tray.delete.all"));
  #corrections = []; // newest first
  #classes = [];

  /** `onOpen(image)` is called with the data URI of a digit to show on the pad; `onChange(corrections)` at every change. */
  constructor(onOpen, onChange) {
    this.onOpen = onOpen;
    this.onChange = onChange;
    this.element = h(
      "section",
      { class: "mine", hidden: true },
      h("div", { class: "row" }, h("h2", {}, t("tray")), this.#count, h("span", { class: "push row" }, this.#locked, this.#deleteAll)),
      h("p", { class: "note" }, t("tray.note", { name: sourceName() })),
      this.#notice,
      this.#list,
    );
  }

  get count() {
    return this.#corrections.length;
  }

  set classes(names) {
    this.#classes = names;
    this.#show();
  }

  /** Ask the server for the corrections. Where that needs a key it is asked for only if `mayAsk`. */
  async load(mayAsk = false) {
    const found = [];
    try {
      for (let before = ""; before !== null && found.length < LARGEST; ) {
        const query = `source=${sourceName()}&limit=${PAGE}${before && `&before=${before}`}`;
        const { items, next } = await json(`feedback?${query}`, { access: mayAsk ? "ask" : "quiet" });
        found.push(...items);
        before = next;
      }
    } catch (problem) {
      this.#locked.hidden = problem.status !== 401;
      if (problem.status !== 401) this.#notice.replaceChildren(refusal(problem));
      return;
    }
    this.#locked.hidden = true;
    this.#corrections = found;
    this.#show();
  }

  /** Add a correction, whose picture flies here from an element. */
  add(correction, from) {
    this.#corrections = [correction, ...this.#corrections.filter(({ id }) => id !== correction.id)];
    this.#show();
    fly(from, this.#list.firstElementChild);
  }

  #show() {
    this.element.hidden = this.#corrections.length === 0 && this.#locked.hidden;
    this.#count.textContent = number(this.#corrections.length);
    this.#list.replaceChildren(...this.#corrections.map((correction) => this.#item(correction)));
    this.#deleteAll.hidden = this.#corrections.length === 0;
    this.onChange(this.#corrections);
  }

  #item(correction) {
    const { id, label, image } = correction;
    const name = label === "none" ? t("wrong.none") : (this.#classes[label] ?? label);
    return h(
      "li",
      { "data-label": label },
      h("button", { type: "button", class: "digit", "aria-label": t("tray.open", { label: name }), title: t("open"), onclick: () => this.onOpen(image) }, h("img", { class: "pixels", src: image, alt: "", width: 28, height: 28 })),
      h("span", { class: "label" }, name),
      h("button", { type: "button", class: "delete", "aria-label": t("tray.delete", { label: name }), title: t("delete"), onclick: () => this.#delete(id) }, "×"),
    );
  }

  async #delete(id) {
    try {
      await call(`feedback/${id}`, { method: "DELETE" });
    } catch (problem) {
      if (problem.status !== 404) return this.#notice.replaceChildren(refusal(problem)); // 404: another tab deleted it
    }
    const at = this.#corrections.findIndex((correction) => correction.id === id);
    this.#corrections.splice(at, 1);
    this.#show();
    const next = this.#list.children[Math.min(at, this.#corrections.length - 1)];
    next?.querySelector(".delete").focus();
  }

  async #askToDeleteAll() {
    const name = sourceName();
    if (!(await ask(t("tray.delete.title"), h("p", {}, t("tray.delete.what", { name })), t("tray.delete.all")))) return;
    try {
      await call(`feedback?source=${name}`, { method: "DELETE" });
      this.#corrections = [];
      this.#show();
    } catch (problem) {
      this.#notice.replaceChildren(refusal(problem));
    }
  }
}

/** Move a copy of a picture from one element to another, unless the reader asked for less motion. */
function fly(from, to) {
  if (!from || !to || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const [start, end] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
  const copy = from.cloneNode();
  copy.className = "flying";
  document.body.append(copy);
  const at = ({ left, top, width }) => ({ transform: `translate(${left}px, ${top}px) scale(${width / start.width})` });
  copy.width = copy.height = start.width;
  copy.animate([at(start), at(end)], { duration: FLIGHT_MS, easing: "cubic-bezier(0.4, 0, 0.2, 1)" }).finished.finally(() => copy.remove());
}
