// Error messages, shown where the error happened.

import { h } from "./dom.js";

/** Return a problem as an alert: its title and its detail. */
export function refusal(problem) {
  return h("div", { class: "refusal", role: "alert" }, h("strong", {}, problem.title ?? problem.name), " ", h("span", {}, problem.detail ?? problem.message));
}
