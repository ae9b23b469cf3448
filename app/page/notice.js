// What went wrong, in words, where it went wrong.

import { h } from "./dom.js";

/** Return a problem as an alert: what it is, and what to do. */
export function refusal(problem) {
  return h("div", { class: "refusal", role: "alert" }, h("strong", {}, problem.title ?? problem.name), " ", h("span", {}, problem.detail ?? problem.message));
}
