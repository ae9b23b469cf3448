// The view Draw: a pad, the digit that the network reads on it, the ten probabilities, and an explanation.

import { Bars } from "./bars.js";
import { copyable } from "./copyable.js";
import { Corrections } from "./corrections.js";
import { h, icon } from "./dom.js";
import { Insight } from "./insight.js";
import { probability, t } from "./language.js";
import { refusal } from "./notice.js";
import { OwnTraining } from "./own_training.js";
import { Pad } from "./pad.js";
import { openPicture, watchPictures } from "./picture.js";
import { Reader } from "./reader.js";
import { glyph, strokesOf } from "./samples.js";
import { noteVersion, watchServed } from "./served.js";
import { SIDE, decodeDataUri, mayBeDigit, toPng } from "./strokes.js";
import { Tray } from "./tray.js";
import { verdictOn } from "./verdict.js";

const UNDO = "M8 5L4 9L8 13M4 9H12.5A3.5 3.5 0 0 1 12.5 16H9";
const CLEAR = "M5 5L15 15M15 5L5 15";
const PICTURE = "M3 4H17V16H3ZM3 13L7.5 9L11 12.5L13 10.5L17 14M13 7.5V7.6";
const TYPED_INTO = "input:not([type=radio]), textarea, select";

const REST_MS = 150; // explain a growing stroke once the pen rests this long

let kept = []; // the strokes, kept while another view is shown or the language changes

/** Fill the view; return {hide}: called when the reader leaves it. */
export function mount(root) {
  return new DrawView(root);
}

class DrawView {
  #root;
  #digit = h("output", { class: "answer", "aria-hidden": "true" });
  #sure = h("p", { class: "sure" });
  #spoken = h("p", { class: "unseen", "aria-live": "polite" });
  #problem = h("div", {});
  #hint = h("p", { class: "hint", "aria-hidden": "true" }, t("pad.hint"));
  #insight = new Insight();
  #bars = new Bars((digit) => this.#choose(digit));
  #reader = new Reader(
    (prediction, isFinal) => this.#show(prediction, isFinal),
    (problem) => this.#refuse(problem),
  );
  #training = new OwnTraining();
  #tray = new Tray((image) => this.#open(decodeDataUri(image)), (corrections) => this.#training.count(corrections));
  #corrections = new Corrections((correction) => this.#keep(correction));
  #pad;
  #stopWatching = [];
  #press = (event) => this.#onKey(event);

  #served = null; // the version that answers, as served.js says
  #classes = Array.from({ length: 10 }, (_, digit) => String(digit)); // the names of the classes that it learned
  #blob = null; // the picture shown, as it is sent; null while the pad holds strokes
  #prediction = null;
  #chosen = null; // the digit to explain; null: the digit read
  #restTimer = 0;

  constructor(root) {
    this.#root = root;
    const canvas = h("canvas", { class: "pad", tabindex: 0, role: "img", "aria-label": t("pad"), "aria-describedby": "pad-keys" });
    const frame = h("div", { class: "frame" }, canvas, this.#hint);
    this.#pad = new Pad(canvas, (isFinal) => this.#onPadChange(isFinal));
    const keys = h("p", { class: "note", id: "pad-keys" }, t("pad.keys"));
    const verdict = h("div", { class: "verdict" }, this.#digit, h("div", {}, this.#sure, this.#spoken));
    root.replaceChildren(
      h("h1", { class: "unseen" }, t("draw")),
      h(
        "div",
        { class: "draw" },
        h("div", { class: "stack" }, frame, this.#tools(), this.#samples(), keys),
        h("div", { class: "stack read" }, verdict, this.#problem, this.#bars.element, this.#corrections.element),
        this.#insight.element,
      ),
      this.#tray.element,
      this.#commandLine(),
    );
    this.#tray.element.append(this.#training.element);
    this.#stopWatching = [watchPictures(frame, (file) => this.#open(file)), watchServed((served) => this.#follow(served))];
    document.addEventListener("keydown", this.#press);
    this.#pad.strokes = kept;
    this.#onPadChange(true);
  }

  hide() {
    kept = this.#pad.strokes;
    for (const stop of this.#stopWatching) stop();
    this.#training.stop();
    document.removeEventListener("keydown", this.#press);
  }

  #onPadChange(isFinal) {
    const pad = this.#pad;
    if (pad.strokes.length) this.#blob = null;
    this.#corrections.offer(null);
    this.#hint.hidden = !pad.isEmpty;
    if (pad.isEmpty) return this.#showBlank();
    this.#root.dataset.state = "asking";
    this.#reader.read(() => this.#blob ?? (isFinal || mayBeDigit(pad.strokes) ? toPng(pad.strokes) : null), isFinal);
  }

  #showBlank() {
    this.#reader.stop();
    this.#showNoDigit("blank", "–", t("blank"));
    this.#spoken.textContent = "";
    this.#problem.replaceChildren();
  }

  #refuse(problem) {
    this.#showNoDigit("refused", "?", "");
    this.#problem.replaceChildren(refusal(problem));
  }

  #showNoDigit(state, mark, note) {
    clearTimeout(this.#restTimer);
    this.#prediction = null;
    this.#chosen = null;
    this.#digit.textContent = mark;
    this.#sure.textContent = note;
    this.#bars.show(null);
    this.#insight.clear();
    this.#corrections.offer(null);
    this.#root.dataset.state = state;
    delete this.#root.dataset.verdict;
  }

  #show(prediction, isFinal) {
    noteVersion(prediction.version);
    const isNew = prediction.digit !== this.#prediction?.digit;
    this.#prediction = prediction;
    if (isNew) {
      this.#chosen = null;
      this.#bars.choose(prediction.digit);
    }
    this.#problem.replaceChildren();
    this.#digit.textContent = prediction.label ?? prediction.digit;
    this.#digit.classList.toggle("named", prediction.label?.length > 1);
    const { kind, text } = verdictOn(prediction, this.#classes, isFinal);
    this.#sure.textContent = text;
    this.#root.dataset.verdict = kind;
    this.#bars.show(prediction.probabilities);
    this.#insight.showSeen(prediction);
    this.#root.dataset.state = isFinal ? "read" : "reading";
    clearTimeout(this.#restTimer);
    if (isFinal) {
      this.#announce(prediction);
      this.#explain();
      this.#corrections.offer(() => this.#picture());
    } else this.#restTimer = setTimeout(() => this.#explain(), REST_MS);
  }

  /** Announce the three most probable digits to screen readers. */
  #announce({ probabilities }) {
    const order = probabilities.map((p, k) => [p, k]).sort(([a], [b]) => b - a);
    const [best, second, third] = order.map(([p, k]) => `${this.#classes[k]}, ${probability(p)}`);
    this.#spoken.textContent = t("spoken", { best, second, third });
  }

  /** Name the classes of the version that answers, and take corrections where the server does. */
  #follow(served) {
    const isFirst = this.#served === null;
    this.#served = served;
    this.#classes = this.#insight.classes = this.#tray.classes = served.classes;
    this.#bars.name(served.classes);
    this.#corrections.show(served);
    if (isFirst && served.takesFeedback) this.#tray.load();
  }

  /** Lay a correction that the server keeps into the tray, and make room for the next drawing. */
  #keep(correction) {
    this.#tray.add(correction, this.#insight.seen);
    this.#pad.clear();
    this.#sure.textContent = t("wrong.kept", { n: this.#tray.count });
    this.#spoken.textContent = this.#sure.textContent;
    this.#pad.canvas.focus({ preventScroll: true });
  }

  /** Return what the pad shows as a file. */
  #picture() {
    return this.#blob ?? toPng(this.#pad.strokes);
  }

  #choose(digit) {
    this.#chosen = digit;
    this.#explain();
  }

  async #explain() {
    if (!this.#prediction) return;
    const digits = await this.#insight.explain(this.#prediction, this.#chosen ?? this.#prediction.digit);
    if (digits) this.#root.dataset.explained = digits.join("-");
  }

  async #open(file) {
    try {
      const picture = await openPicture(file);
      this.#blob = picture.blob;
      this.#pad.show(picture.bitmap);
    } catch {
      this.#refuse({ title: t("picture.unread"), detail: t("picture.unread.detail", { name: file.name }) });
    }
  }

  async #writeSample(digit) {
    this.#pad.clear();
    const isAtOnce = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const stroke of strokesOf(digit, SIDE)) if (!(await this.#pad.write(stroke, isAtOnce))) return;
    this.#onPadChange(true);
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(TYPED_INTO)) return;
    if (this.#root.hidden || document.querySelector("dialog[open]")) return;
    if (event.key === "z" || event.key === "Backspace") this.#pad.undo();
    if (event.key === "c" || event.key === "Delete") this.#pad.clear();
  }

  #tools() {
    const choose = h("input", { type: "file", accept: "image/*", class: "unseen", id: "file", onchange: () => {
      if (choose.files[0]) this.#open(choose.files[0]);
      choose.value = "";
    } });
    return h(
      "div",
      { class: "row" },
      h("button", { type: "button", title: "Z", onclick: () => this.#pad.undo() }, icon(UNDO), t("undo")),
      h("button", { type: "button", title: "C", onclick: () => this.#pad.clear() }, icon(CLEAR), t("clear")),
      h("span", { class: "push" }, choose, h("label", { class: "button", for: "file" }, icon(PICTURE), t("picture"))),
    );
  }

  #samples() {
    return h(
      "div",
      { class: "samples", role: "group", "aria-label": t("samples") },
      Array.from({ length: 10 }, (_, digit) =>
        h("button", { type: "button", "aria-label": t("sample", { digit }), onclick: () => this.#writeSample(digit) }, glyph(digit)),
      ),
    );
  }

  #commandLine() {
    const save = h("a", { class: "button", download: "digit.png" }, t("save"));
    save.addEventListener("click", (event) => {
      if (this.#pad.isEmpty) return event.preventDefault();
      save.href = URL.createObjectURL(this.#picture());
      setTimeout(() => URL.revokeObjectURL(save.href), 10_000);
    });
    const address = new URL("predict?fit=mnist", document.baseURI);
    return h(
      "section",
      { class: "aside" },
      h("h2", {}, t("curl")),
      h("p", { class: "note" }, t("curl.note")),
      copyable(`curl -F file=@digit.png '${address}'`, save),
    );
  }
}
