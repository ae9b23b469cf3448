// Modal questions: one <dialog> each, removed once it is answered.

import { h } from "./dom.js";
import { t } from "./language.js";

/** Ask, and return the form's data if the reader agrees, else null; `isDangerous`: agreeing costs something. */
export function ask(title, content, agree, { isDangerous = false } = {}) {
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "dialog-title" }, title),
    content,
    h(
      "div",
      { class: "row end" },
      h("button", { value: "yes", type: "submit", class: isDangerous ? "primary danger" : "primary" }, agree), // first: Enter presses it
      h("button", { value: "no", type: "submit", formnovalidate: true }, t("cancel")),
    ),
  );
  const dialog = h("dialog", { class: isDangerous ? "danger" : null, "aria-labelledby": "dialog-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? new FormData(form) : null);
      dialog.remove();
    });
  });
}
