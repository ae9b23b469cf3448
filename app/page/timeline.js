// The timeline of promotions: what was decided on which version, newest first.

import { decisionText } from "./decisions.js";
import { h } from "./dom.js";
import { moment, t } from "./language.js";

const SHOWN = 30;

/** Return the timeline of the decisions of GET /promotions. */
export function timeline(promotions, served) {
  const newestPromoted = promotions.find(({ is_promoted }) => is_promoted);
  const items = promotions.slice(0, SHOWN).map((promotion) => {
    const { version, promoted_at, is_promoted, reason, policy } = promotion;
    const isNow = promotion === newestPromoted && version === served;
    return h(
      "li",
      { class: isNow ? "now" : is_promoted ? null : "kept" },
      h("b", {}, h("a", { href: `#versions/${version}` }, t("version.short", { version }))),
      " ",
      h("span", {}, t(is_promoted ? (policy === "manual" ? "timeline.manual" : "timeline.served") : "timeline.kept")),
      h("small", { class: "moment" }, moment(promoted_at)),
      policy !== "manual" && h("small", { class: "reason", title: decisionText(reason) }, decisionText(reason)),
    );
  });
  return h("ol", { class: "timeline", tabindex: 0, role: "list", "aria-label": t("timeline") }, items);
}

/** Return the verdict on a version, which a later promotion by hand does not replace, and the last such promotion: [verdict, byHand]. */
export function decisionsOn(version, promotions) {
  const own = promotions.filter((promotion) => promotion.version === version);
  return [own.find(({ policy }) => policy !== "manual") ?? null, own.find(({ policy }) => policy === "manual") ?? null];
}
