// The page: shows one of four views. Its name is in the address, so that links and the back button work.

import { h, s } from "./dom.js";
import * as draw from "./draw.js";
import { choose, current, t } from "./language.js";
import * as service from "./service.js";
import * as train from "./train.js";
import * as versions from "./versions.js";

const VIEWS = { draw, train, versions, service };
const main = document.getElementById("main");
let shown = null; // {name, hide, go}

/** Return the view's name and the rest of the address: #versions/3-1 is ["versions", "3-1"]. */
function adrender() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  return Object.hasOwn(VIEWS, name) ? [name, rest.join("/")] : ["draw", ""];
}

function show(isForced) {
  const [name, rest] = adrender();
  if (shown?.name === name && !isForced) return shown.go?.(rest);
  shown?.hide?.();
  const root = h("section", { class: "view", "data-view": name });
  main.replaceChildren(root);
  shown = { name, ...VIEWS[name].mount(root, rest) };
  document.title = name === "draw" ? "Inkling" : `${t(name)} · Inkling`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function render() {
  const language = current();
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  const other = language === "zh" ? "en" : "zh";
  const change = () => {
    choose(other);
    render();
    document.getElementById("language").focus();
  };
  document.getElementById("top").replaceChildren(
    h("a", { class: "skip", href: "#main", onclick: (event) => (event.preventDefault(), main.focus()) }, t("skip")),
    h("a", { class: "name", href: "#draw" }, mark(), "Inkling"),
    h("nav", { "aria-label": t("views") }, Object.keys(VIEWS).map((name) => h("a", { href: `#${name}` }, t(name)))),
    h("button", { id: "language", class: "plain", type: "button", lang: other, onclick: change }, other === "zh" ? "中文" : "English"),
  );
  document.getElementById("foot").replaceChildren(
    h("span", {}, t("foot")),
    h("a", { href: "docs" }, t("api")),
  );
  show(true);
}

function mark() {
  const path = "M7 8.5C12 7 18 7.2 24 7.5C19 13 15 19 13.5 26.5";
  return s("svg", { viewBox: "4 4 24 26", class: "mark", "aria-hidden": "true" }, s("path", { d: path }));
}

addEventListener("hashchange", () => show(false));
render();
