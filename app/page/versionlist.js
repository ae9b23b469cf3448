// The table of versions: scores, origin, the verdict of the run that made each, and what can be done with it.

import { decisionText } from "./decisions.js";
import { h } from "./dom.js";
import { moment, number, percent, t } from "./language.js";
import { decisionsOn } from "./timeline.js";

const DIGITS = "0,1,2,3,4,5,6,7,8,9";
const HEADS = ["version.number", "test.accuracy", "calibration", "origin", "promoted.why", "actions"];

/** Return the versions without those whose file another one has, too: [{...version, twins: [numbers]}], newest first.
 *
 * Of equal ones the served one stands for all, else the newest. */
export function foldTwins(versions, served) {
  const groups = Map.groupBy(versions, ({ digest }) => digest);
  return [...groups.values()].map((group) => {
    const chosen = group.find(({ version }) => version === served) ?? group[0];
    return { ...chosen, twins: group.map(({ version }) => version).filter((version) => version !== chosen.version) };
  });
}

/** Return the table; `promote(version)` is called when the reader asks for it. */
export function versionList({ versions, promotions, served }, promote) {
  const rows = foldTwins(versions, served).map((version) => row(version, promotions, served, promote));
  const head = h("thead", {}, h("tr", {}, HEADS.map((key) => h("th", { scope: "col" }, t(key)))));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("versions") }, h("table", { class: "cards-if-narrow" }, head, h("tbody", {}, rows)));
}

function row(version, promotions, served, promote) {
  const { evaluation, twins } = version;
  const isServed = version.version === served;
  const label = version.version < served ? "rollback" : "serve";
  const file = { class: "button", href: `versions/${version.version}/checkpoint`, download: true, "aria-label": t("download.version", { version: version.version }) };
  return h(
    "tr",
    { class: isServed ? "served" : null },
    h(
      "th",
      { scope: "row" },
      h("a", { href: `#versions/${version.version}` }, version.version),
      isServed && h("span", { class: "chip served" }, t("served")),
      twins.length > 0 && h("small", {}, t("twins", { versions: twins.join(", ") })),
    ),
    h("td", { "data-label": t("test.accuracy") }, h("b", {}, accuracyOf(evaluation)), evaluation && h("small", {}, intervalOf(evaluation))),
    h("td", { "data-label": t("calibration") }, evaluation ? number(evaluation.calibration_error, 4) : "–"),
    h("td", { "data-label": t("origin") }, origin(version)),
    h("td", { class: "wide" }, decisions(version.version, promotions)),
    h("td", { class: "actions" }, h("div", { class: "row end fixed" }, !isServed && h("button", { type: "button", onclick: () => promote(version) }, t(label)), h("a", file, t("download")))),
  );
}

function origin({ run_id, origin, created_at, dataset, classes }) {
  const isOwn = classes.join() !== DIGITS;
  return [
    run_id ? h("a", { href: `#train/${run_id}` }, t("run", { id: run_id })) : t(`origin.${origin}`),
    h("small", { class: "moment" }, moment(created_at)),
    isOwn && h("small", {}, t("classes", { dataset: dataset ?? "", classes: classes.join(", ") })),
  ];
}

/** Return the recorded verdict, and below it when a person promoted the version later. */
function decisions(version, promotions) {
  const [verdict, byHand] = decisionsOn(version, promotions);
  return [
    verdict && h("small", {}, moment(verdict.promoted_at), ": ", decisionText(verdict.reason)),
    byHand && h("small", { class: "by-hand" }, t("by.hand", { when: moment(byHand.promoted_at) })),
  ];
}

/** Return the accuracy of an evaluation in words, also of one that nobody has measured: null. */
export function accuracyOf(evaluation) {
  return evaluation ? percent(evaluation.accuracy) : t("unmeasured");
}

function intervalOf({ interval_95: [low, high] }) {
  return t("interval", { low: percent(low), high: percent(high) });
}
