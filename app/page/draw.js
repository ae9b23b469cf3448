// The place Draw: a pad, what the network reads on it, what it saw, and why.

import { Bars } from "./bars.js";
import { copyable } from "./copyable.js";
import { h, icon } from "./dom.js";
import { less, paintHeat } from "./heat.js";
import { SIDE, isBegun, toPng } from "./ink.js";
import { probability, t } from "./language.js";
import { refusal } from "./notice.js";
import { Pad } from "./pad.js";
import { openPicture, watchPictures } from "./picture.js";
import { Reader, explain } from "./reader.js";
import { glyph, strokesOf } from "./samples.js";

const UNDO = "M8 5L4 9L8 13M4 9H12.5A3.5 3.5 0 0 1 12.5 16H9";
const CLEAR = "M5 5L15 15M15 5L5 15";
const PICTURE = "M3 4H17V16H3ZM3 13L7.5 9L11 12.5L13 10.5L17 14M13 7.5V7.6";

const REST_MS = 150; // a pen that rests so long is worth an explanation

let kept = []; // the strokes, while another language is put on

/** Fill the place; return {hide}: what to do when it is left. */
export function mount(root) {
  const canvas = h("canvas", { class: "pad", tabindex: 0, role: "img", "aria-label": t("pad"), "aria-describedby": "pad-keys" });
  const hint = h("p", { class: "hint", "aria-hidden": "true" }, t("pad.hint"));
  const frame = h("div", { class: "frame" }, canvas, hint);
  const digit = h("output", { class: "answer", "aria-hidden": "true" });
  const sure = h("p", { class: "sure" });
  const spoken = h("p", { class: "unseen", "aria-live": "polite" });
  const problem = h("div", {});
  const seen = h("img", { class: "pixels", alt: "", width: 28, height: 28, hidden: true });
  const done = h("p", { class: "note" });
  const heat = h("canvas", { class: "pixels", width: 28, height: 28, role: "img", "aria-label": t("why") });
  const why = h("p", { class: "note" });
  const whyTitle = h("h3", {}, t("why"));
  const save = h("a", { class: "button", download: "digit.png" }, t("save"));

  let blob = null; // the picture shown, as it is sent
  let prediction = null;
  let chosen = null; // the digit explained; null: the one read
  let heatNumber = 0;
  let resting = 0;

  const bars = new Bars((k) => {
    chosen = k;
    showHeat();
  });
  const pad = new Pad(canvas, (isFinal) => {
    if (pad.strokes.length) blob = null;
    hint.hidden = !pad.isEmpty;
    if (pad.isEmpty) return blank();
    root.dataset.state = "asking";
    reader.read(() => blob ?? (isFinal || isBegun(pad.strokes) ? toPng(pad.strokes) : null), isFinal);
  });
  const reader = new Reader(show, refuse);

  function blank() {
    reader.stop();
    root.dataset.state = "blank";
    prediction = null;
    digit.textContent = "–";
    sure.textContent = t("blank");
    spoken.textContent = "";
    problem.replaceChildren();
    bars.show(null);
    hideSeen();
  }

  function show(answer, isFinal) {
    const isNew = answer.digit !== prediction?.digit;
    prediction = answer;
    if (isNew) {
      chosen = null;
      bars.choose(answer.digit);
    }
    problem.replaceChildren();
    digit.textContent = answer.digit;
    sure.textContent = t("sure", { p: probability(answer.confidence) });
    bars.show(answer.probabilities);
    seen.src = answer.normalised.image;
    seen.alt = t("seen.alt", { digit: answer.digit });
    seen.hidden = false;
    done.textContent = told(answer.normalised);
    root.dataset.state = isFinal ? "read" : "reading";
    if (isFinal) speak(answer);
    clearTimeout(resting);
    if (isFinal) showHeat();
    else resting = setTimeout(showHeat, REST_MS);
  }

  function speak({ probabilities }) {
    const order = probabilities.map((p, k) => [p, k]).sort(([a], [b]) => b - a);
    const [best, second, third] = order.map(([p, k]) => `${k}, ${probability(p)}`);
    spoken.textContent = t("spoken", { best, second, third });
  }

  function refuse(error) {
    prediction = null;
    digit.textContent = "?";
    sure.textContent = "";
    bars.show(null);
    hideSeen();
    problem.replaceChildren(refusal(error));
    root.dataset.state = "refused";
  }

  function hideSeen() {
    clearTimeout(resting);
    heatNumber += 1;
    chosen = null;
    seen.hidden = true;
    done.textContent = t("seen.note");
    why.textContent = t("why.note");
    whyTitle.textContent = t("why");
    heat.setAttribute("aria-label", t("why"));
    heat.getContext("2d").clearRect(0, 0, 28, 28);
  }

  async function showHeat() {
    if (!prediction) return;
    const mine = ++heatNumber;
    const { digit: best, normalised } = prediction;
    const other = chosen ?? best;
    const digits = other === best ? [best] : [best, other];
    try {
      const [first, second] = await Promise.all(digits.map((k) => explain(normalised.image, k)));
      if (mine !== heatNumber) return;
      paintHeat(heat, second ? less(first, second) : first);
      const key = second ? "why.not" : "why.is";
      whyTitle.textContent = t(key, { digit: best, other });
      why.textContent = t(`${key}.note`, { digit: best, other });
      heat.setAttribute("aria-label", `${whyTitle.textContent} ${why.textContent}`);
      root.dataset.explained = digits.join("-");
    } catch (error) {
      if (mine === heatNumber) why.textContent = error.message;
    }
  }

  async function take(file) {
    try {
      const picture = await openPicture(file);
      blob = picture.blob;
      pad.show(picture.bitmap);
    } catch {
      refuse({ title: t("picture.unread"), detail: t("picture.unread.detail", { name: file.name }) });
    }
  }

  async function write(k) {
    pad.clear();
    const isAtOnce = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const stroke of strokesOf(k, SIDE)) if (!(await pad.write(stroke, isAtOnce))) return;
    pad.onChange(true);
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=radio]), textarea, select")) return;
    if (root.hidden || document.querySelector("dialog[open]")) return;
    const action = { z: () => pad.undo(), c: () => pad.clear(), Delete: () => pad.clear(), Backspace: () => pad.undo() }[event.key];
    action?.();
  }

  const chooseFile = h("input", { type: "file", accept: "image/*", class: "unseen", id: "file", onchange: () => {
    if (chooseFile.files[0]) take(chooseFile.files[0]);
    chooseFile.value = "";
  } });
  save.addEventListener("click", (event) => {
    if (pad.isEmpty) return event.preventDefault();
    save.href = URL.createObjectURL(blob ?? toPng(pad.strokes));
    setTimeout(() => URL.revokeObjectURL(save.href), 10_000);
  });

  const tools = h(
    "div",
    { class: "row" },
    h("button", { type: "button", title: "Z", onclick: () => pad.undo() }, icon(UNDO), t("undo")),
    h("button", { type: "button", title: "C", onclick: () => pad.clear() }, icon(CLEAR), t("clear")),
    h("span", { class: "push" }, chooseFile, h("label", { class: "button", for: "file" }, icon(PICTURE), t("picture"))),
  );
  const samples = h(
    "div",
    { class: "samples", role: "group", "aria-label": t("samples") },
    Array.from({ length: 10 }, (_, k) =>
      h("button", { type: "button", "aria-label": t("sample", { digit: k }), onclick: () => write(k) }, glyph(k)),
    ),
  );
  const address = new URL("predict?fit=mnist", document.baseURI);
  root.replaceChildren(
    h("h1", { class: "unseen" }, t("draw")),
    h(
      "div",
      { class: "draw" },
      h("div", { class: "stack" }, frame, tools, samples, h("p", { class: "note", id: "pad-keys" }, t("pad.keys"))),
      h("div", { class: "stack read" }, h("div", { class: "verdict" }, digit, h("div", {}, sure, spoken)), problem, bars.element),
      h(
        "div",
        { class: "stack inside" },
        h("figure", {}, h("h3", {}, t("seen")), h("div", { class: "tile dark" }, seen), h("figcaption", {}, done)),
        h("figure", {}, whyTitle, h("div", { class: "tile" }, heat), h("figcaption", {}, why)),
      ),
    ),
    h(
      "section",
      { class: "aside" },
      h("h2", {}, t("curl")),
      h("p", { class: "note" }, t("curl.note")),
      copyable(`curl -F file=@digit.png '${address}'`, save),
    ),
  );
  const stopWatching = watchPictures(frame, take);
  document.addEventListener("keydown", press);
  pad.strokes = kept;
  pad.onChange(true);
  return {
    hide() {
      kept = pad.strokes;
      stopWatching();
      document.removeEventListener("keydown", press);
    },
  };
}

/** Say what was done to a picture before the network saw it. */
function told({ is_untouched, inverted, background_removed, warnings }) {
  if (is_untouched) return t("seen.untouched");
  const done = [inverted && t("seen.inverted"), background_removed && t("seen.background")].filter(Boolean);
  return [t("seen.fitted"), ...done, ...warnings].join(" ");
}

