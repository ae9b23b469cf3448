// ?present: the pad, the answer and the inside view as large as the screen allows, for a projector.

import { h } from "./dom.js";
import { t } from "./language.js";
import { startTour } from "./tour.js";

/** Return the links to the tour and to the large view. Each is an address, too. */
export function waysToShow() {
  return h(
    "p",
    { class: "row links ways" },
    h("a", { href: "?tour", onclick: (event) => (event.preventDefault(), startTour()) }, t("tour")),
    h("a", { href: "?present", onclick: (event) => (event.preventDefault(), enter()) }, t("present")),
  );
}

/** Return the link that leaves the large view. */
export function leaveLink() {
  return h("a", { class: "leave", href: "./", onclick: (event) => (event.preventDefault(), leave()) }, t("present.leave"));
}

/** Follow the address: ?present and ?tour. */
export function followAddress() {
  const query = new URLSearchParams(location.search);
  addEventListener("popstate", show);
  addEventListener("keydown", (event) => event.key === "Escape" && isPresent() && !document.querySelector("dialog[open]") && leave());
  show();
  if (query.has("tour")) startTour();
}

function isPresent() {
  return new URLSearchParams(location.search).has("present");
}

function enter() {
  history.pushState(null, "", `?present${location.hash}`);
  show();
}

function leave() {
  history.pushState(null, "", `${location.pathname}${location.hash}`);
  show();
}

function show() {
  document.documentElement.classList.toggle("present", isPresent());
  scrollTo(0, 0);
}
