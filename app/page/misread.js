// The test images behind a cell of the confusion matrix, each with the pixels that made the version read it so.

import { json } from "./api.js";
import { h } from "./dom.js";
import { paintHeat } from "./heat.js";
import { number, probability, t } from "./language.js";
import { refusal } from "./notice.js";
import { imageLink } from "./share.js";

/** Fill an element with the test images of one class that a version read as another one. */
export async function showMisread(element, { version, classes }, actual, read) {
  const values = { actual: classes[actual], read: classes[read] };
  element.replaceChildren(h("p", { class: "note", role: "status" }, t("misread.loading", values)));
  element.hidden = false;
  try {
    const { images, count, items } = await json(`versions/${version}/misread?true=${actual}&predicted=${read}`);
    const title = t("misread.title", { ...values, count: number(count), images: number(images) });
    const note = t(items.length < count ? "misread.surest" : "misread.note", { ...values, shown: items.length });
    element.replaceChildren(h("h3", {}, title), h("p", { class: "note" }, note), h("ul", { class: "misread" }, items.map((item) => picture(item, values))));
  } catch (problem) {
    element.replaceChildren(refusal(problem));
  }
}

function picture({ index, image, confidence, contributions }, values) {
  const heat = h("canvas", { class: "pixels", width: 28, height: 28, role: "img", "aria-label": t("misread.why", values) });
  paintHeat(heat, contributions);
  const alt = t("misread.alt", { ...values, index: number(index) });
  return h("li", {}, h("div", { class: "tile dark" }, h("img", { class: "pixels", src: image, alt, width: 28, height: 28 })), h("div", { class: "tile" }, heat), h("small", {}, t("misread.sure", { index, p: probability(confidence) })), h("a", { href: imageLink(image) }, t("open")));
}
