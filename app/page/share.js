// A drawing in an address, so that it can be sent and opened again; and a picture of what the page shows of it.

import { h } from "./dom.js";
import { t } from "./language.js";
import { SIDE, decodeDataUri } from "./strokes.js";

const STROKES = /^([0-9a-z]{4})+(-([0-9a-z]{4})+)*$/;
const SPACING = 2; // units: nearer points of a stroke are left out
const LONGEST = 60_000; // characters that are looked at
const PNG = "data:image/png;base64,";

/** Return the address of the page with strokes on its pad. */
export function strokesLink(strokes) {
  const pair = ([x, y]) => [x, y].map((value) => Math.round(value).toString(36).padStart(2, "0")).join("");
  return `#draw/strokes/${strokes.map((stroke) => thinned(stroke).map(pair).join("")).join("-")}`;
}

/** Return the address of the page with an image, the data URI of a PNG, on its pad: "Open on the pad". */
export function imageLink(uri) {
  return `#draw/image/${uri.slice(PNG.length).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** Return {strokes} or {picture}, a Blob, from the rest of an address; null if it holds none. */
export function openLink(rest) {
  const [kind, value = ""] = rest.split("/");
  if (value.length > LONGEST) return null;
  if (kind === "strokes" && STROKES.test(value)) return { strokes: value.split("-").map(points) };
  if (kind !== "image") return null;
  try {
    return { picture: decodeDataUri(PNG + value.replaceAll("-", "+").replaceAll("_", "/")) };
  } catch {
    return null; // it is not base64
  }
}

function points(text) {
  const at = (i) => Math.min(SIDE, parseInt(text.slice(i, i + 2), 36));
  return Array.from({ length: text.length / 4 }, (_, i) => [at(4 * i), at(4 * i + 2)]);
}

function thinned(stroke) {
  const kept = [stroke[0]];
  for (const point of stroke) if (Math.hypot(point[0] - kept.at(-1)[0], point[1] - kept.at(-1)[1]) >= SPACING) kept.push(point);
  return kept;
}

/** Return the buttons "Copy link" and "Save picture".
 *
 * `link()` returns the address of what is on the pad, `picture()` a canvas; both null if there is nothing. */
export function shareButtons(link, picture) {
  const copy = h("button", { type: "button", onclick: async () => {
    const address = link();
    if (!address) return;
    history.replaceState(null, "", address); // where the clipboard is not allowed, it is to be copied from there
    const isCopied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    copy.textContent = t(isCopied ? "copied" : "link.address");
    setTimeout(() => (copy.textContent = t("link")), 3000);
  } }, t("link"));
  const save = h("button", { type: "button", onclick: () => picture()?.toBlob((blob) => download(blob, "inkling.png")) }, t("save.picture"));
  return h("div", { class: "row share" }, copy, save);
}

/** Have the browser save a Blob as a file. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
