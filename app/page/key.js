// The question for the API key: asked once per tab, however many calls wait for the answer.

import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { t } from "./language.js";

let asking = null;

/** Return the key that the reader enters, or null; `refusal`: why the last one was refused. */
export function askForKey(refusal) {
  asking ??= question(refusal).finally(() => (asking = null));
  return asking;
}

async function question(refusal) {
  const input = h("input", { name: "key", type: "password", required: true, autocomplete: "off", spellcheck: "false" });
  const content = [
    h("p", {}, t("key.why")),
    h("label", { class: "field" }, h("span", {}, t("key")), input),
    refusal && h("p", { class: "refusal", role: "alert" }, refusal),
  ];
  return (await ask(t("key.title"), content, t("key.use")))?.get("key") ?? null;
}
