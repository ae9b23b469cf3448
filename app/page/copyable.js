// A line of text with a button that copies it.

import { h } from "./dom.js";
import { t } from "./language.js";

export function copyable(text, ...more) {
  const code = h("code", { tabindex: 0 }, text);
  const button = h("button", { type: "button", onclick: () => copy(code, button) }, t("copy"));
  return h("div", { class: "copyable" }, h("pre", {}, code), h("div", { class: "row" }, button, ...more));
}

async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = t("copied");
    setTimeout(() => (button.textContent = t("copy")), 2000);
  } catch {
    getSelection().selectAllChildren(code); // browsers allow the clipboard only on HTTPS and localhost; select the text for Ctrl+C
  }
}
