// The view Draw: a pad, the digit that the network reads on it, the ten probabilities, and an explanation.

import { Answer } from "./answer.js";
import { Corrections } from "./corrections.js";
import { CropBox } from "./crop.js";
import { h } from "./dom.js";
import { Gallery } from "./gallery.js";
import { InsideView, OUTPUTS } from "./inside_view.js";
import { Insight } from "./insight.js";
import { t } from "./language.js";
import { areSeveral, readNumber, toWidePng } from "./number.js";
import { watchArrivals } from "./outbox.js";
import { OwnTraining } from "./own_training.js";
import { Pad } from "./pad.js";
import { commandLine, padTools, sampleRow } from "./pad_tools.js";
import { openPicture, watchPictures } from "./picture.js";
import { poster } from "./poster.js";
import { waysToShow } from "./present.js";
import { Reader } from "./reader.js";
import { Rest } from "./rest.js";
import { strokesOf } from "./samples.js";
import { noteVersion, watchServed } from "./served.js";
import { imageLink, openLink, shareButtons, strokesLink } from "./share.js";
import { SIDE, decodeDataUri, mayBeDigit, toPng } from "./strokes.js";
import { Tray } from "./tray.js";
import { isPair } from "./verdict.js";

const TYPED_INTO = "input:not([type=radio]), textarea, select";
const REST_MS = 150; // explain a growing stroke once the pen rests this long
const REDUCED = "(prefers-reduced-motion: reduce)";

let kept = []; // the strokes, kept while another view is shown or the language changes

/** Fill the view; return {go, hide}: called with the rest of the address when it changes, and when the reader leaves. */
export function mount(root, rest) {
  return new DrawView(root, rest);
}

class DrawView {
  #root;
  #hint = h("p", { class: "hint", "aria-hidden": "true" }, t("pad.hint"));
  #insight = new Insight();
  #inside = new InsideView();
  #answer;
  #reader = new Reader(
    (prediction, isFinal) => this.#show(prediction, isFinal),
    (problem) => this.#refuse(problem),
  );
  #crop = new CropBox((blob) => this.#readPart(blob));
  #gallery = new Gallery((file) => this.#open(file), () => this.#answer.classes);
  #training = new OwnTraining();
  #tray = new Tray((image) => this.#openImage(image), (corrections) => this.#training.count(corrections));
  #corrections = new Corrections((correction) => this.#keep(correction));
  #pad;
  #stopWatching = [];

  #served = null; // the version that answers, as served.js says
  #picture = null; // {bitmap, blob, scale} of the picture shown; null while the pad holds strokes
  #chosen = null; // the digit to explain; null: the digit read
  #change = 0; // number of the newest change of the pad
  #rest; // the sample that the pad writes by itself
  #restTimer = 0;

  constructor(root, rest) {
    this.#root = root;
    this.#answer = new Answer(root, (digit) => this.#choose(digit), (digit) => this.#inside.point(OUTPUTS, digit));
    const canvas = h("canvas", { class: "pad", tabindex: 0, role: "img", "aria-label": t("pad"), "aria-describedby": "pad-keys" });
    const frame = h("div", { class: "frame" }, canvas, this.#hint, this.#crop.element);
    this.#pad = new Pad(canvas, (isFinal) => this.#onPadChange(isFinal));
    const keys = h("p", { class: "note", id: "pad-keys" }, t("pad.keys"));
    const share = shareButtons(() => this.#link(), () => this.#poster());
    root.replaceChildren(
      h("h1", { class: "unseen" }, t("draw")),
      h(
        "div",
        { class: "draw" },
        h("div", { class: "stack" }, frame, padTools(this.#pad, (files) => this.#openAll(files)), sampleRow((digit) => this.#writeSample(digit)), keys),
        this.#inside.element,
        h("div", { class: "stack read" }, this.#answer.elements, this.#corrections.element, share),
        this.#insight.element,
      ),
      waysToShow(),
      this.#gallery.element,
      this.#tray.element,
      commandLine(() => this.#file()),
    );
    this.#tray.element.append(this.#training.element);
    this.#rest = new Rest(this.#pad, (digit) => this.#writeSample(digit));
    this.#watch(frame);
    if (!this.go(rest)) {
      this.#pad.strokes = kept;
      this.#onPadChange(true);
    }
  }

  #watch(frame) {
    const stop = new AbortController();
    const { signal } = stop;
    document.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    for (const name of ["pointerdown", "keydown"]) {
      document.addEventListener(name, () => this.#rest.end(), { signal, capture: true });
      frame.addEventListener(name, () => this.#rest.makeWay(), { capture: true });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#explain(), { signal });
    this.#stopWatching = [() => stop.abort(), watchPictures(frame, (files) => this.#openAll(files)), watchServed((served) => this.#follow(served)), watchArrivals((correction) => this.#tray.add(correction, null))];
  }

  /** Open what the rest of an address holds; return whether it holds something. */
  go(rest) {
    const link = openLink(rest ?? "");
    if (!link) return false;
    history.replaceState(null, "", "#draw"); // so that a change of language does not open it again
    this.#rest.end();
    if (link.picture) this.#open(link.picture);
    else {
      this.#pad.clear();
      this.#pad.strokes = link.strokes;
      this.#pad.redraw();
      this.#onPadChange(true);
    }
    return true;
  }

  hide() {
    kept = this.#pad.strokes;
    this.#rest.end();
    this.#reader.stop();
    this.#training.stop();
    for (const stop of this.#stopWatching) stop();
  }

  #onPadChange(isFinal) {
    const { strokes, picture, isEmpty } = this.#pad;
    const change = ++this.#change;
    if (!picture) {
      this.#picture = null;
      this.#crop.hide();
    }
    if (isEmpty) this.#rest.forget();
    this.#corrections.offer(null);
    this.#hint.hidden = !isEmpty;
    if (isEmpty) return this.#showBlank();
    this.#root.dataset.state = "asking";
    if (!this.#picture && areSeveral(strokes)) return isFinal && this.#readNumber(toWidePng(strokes), change);
    this.#reader.read(() => this.#picture?.blob ?? (isFinal || mayBeDigit(strokes) ? toPng(strokes) : null), isFinal);
  }

  #showBlank() {
    this.#reader.stop();
    this.#answer.blank();
    this.#clear();
  }

  async #refuse(problem) {
    const { blob } = this.#picture ?? {};
    const change = this.#change;
    const isNumber = blob && problem.status === 422 && (await this.#showNumber(blob, change));
    if (change !== this.#change) return;
    if (!isNumber) {
      this.#answer.refuse(problem);
      this.#clear();
    }
    if (blob && !this.#picture.isPart) this.#crop.offer(this.#picture.bitmap); // for one of its digits
  }

  #clear() {
    clearTimeout(this.#restTimer);
    this.#chosen = null;
    this.#insight.clear();
    this.#inside.clear();
    this.#corrections.offer(null);
  }

  #show(prediction, isFinal) {
    noteVersion(prediction.version);
    if (this.#answer.show(prediction, isFinal)) this.#chosen = null;
    this.#insight.showSeen(prediction);
    clearTimeout(this.#restTimer);
    if (!isFinal) {
      this.#restTimer = setTimeout(() => this.#explain(), REST_MS);
      return;
    }
    this.#explain();
    this.#corrections.offer(() => (this.#served?.fit === "plain" ? decodeDataUri(prediction.normalized.image) : this.#file()));
    const { box, warnings } = prediction.normalized;
    if (this.#picture && box && !this.#picture.isPart) this.#crop.show(this.#picture.bitmap, box, this.#picture.scale);
    if (this.#picture && warnings.some(isPair)) this.#showNumber(this.#picture.blob, this.#change);
  }

  /** Read strokes side by side as a number; as one digit after all if no number is found. */
  async #readNumber(picture, change) {
    this.#reader.stop();
    if ((await this.#showNumber(picture, change)) || change !== this.#change) return;
    this.#reader.read(() => toPng(this.#pad.strokes), true);
  }

  /** Show the number on a picture, and return whether there is one: of two digits at least. */
  async #showNumber(picture, change) {
    const number = await readNumber(picture).catch(() => null);
    if (change !== this.#change || !number || number.digits.length < 2) return false;
    noteVersion(number.version);
    this.#clear();
    this.#answer.showNumber(number, (image) => this.#openImage(image));
    return true;
  }

  /** Name the classes of the version that answers, and take corrections where the server does. */
  #follow(served) {
    const isFirst = this.#served === null;
    const isOther = !isFirst && served.version !== (this.#answer.prediction?.version ?? served.version);
    this.#served = served;
    this.#answer.classes = this.#insight.classes = this.#tray.classes = served.classes;
    this.#corrections.show(served);
    if (isFirst && served.takesFeedback) this.#tray.load();
    if (isOther) this.#onPadChange(true); // it may read the same picture differently
  }

  /** Lay a correction that the server keeps into the tray, and make room for the next drawing. */
  #keep(correction) {
    this.#tray.add(correction, this.#insight.seen);
    this.#pad.clear();
    this.#answer.say(t("wrong.kept", { n: this.#tray.count }));
    this.#pad.canvas.focus({ preventScroll: true });
  }

  /** Return what the pad shows as a file; null if it is empty. */
  #file() {
    if (this.#pad.isEmpty) return null;
    return this.#picture?.blob ?? toPng(this.#pad.strokes);
  }

  #link() {
    if (this.#pad.strokes.length) return strokesLink(this.#pad.strokes);
    return this.#answer.prediction && imageLink(this.#answer.prediction.normalized.image);
  }

  #poster() {
    const { prediction, classes, words } = this.#answer;
    return prediction && poster({ pad: this.#pad.canvas, ...this.#insight.pictures, ...words, classes, prediction });
  }

  #choose(digit) {
    this.#chosen = digit;
    this.#explain();
  }

  async #explain() {
    const { prediction } = this.#answer;
    if (!prediction) return;
    this.#inside.show(prediction.normalized.image, prediction.version);
    const digits = await this.#insight.explain(prediction, this.#chosen ?? prediction.digit);
    if (digits) this.#root.dataset.explained = digits.join("-");
  }

  #openAll(files) {
    if (files.length === 1) this.#open(files[0]);
    else this.#gallery.read(files);
  }

  async #open(file) {
    try {
      this.#picture = await openPicture(file);
      this.#crop.hide();
      this.#pad.show(this.#picture.bitmap);
    } catch {
      this.#picture = null;
      this.#answer.refuse({ title: t("picture.unread"), detail: t("picture.unread.detail", { name: file.name ?? "" }) });
      this.#clear();
    }
  }

  /** Show the image of a digit, a data URI, on the pad. */
  #openImage(image) {
    this.#open(decodeDataUri(image));
    this.#pad.canvas.scrollIntoView({ block: "nearest" });
  }

  /** Read the part of the picture that the reader chose. */
  #readPart(blob) {
    this.#picture = { ...this.#picture, blob, isPart: true };
    this.#onPadChange(true);
  }

  async #writeSample(digit) {
    this.#pad.clear();
    const isAtOnce = matchMedia(REDUCED).matches;
    for (const stroke of strokesOf(digit, SIDE)) if (!(await this.#pad.write(stroke, isAtOnce))) return;
    this.#onPadChange(true);
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(TYPED_INTO)) return;
    if (this.#root.hidden || document.querySelector("dialog[open]")) return;
    if (event.key === "z" || event.key === "Backspace") this.#pad.undo();
    if (event.key === "c" || event.key === "Delete") this.#pad.clear();
  }
}
