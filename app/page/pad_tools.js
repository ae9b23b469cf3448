// The surroundings of the pad: its buttons, the sample digits, and the same request for the command line.

import { mayHaveCamera, takePicture } from "./camera.js";
import { copyable } from "./copyable.js";
import { h, icon } from "./dom.js";
import { t } from "./language.js";
import { glyph } from "./samples.js";
import { download } from "./share.js";

const UNDO = "M8 5L4 9L8 13M4 9H12.5A3.5 3.5 0 0 1 12.5 16H9";
const CLEAR = "M5 5L15 15M15 5L5 15";
const PICTURE = "M3 4H17V16H3ZM3 13L7.5 9L11 12.5L13 10.5L17 14M13 7.5V7.6";
const CAMERA = "M3 6H6.5L8 4H12L13.5 6H17V16H3ZM10 8A2.75 2.75 0 0 1 10 13.5A2.75 2.75 0 0 1 10 8";

/** Return the buttons. `onFiles(files)` is called with the pictures that the reader chooses or takes. */
export function padTools(pad, onFiles) {
  const choose = h("input", { type: "file", accept: "image/*", multiple: true, class: "unseen", id: "file", onchange: () => {
    const files = [...choose.files];
    choose.value = "";
    if (files.length) onFiles(files);
  } });
  const shoot = async () => {
    const picture = await takePicture();
    if (picture) onFiles([new File([picture], "camera.png", { type: "image/png" })]);
  };
  return h(
    "div",
    { class: "row tools" },
    h("button", { type: "button", title: "Z", onclick: () => pad.undo() }, icon(UNDO), t("undo")),
    h("button", { type: "button", title: "C", onclick: () => pad.clear() }, icon(CLEAR), t("clear")),
    h("span", { class: "push row fixed" },
      mayHaveCamera() && h("button", { type: "button", "aria-label": t("camera"), title: t("camera"), onclick: shoot }, icon(CAMERA)),
      h("span", {}, choose, h("label", { class: "button", for: "file" }, icon(PICTURE), t("picture")))),
  );
}

/** Return the ten sample digits; `onWrite(digit)` is called with the one that the reader chooses. */
export function sampleRow(onWrite) {
  return h(
    "div",
    { class: "samples", role: "group", "aria-label": t("samples") },
    Array.from({ length: 10 }, (_, digit) => h("button", { type: "button", "aria-label": t("sample", { digit }), onclick: () => onWrite(digit) }, glyph(digit))),
  );
}

/** Return the section with the curl line; `picture()` returns what the pad shows as a file, null if it is empty. */
export function commandLine(picture) {
  const save = h("button", { type: "button", onclick: () => picture() && download(picture(), "digit.png") }, t("save"));
  const address = new URL("predict?fit=mnist", document.baseURI);
  return h(
    "section",
    { class: "aside" },
    h("h2", {}, t("curl")),
    h("p", { class: "note" }, t("curl.note")),
    copyable(`curl -F file=@digit.png '${address}'`, save),
  );
}
