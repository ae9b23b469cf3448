// The pad: takes strokes from a mouse, pen, finger or keyboard, or shows a picture.

import { BRUSH, SIDE, paint } from "./strokes.js";

const KEY_STEP = 6; // units that an arrow key moves the pen

export class Pad {
  #context;
  #pointer = null; // id of the pointer that draws; a second finger is ignored
  #pen = { x: SIDE / 2, y: SIDE / 4, isDown: false, isShown: false }; // moved with the keyboard

  /** The strokes, or the picture shown instead of them. */
  strokes = [];
  picture = null;

  /** `onChange(isFinal)` is called while a stroke grows (false), and after each finished change (true). */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.#context = canvas.getContext("2d");
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#extend(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.#end(event));
    canvas.addEventListener("keydown", (event) => this.#press(event));
    canvas.addEventListener("blur", () => this.#hidePen());
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  get isEmpty() {
    return this.strokes.length === 0 && this.picture === null;
  }

  undo() {
    if (this.picture) this.picture = null;
    else this.strokes.pop();
    this.#done();
  }

  clear() {
    this.strokes = [];
    this.picture = null;
    this.#pen.isDown = false;
    this.#done();
  }

  /** Show a picture, an ImageBitmap, instead of strokes. */
  show(picture) {
    this.strokes = [];
    this.picture = picture;
    this.#done();
  }

  /** Draw a stroke at the speed of a hand, or at once. Resolves to whether the whole stroke is still there. */
  async write(points, isAtOnce) {
    const stroke = isAtOnce ? [...points] : [points[0]];
    this.strokes.push(stroke);
    while (stroke.length < points.length && this.strokes.includes(stroke)) {
      await new Promise(requestAnimationFrame);
      stroke.push(...points.slice(stroke.length, stroke.length + 2));
      this.redraw();
      this.onChange(false);
    }
    this.redraw();
    return this.strokes.includes(stroke);
  }

  redraw() {
    const { width } = this.canvas.getBoundingClientRect();
    if (!width) return;
    const pixels = Math.round(width * devicePixelRatio);
    if (this.canvas.width !== pixels) this.canvas.width = this.canvas.height = pixels;
    const context = this.#context;
    context.setTransform(pixels / SIDE, 0, 0, pixels / SIDE, 0, 0);
    context.clearRect(0, 0, SIDE, SIDE);
    if (this.picture) this.#drawPicture();
    context.strokeStyle = context.fillStyle = getComputedStyle(this.canvas).color;
    paint(context, this.strokes, BRUSH);
    if (this.#pen.isShown) this.#drawPen();
  }

  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.#hidePen();
    this.#pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.picture = null;
    this.strokes.push([this.#position(event)]);
    this.redraw();
    this.onChange(false);
  }

  #extend(event) {
    if (event.pointerId !== this.#pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    this.strokes.at(-1)?.push(...(all.length ? all : [event]).map((each) => this.#position(each)));
    this.redraw();
    this.onChange(false);
  }

  #end(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#done();
  }

  #position({ clientX, clientY }) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    const bounded = (value) => Math.min(SIDE, Math.max(0, value));
    return [bounded(((clientX - left) / width) * SIDE), bounded(((clientY - top) / width) * SIDE)];
  }

  #press(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const pen = this.#pen;
    if (event.ctrlKey || event.metaKey || event.altKey || (!move && event.key !== " ")) return;
    event.preventDefault();
    pen.isShown = true;
    if (move) {
      const step = event.shiftKey ? 3 * KEY_STEP : KEY_STEP;
      pen.x = Math.min(SIDE, Math.max(0, pen.x + step * move[0]));
      pen.y = Math.min(SIDE, Math.max(0, pen.y + step * move[1]));
      if (pen.isDown) this.strokes.at(-1)?.push([pen.x, pen.y]);
    } else {
      pen.isDown = !pen.isDown;
      this.picture = null;
      if (pen.isDown) this.strokes.push([[pen.x, pen.y]]);
    }
    this.redraw();
    if (pen.isDown || !move) this.onChange(!pen.isDown);
  }

  #hidePen() {
    if (!this.#pen.isShown) return;
    const wasDown = this.#pen.isDown;
    this.#pen.isShown = this.#pen.isDown = false;
    this.redraw();
    if (wasDown) this.onChange(true);
  }

  #done() {
    this.redraw();
    this.onChange(true);
  }

  #drawPen() {
    const context = this.#context;
    context.beginPath();
    context.arc(this.#pen.x, this.#pen.y, BRUSH / 2 + 2, 0, 2 * Math.PI);
    context.lineWidth = 1.5;
    context.stroke();
  }

  #drawPicture() {
    const { width, height } = this.picture;
    const scale = SIDE / Math.max(width, height);
    this.#context.imageSmoothingEnabled = scale < 1;
    const [w, h] = [scale * width, scale * height];
    this.#context.drawImage(this.picture, (SIDE - w) / 2, (SIDE - h) / 2, w, h);
  }
}
