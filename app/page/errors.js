// The newest errors that the server answered, with the ids under which its log has them. They are asked for, not polled:
// the call needs the key.

import { call } from "./api.js";
import { h } from "./dom.js";
import { moment, number, t } from "./language.js";
import { refusal } from "./notice.js";

const SHOWN = 20;
const HEADS = ["errors.when", "route", "errors.status", "errors.problem", "errors.id"];

export class RecentErrors {
  #list = h("div", {});

  constructor() {
    this.element = h("div", { class: "stack" }, h("button", { type: "button", class: "fit", onclick: () => this.#load() }, t("errors.show")), this.#list);
  }

  async #load() {
    try {
      const { items } = await (await call("errors", { access: "ask" })).json();
      this.#list.replaceChildren(items.length ? table(items) : h("p", { class: "empty" }, t("errors.none")));
    } catch (problem) {
      this.#list.replaceChildren(refusal(problem));
    }
  }
}

function table(errors) {
  const rows = errors.slice(0, SHOWN).map(({ at, method, route, status, problem, request_id }) =>
    h("tr", {}, h("th", { scope: "row" }, moment(at)), h("td", {}, h("code", {}, method, " ", route)), h("td", {}, number(status)), h("td", {}, problem ?? "–"), h("td", {}, h("code", {}, request_id))));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("errors") }, h("table", { class: "cards-if-narrow" }, h("thead", {}, h("tr", {}, HEADS.map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, rows)));
}
