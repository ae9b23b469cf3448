// Several pictures at once: each with its digit, and all of them as CSV.

import { json } from "./api.js";
import { h } from "./dom.js";
import { number, probability, t } from "./language.js";
import { openPicture } from "./picture.js";
import { download } from "./share.js";
import { verdictOn } from "./verdict.js";

const AT_ONCE = 3; // requests
const LARGEST = 500; // pictures
const COLUMNS = ["file", "digit", "confidence", "is_digit", "error"];

export class Gallery {
  #list = h("ul", { class: "gallery" });
  #count = h("span", { class: "chip", role: "status" });
  #csv = h("button", { type: "button", onclick: () => this.#save() }, t("gallery.csv"));
  #rows = [];
  #newest = 0; // number of the newest set of files

  /** `onOpen(file)` is called with a picture to show on the pad; `classes()` returns the names of the classes. */
  constructor(onOpen, classes) {
    this.onOpen = onOpen;
    this.classes = classes;
    const close = h("button", { type: "button", class: "plain", onclick: () => this.#close() }, t("gallery.close"));
    this.element = h("section", { hidden: true, class: "several" }, h("div", { class: "row" }, h("h2", {}, t("gallery")), this.#count, h("span", { class: "push row" }, this.#csv, close)), this.#list);
  }

  /** Read files, some at a time; pictures beyond the largest number are left out, and said so. */
  async read(files) {
    const set = ++this.#newest;
    const chosen = files.slice(0, LARGEST);
    this.#rows = [];
    this.element.hidden = false;
    this.#csv.disabled = true;
    this.#list.replaceChildren();
    const waiting = chosen.map((file, i) => ({ file, i, item: this.#list.appendChild(h("li", {}, h("span", { class: "label" }, "…"), h("small", {}, file.name))) }));
    const work = async () => {
      for (let next = waiting.shift(); next && set === this.#newest; next = waiting.shift()) {
        const row = await this.#readOne(next.file);
        if (set !== this.#newest) return;
        this.#rows[next.i] = row;
        this.#show(next.item, next.file, row);
        this.#count.textContent = t("gallery.count", { n: number(Object.keys(this.#rows).length), total: number(files.length) });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (set === this.#newest) this.#csv.disabled = false;
  }

  async #readOne(file) {
    try {
      const { blob } = await openPicture(file).catch(() => {
        throw new Error(t("picture.unread.detail", { name: file.name }));
      });
      const { predictions } = await json("predict?fit=mnist&return_image=true", { method: "POST", body: blob });
      return { file: file.name, prediction: predictions[0], error: "" };
    } catch (error) {
      return { file: file.name, prediction: null, error: error.message };
    }
  }

  #show(item, file, { prediction, error }) {
    if (!prediction) return item.replaceChildren(h("span", { class: "label" }, "?"), h("small", { class: "error", title: error }, file.name));
    const { kind, text } = verdictOn(prediction, this.classes(), true);
    item.dataset.verdict = kind;
    item.replaceChildren(
      h("button", { type: "button", class: "digit", title: t("open"), "aria-label": t("gallery.open", { name: file.name }), onclick: () => this.onOpen(file) }, h("img", { class: "pixels", src: prediction.normalized.image, alt: "", width: 28, height: 28 })),
      h("span", { class: "label", title: text }, prediction.label ?? prediction.digit, " ", h("small", {}, kind === "none" ? "✕" : probability(prediction.confidence))),
      h("small", {}, file.name),
    );
  }

  #save() {
    const lines = this.#rows.map(({ file, prediction: p, error }) => [file, p ? (p.label ?? p.digit) : "", p?.confidence ?? "", p?.is_digit ?? "", error]);
    const text = [COLUMNS, ...lines].map((line) => line.map(cell).join(",")).join("\r\n");
    download(new Blob(["\ufeff", text, "\r\n"], { type: "text/csv" }), "inkling.csv");
  }

  #close() {
    this.#newest += 1;
    this.element.hidden = true;
    this.#list.replaceChildren();
  }
}

/** Return a value for a CSV file (RFC 4180). A spreadsheet would run a file's name that begins like a formula. */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
