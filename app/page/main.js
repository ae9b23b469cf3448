// The page: shows one of four views. Its name is in the address, so that links and the back button work.

import { h, s } from "./dom.js";
import { sourceName } from "./corrections.js";
import * as draw from "./draw.js";
import { choose, current, percent, t } from "./language.js";
import { startOffline } from "./offline.js";
import { followAddress, leaveLink } from "./present.js";
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
    h("a", { class: "name", href: "#draw" }, wordmark(), h("span", { class: "unseen" }, "Inkling")),
    servedChip,
    h("nav", { "aria-label": t("views") }, Object.keys(VIEWS).map((name) => h("a", { href: `#${name}` }, t(name)))),
    h("button", { id: "language", class: "plain", type: "button", lang: other, onclick: change }, other === "zh" ? "中文" : "English"),
    leaveLink(),
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

/** The mark, a 7, and the name as written by hand. */
function wordmark() {
  const seven = "M7 8.5C12 7 18 7.2 24 7.5C19 13 15 19 13.5 26.5";
  const name = [
    "M38 8C37.6 14 37 20 36.4 26", // I
    "M45 14.6C44.8 18 44.4 22 44 26M44.6 19C47 14.6 53.4 12.6 53.2 18C53.1 20.6 52.7 23.2 52.6 26", // n
    "M61.6 6.8C61 13 60.4 20 60 26M69.4 14.2C66.6 17 63.6 19 60.8 20M64 19C65.8 21.6 67.8 24 70.2 26", // k
    "M76.4 6.8C75.8 12 75 17.6 75 22.6C75 25.2 76.4 26.2 78.2 25.4", // l
    "M84 14.6C83.7 18 83.4 22 83 26M84.8 8.6V8.7", // i
    "M91.6 14.6C91.4 18 91 22 90.6 26M91.2 19C93.6 14.6 100 12.6 99.8 18C99.7 20.6 99.3 23.2 99.2 26", // n
    "M115.6 16.4C113.4 13.4 106.6 14 106.2 20C106 25.4 112.4 26.8 115 21.4M116 14.8C115.6 20 115.4 25.6 114.6 29.4C113.6 33.8 107.8 34 106.4 30.8", // g
  ];
  return s(
    "svg",
    { viewBox: "4 4 116 32", class: "wordmark", "aria-hidden": "true" },
    s("path", { d: seven, class: "mark" }),
    s("path", { d: name.join("") }),
  );
}

addEventListener("hashchange", () => show(false));
render();
followAddress();
startOffline();
watchServer(nameServed);
