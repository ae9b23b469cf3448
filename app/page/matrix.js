// A confusion matrix as a table with shaded cells: how often each digit was read as each digit.

import { h, style } from "./dom.js";
import { number, percent, t } from "./language.js";

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** Return the table of confusion[actual][read], numbers of images of the classes named.
 *
 * The arrow keys move between its cells; each cell has a description. `open(actual, read)` is called when the reader
 * chooses a cell of misread images. */
export function matrix(confusion, classes, caption, open) {
  const note = h("p", { class: "note", "aria-live": "polite" }, t("matrix.note"));
  const most = Math.max(1, ...confusion.flatMap((row, actual) => row.filter((_, read) => read !== actual)));
  const cells = confusion.map((row, actual) => row.map((count, read) => cell(count, [actual, read], classes, most, row)));
  cells[0][0].tabIndex = 0;
  const showMeaning = (event) => {
    if (event.target.dataset.means) note.textContent = event.target.dataset.means;
  };
  const choose = (event) => {
    const actual = cells.findIndex((row) => row.includes(event.target));
    const read = cells[actual]?.indexOf(event.target);
    if (actual >= 0 && actual !== read && confusion[actual][read]) open(actual, read);
  };
  const press = (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(event);
    } else moveFocus(event, cells);
  };
  const table = h(
    "table",
    { class: "matrix", onpointerover: showMeaning, onfocusin: showMeaning, onclick: (event) => (showMeaning(event), choose(event)), onkeydown: press },
    h("caption", { class: "unseen" }, caption),
    h("thead", {}, h("tr", {}, h("td", {}), classes.map((name) => h("th", { scope: "col", title: name }, [...name].slice(0, 3).join(""))))),
    h("tbody", {}, cells.map((row, actual) => h("tr", {}, h("th", { scope: "row" }, classes[actual]), row))),
  );
  return h("div", { class: "stack tight" }, table, note);
}

function cell(count, [actual, read], classes, most, row) {
  const total = row.reduce((sum, value) => sum + value, 0);
  const values = { count: number(count), actual: classes[actual], read: classes[read], total: number(total), share: percent(total ? count / total : 0, 1) };
  const means = t(actual === read ? "matrix.right" : "matrix.wrong", values);
  const element = h("td", { tabindex: -1, "data-means": means, "aria-label": means, class: actual === read ? "right" : count ? "misread" : null }, count || "");
  return style(element, { "--share": actual === read ? 0 : Math.sqrt(count / most) });
}

function moveFocus(event, cells) {
  const step = STEPS[event.key];
  const y = cells.findIndex((row) => row.includes(event.target));
  if (!step || y < 0) return;
  event.preventDefault();
  const next = cells[y + step[0]]?.[cells[y].indexOf(event.target) + step[1]];
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
