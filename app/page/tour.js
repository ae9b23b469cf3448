// The tour of how the network works. Each step is a bubble beside a real part of the page, which the tour uses as a reader would.

import { h, style } from "./dom.js";
import { t } from "./language.js";

const PATIENCE_MS = 20_000; // for a part that is on its way; then its step is left out
const SAMPLE = 4;
const GAP = 12; // pixels between a part and its bubble
const READ = '[data-view="draw"][data-state="read"]';
const SETTLED = '.view:is([data-state="refused"], [data-number]), .view .refusal'; // parts that are missing stay so
const REDUCED = "(prefers-reduced-motion: reduce)";

/** The steps: `part` is the selector of what they show; `enter()` may return a function that undoes what it did. */
const STEPS = [
  { name: "pad", view: "draw", part: '[data-view="draw"] .frame', enter: writeSample },
  { name: "seen", view: "draw", part: `${READ} .inside figure:first-child` },
  { name: "hidden1", view: "draw", part: `${READ} .strips[data-version]`, enter: () => pointAtUnit("hidden1") },
  { name: "hidden2", view: "draw", part: `${READ} .strips[data-version]`, enter: () => pointAtUnit("hidden2") },
  { name: "bars", view: "draw", part: `${READ} .bars` },
  { name: "verdict", view: "draw", part: `${READ} .verdict` },
  { name: "why", view: "draw", part: `${READ} .inside figure:last-child`, enter: () => chooseBar(0) },
  { name: "why.not", view: "draw", part: `${READ} .inside figure:last-child`, enter: () => chooseBar(1) },
  { name: "wrong", view: "draw", part: `${READ} .corrections`, isThereAtOnce: true },
  { name: "train", view: "train", part: '[data-view="train"] form' },
  { name: "versions", view: "versions", part: '[data-view="versions"] .axis' },
  { name: "service", view: "service", part: '[data-view="service"] .cards:not(:empty)' },
];

/** Start the tour, unless it is open. */
export function startTour() {
  if (!document.querySelector("dialog.tour")) new Tour();
}

class Tour {
  #steps = [...STEPS]; // without those whose part was found missing
  #at = 0;
  #asked = 0; // number of the newest move: older ones stop waiting for their part
  #leave = null;
  #part = null; // the element beside the bubble
  #frame = 0;
  #spot = h("div", { class: "spot", hidden: true });
  #count = h("p", { class: "note" });
  #title = h("h2", { id: "tour-title" });
  #text = h("p", { id: "tour-text" });
  #back = h("button", { type: "button", onclick: () => this.#move(-1) }, t("tour.back"));
  #next = h("button", { type: "button", class: "primary", onclick: () => this.#move(1) });
  #bubble;
  #dialog;

  constructor() {
    const close = h("button", { type: "button", class: "plain push", onclick: () => this.#dialog.close() }, t("tour.close"));
    const words = h("div", { class: "stack tight", "aria-live": "polite" }, this.#count, this.#title, this.#text);
    this.#bubble = h("div", { class: "bubble" }, words, h("div", { class: "row" }, this.#next, this.#back, close));
    this.#dialog = h("dialog", { class: "tour", "aria-labelledby": "tour-title", "aria-describedby": "tour-text" }, this.#spot, this.#bubble);
    this.#dialog.addEventListener("close", () => this.#end());
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#show(0);
    this.#follow();
  }

  /** Go on (1) or back (-1) to the nearest step whose part is there; leave out those between. */
  async #move(direction) {
    if (this.#at + direction === this.#steps.length) return this.#finish();
    const asked = ++this.#asked;
    let at = this.#at + direction;
    this.#bubble.setAttribute("aria-busy", "true");
    while (this.#steps[at]) {
      const isThere = await this.#await(this.#steps[at], asked);
      if (asked !== this.#asked) return;
      if (isThere) break;
      this.#steps.splice(at, 1);
      if (direction < 0) at -= 1;
    }
    this.#show(Math.min(Math.max(at, 0), this.#steps.length - 1));
  }

  /** Go to a step's view; resolves to whether its part is there. */
  async #await(step, asked) {
    visit(step.view);
    const until = performance.now() + (step.isThereAtOnce ? 0 : PATIENCE_MS);
    while (asked === this.#asked && !find(step.part)) {
      if (performance.now() > until || document.querySelector(SETTLED)) return false;
      await new Promise(requestAnimationFrame);
    }
    return true;
  }

  #show(at) {
    this.#leave?.();
    const step = this.#steps[at];
    visit(step.view);
    this.#at = at;
    this.#bubble.setAttribute("aria-busy", "false");
    this.#dialog.dataset.step = step.name;
    this.#count.textContent = t("tour.step", { n: at + 1, total: this.#steps.length });
    this.#title.textContent = t(`tour.${step.name}`);
    this.#text.textContent = t(`tour.${step.name}.text`);
    this.#next.textContent = t(at + 1 === this.#steps.length ? "tour.done" : "tour.next");
    this.#back.disabled = at === 0;
    if (!this.#dialog.contains(document.activeElement) || document.activeElement.disabled) this.#next.focus();
    this.#part = null;
    this.#leave = step.enter?.();
  }

  /** Keep spot and bubble beside the part, which moves when the page scrolls or loads. */
  #follow() {
    const part = find(this.#steps[this.#at].part);
    if (part && part !== this.#part) bringIntoView(part);
    this.#part = part;
    this.#spot.hidden = !part;
    const { clientWidth, clientHeight } = this.#dialog; // it fills the screen, without its scroll bar
    const place = part?.getBoundingClientRect() ?? new DOMRect(clientWidth / 2, clientHeight / 2, 0, 0);
    style(this.#spot, pixels({ "--x": place.x - 6, "--y": place.y - 6, "--width": place.width + 12, "--height": place.height + 12 }));
    const [x, y] = beside(place, this.#bubble.getBoundingClientRect(), clientWidth, clientHeight);
    style(this.#bubble, pixels({ "--x": x, "--y": y }));
    this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #finish() {
    visit("draw");
    this.#dialog.close();
  }

  #end() {
    this.#asked += 1;
    this.#leave?.();
    cancelAnimationFrame(this.#frame);
    this.#dialog.remove();
    const query = new URLSearchParams(location.search);
    if (query.has("tour")) history.replaceState(null, "", `${location.pathname}${query.has("present") ? "?present" : ""}${location.hash}`);
    if (document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
  }
}

function visit(view) {
  if (document.querySelector("[data-view]").dataset.view !== view) location.hash = view;
}

/** Return the element of a selector if it is to be seen; null if not. */
function find(selector) {
  const element = document.querySelector(selector);
  return element?.getClientRects().length && getComputedStyle(element).visibility === "visible" ? element : null;
}

function bringIntoView(part) {
  const block = part.clientHeight > innerHeight / 2 ? "start" : "center";
  part.scrollIntoView({ block, behavior: matchMedia(REDUCED).matches ? "instant" : "smooth" });
}

/** Return where a bubble has room: below a place, above, to the right, to the left; else over its lower end. */
function beside({ left, right, top, bottom }, { width, height }, screenWidth, screenHeight) {
  const within = (value, size, all) => Math.max(GAP, Math.min(value, all - size - GAP));
  const x = within((left + right - width) / 2, width, screenWidth);
  const y = within((top + bottom - height) / 2, height, screenHeight);
  if (bottom + 2 * GAP + height <= screenHeight && bottom > 0) return [x, bottom + GAP];
  if (top - 2 * GAP - height >= 0 && top < screenHeight) return [x, top - GAP - height];
  if (right + 2 * GAP + width <= screenWidth) return [right + GAP, y];
  if (left - 2 * GAP - width >= 0) return [left - GAP - width, y];
  return [x, screenHeight - height - GAP];
}

function pixels(lengths) {
  return Object.fromEntries(Object.entries(lengths).map(([name, value]) => [name, `${Math.round(value)}px`]));
}

/** Write a sample on an empty pad; the reader's own drawing stays. */
function writeSample() {
  if (document.querySelector('[data-view="draw"][data-state="blank"]')) document.querySelector(`.samples button:nth-child(${SAMPLE + 1})`).click();
}

/** Point at the second unit of a layer, as an arrow key does, until the step is left. */
function pointAtUnit(layer) {
  const cells = document.querySelector(`.layer.${layer} .cells`);
  cells.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", cancelable: true }));
  return () => cells.dispatchEvent(new Event("pointerleave"));
}

/** Choose the bar of a rank, 0 for the most probable class, to explain it. */
function chooseBar(rank) {
  const share = (label) => Number(label.style.getPropertyValue("--share"));
  [...document.querySelectorAll(".bars label")].sort((a, b) => share(b) - share(a))[rank].querySelector("input").click();
}
