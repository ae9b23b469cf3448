// The crop box on a picture: what the network read of it. The reader moves or resizes it, and that part is read again.

import { h, style } from "./dom.js";
import { t } from "./language.js";

const SMALLEST = 12; // pixels of the picture along a side
const MARGIN = 0.1; // of a picture, around the part that is offered
const STEP = 0.02; // of the picture's longer side, that an arrow key moves
const CORNERS = [["left", "top"], ["right", "top"], ["left", "bottom"], ["right", "bottom"]];

export class CropBox {
  #bitmap = null;
  #box = null; // {left, top, right, bottom} in the bitmap's pixels

  /** `onCrop(blob)` is called with the part of the picture that the reader chose, a PNG. */
  constructor(onCrop) {
    this.onCrop = onCrop;
    const handles = CORNERS.map(([x, y]) => h("span", { class: `handle ${x} ${y}`, onpointerdown: (event) => this.#drag(event, [x, y]) }));
    this.element = h("div", { class: "crop", hidden: true, tabindex: 0, role: "group", "aria-label": t("crop"), title: t("crop"),
      onpointerdown: (event) => this.#drag(event, ["left", "right", "top", "bottom"]), onkeydown: (event) => this.#press(event) }, handles);
  }

  /** Show the box of an answer, in pixels of the picture that was sent, `scale` of the bitmap's. */
  show(bitmap, box, scale) {
    this.element.classList.remove("offered");
    this.#show(bitmap, box, scale);
  }

  #show(bitmap, [left, top, right, bottom], scale) {
    this.#bitmap = bitmap;
    this.#box = { left: left / scale, top: top / scale, right: right / scale, bottom: bottom / scale };
    this.element.hidden = false;
    this.#place();
  }

  /** Offer to choose a part of a picture in which no digit was found: by the corners, so that one can draw over it. */
  offer(bitmap) {
    const { width, height } = bitmap;
    this.element.classList.add("offered");
    this.#show(bitmap, [MARGIN * width, MARGIN * height, (1 - MARGIN) * width, (1 - MARGIN) * height], 1);
  }

  hide() {
    this.element.hidden = true;
    this.#bitmap = null;
  }

  #place() {
    const { width, height } = this.#bitmap;
    const side = Math.max(width, height); // the pad shows the picture in the middle of a square
    const [x, y] = [(side - width) / 2, (side - height) / 2];
    const { left, top, right, bottom } = this.#box;
    const share = (value) => `${(100 * value) / side}%`;
    style(this.element, { "--left": share(left + x), "--top": share(top + y), "--width": share(right - left), "--height": share(bottom - top) });
  }

  #drag(event, sides) {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    const [start, from] = [event, { ...this.#box }];
    const scale = Math.max(this.#bitmap.width, this.#bitmap.height) / this.element.parentElement.clientWidth;
    const target = event.currentTarget;
    target.setPointerCapture(event.pointerId);
    const move = ({ clientX, clientY }) => this.#move(from, sides, scale * (clientX - start.clientX), scale * (clientY - start.clientY));
    target.addEventListener("pointermove", move);
    target.addEventListener("lostpointercapture", () => {
      target.removeEventListener("pointermove", move);
      if (Object.keys(from).some((side) => from[side] !== this.#box?.[side])) this.#crop();
    }, { once: true });
  }

  #press(event) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!(dx || dy)) return;
    event.preventDefault();
    const step = STEP * Math.max(this.#bitmap.width, this.#bitmap.height);
    this.#move({ ...this.#box }, event.shiftKey ? ["right", "bottom"] : ["left", "right", "top", "bottom"], step * dx, step * dy);
    this.#crop();
  }

  /** Move some sides of the box by pixels of the picture, within it. */
  #move(from, sides, dx, dy) {
    if (!this.#bitmap) return;
    const { width, height } = this.#bitmap;
    const isWhole = sides.length === 4;
    const bounded = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
    const [x, y] = isWhole ? [bounded(dx, -from.left, width - from.right), bounded(dy, -from.top, height - from.bottom)] : [dx, dy];
    const box = { ...from };
    if (sides.includes("left")) box.left = bounded(from.left + x, 0, isWhole ? width : from.right - SMALLEST);
    if (sides.includes("right")) box.right = bounded(from.right + x, isWhole ? 0 : from.left + SMALLEST, width);
    if (sides.includes("top")) box.top = bounded(from.top + y, 0, isWhole ? height : from.bottom - SMALLEST);
    if (sides.includes("bottom")) box.bottom = bounded(from.bottom + y, isWhole ? 0 : from.top + SMALLEST, height);
    this.#box = box;
    this.#place();
  }

  #crop() {
    if (!this.#bitmap) return;
    const { left, top, right, bottom } = this.#box;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(right - left));
    canvas.height = Math.max(1, Math.round(bottom - top));
    canvas.getContext("2d").drawImage(this.#bitmap, -Math.round(left), -Math.round(top));
    canvas.toBlob((blob) => this.onCrop(blob), "image/png");
  }
}
