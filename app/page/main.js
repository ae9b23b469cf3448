// The page: shows one of four views. Its name is in the address, so that links and the back button work.

import { h, s } from "./dom.js";
import { sourceName } from "./corrections.js";
import * as draw from "./draw.js";
import { choose, current, percent, t } from "./language.js";
import { startOffline } from "./offline.js";
import { watchServed } from "./served.js";
import { isServerAway, watchServer } from "./server.js";
import * as service from "./service.js";
import * as train from "./train.js";
import * as versions from "./versions.js";

const VIEWS = { draw, train, versions, service };
const main = document.getElementById("main");
const servedChip = h("a", { class: "chip served", id: "served", hidden: true });
const kept = h("span", {}); // what the server keeps
let stopWatching = null;
let shown = null; // {name, view}

/** Return the view's name and the rest of the address: #versions/3-1 is ["versions", "3-1"]. */
function adrender() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  return Object.hasOwn(VIEWS, name) ? [name, rest.join("/")] : ["draw", ""];
}

function show(isForced) {
  const [name, rest] = adrender();
  if (shown?.name === name && !isForced) return shown.view.go?.(rest);
  shown?.view.hide?.();
  const root = h("section", { class: "view", "data-view": name });
  main.replaceChildren(root);
  shown = { name, view: VIEWS[name].mount(root, rest) };
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
    servedChip,
    h("nav", { "aria-label": t("views") }, Object.keys(VIEWS).map((name) => h("a", { href: `#${name}` }, t(name)))),
    h("button", { id: "language", class: "plain", type: "button", lang: other, onclick: change }, other === "zh" ? "中文" : "English"),
  );
  document.getElementById("foot").replaceChildren(
    kept,
    h("a", { href: "docs" }, t("api")),
  );
  show(true);
  nameServed();
}

function nameServed() {
  stopWatching?.();
  stopWatching = watchServed(showServed);
}

/** Name the version that answers in the header, and say in the footer what is kept. */
function showServed({ version, accuracy, takesFeedback }) {
  servedChip.hidden = false;
  servedChip.href = `#versions/${version}`;
  const parts = [`v${version}`, accuracy !== null && percent(accuracy), isServerAway() && t("served.here")];
  servedChip.textContent = parts.filter(Boolean).join(" · ");
  servedChip.classList.toggle("away", isServerAway());
  servedChip.title = t(isServerAway() ? "served.here.note" : "served.chip", { version });
  kept.textContent = takesFeedback ? t("foot.feedback", { name: sourceName() }) : t("foot");
}

function mark() {
  const path = "M7 8.5C12 7 18 7.2 24 7.5C19 13 15 19 13.5 26.5";
  return s("svg", { viewBox: "4 4 24 26", class: "mark", "aria-hidden": "true" }, s("path", { d: path }));
}

addEventListener("hashchange", () => show(false));
render();
startOffline();
watchServer(nameServed);
