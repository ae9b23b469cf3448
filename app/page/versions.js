// The place Versions: every trained version with its scores, which one is served, and how it came to be.

import { call, json, sendJson } from "./api.js";
import { ask } from "./dialog.js";
import { h, style } from "./dom.js";
import { moment, number, percent, t } from "./language.js";
import { matrix } from "./matrix.js";
import { refusal } from "./notice.js";

const RELOAD_MS = 5000;

export function mount(root, rest) {
  const list = h("div", {});
  const pair = h("div", {});
  const notice = h("div", { "aria-live": "polite" });
  let chosen = rest;
  let state = null; // what the server told last
  let known = ""; // what is shown: shown again only when it is another
  let isGone = false;
  let timer = 0;

  async function load() {
    clearTimeout(timer);
    try {
      const [{ items }, { items: promotions }, current] = await Promise.all([
        json("versions?limit=100"), json("promotions?limit=100"), call("versions/current"),
      ]);
      state = { versions: items, promotions, served: (await current.json()).version, tag: current.headers.get("ETag") };
      if (!isGone) show();
    } catch (problem) {
      if (!isGone) notice.replaceChildren(refusal(problem));
    }
    if (!isGone) timer = setTimeout(load, RELOAD_MS);
  }

  function show() {
    const now = JSON.stringify([state, chosen]);
    if (now === known) return;
    known = now;
    list.replaceChildren(table(state, promote));
    pair.replaceChildren(comparison(state, chosen, choose));
  }

  function choose(first, second) {
    chosen = `${first}-${second}`;
    show(); // at once: the next choice starts from this one
    location.hash = `#versions/${chosen}`;
  }

  async function promote(version, { served, versions, tag }) {
    const isBack = version.version < served;
    const from = versions.find((item) => item.version === served);
    const values = { version: version.version, served, accuracy: percent(version.evaluation.accuracy), before: from ? percent(from.evaluation.accuracy) : "–" };
    if (!(await ask(t(isBack ? "rollback.title" : "promote.title", values), h("p", {}, t("promote.what", values)), t(isBack ? "rollback" : "serve")))) return;
    try {
      await sendJson("PUT", "versions/current", { version: version.version }, { "If-Match": tag });
      notice.replaceChildren(h("p", { class: "outcome" }, t("promoted", values)));
    } catch (problem) {
      notice.replaceChildren(refusal(problem));
    }
    load();
  }

  root.replaceChildren(h("h1", {}, t("versions")), h("p", { class: "lead" }, t("versions.lead")), notice, list, h("section", {}, h("h2", {}, t("compare")), pair));
  load();
  return {
    go(now) {
      chosen = now;
      if (state) show();
      load();
    },
    hide() {
      isGone = true;
      clearTimeout(timer);
    },
  };
}

function table(state, promote) {
  const { versions, promotions, served } = state;
  const lowest = Math.min(...versions.map(({ evaluation }) => evaluation.interval_95[0]));
  const heads = ["version.number", "test.accuracy", "calibration", "origin", "promoted.why", "actions"];
  const rows = versions.map((version) => {
    const { evaluation } = version;
    const isServed = version.version === served;
    const decision = promotions.find((item) => item.version === version.version && item.is_promoted) ?? promotions.find((item) => item.version === version.version);
    return h(
      "tr",
      { class: isServed ? "served" : null },
      h("th", { scope: "row" }, h("a", { href: `#versions/${version.version}` }, version.version), isServed && h("span", { class: "chip served" }, t("served"))),
      h("td", { "data-label": t("test.accuracy") }, h("b", {}, percent(evaluation.accuracy)), interval(evaluation, lowest)),
      h("td", { "data-label": t("calibration") }, number(evaluation.calibration_error, 4)),
      h("td", { "data-label": t("origin") }, version.run_id ? h("a", { href: `#train/${version.run_id}` }, t("run", { id: version.run_id })) : t(`origin.${version.origin}`), h("small", { class: "moment" }, moment(version.created_at))),
      h("td", { class: "wide" }, decision && h("small", {}, moment(decision.promoted_at), ": ", decision.reason)),
      h(
        "td",
        { class: "actions" },
        h(
          "div",
          { class: "row end fixed" },
          !isServed && h("button", { type: "button", onclick: () => promote(version, state) }, t(version.version < served ? "rollback" : "serve")),
          h("a", { class: "button", href: `versions/${version.version}/checkpoint`, download: true, "aria-label": t("download.version", { version: version.version }) }, t("download")),
        ),
      ),
    );
  });
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("versions") }, h("table", { class: "cards-if-narrow" }, h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, rows)));
}

/** Draw the 95 % interval on a scale from the lowest one shown to 100 %. */
function interval({ accuracy, interval_95: [low, high] }, lowest) {
  const place = (value) => `${(100 * (value - lowest)) / (1 - lowest)}%`;
  const line = style(h("span", { class: "interval", "aria-hidden": "true" }), { "--low": place(low), "--high": place(high), "--at": place(accuracy) });
  return [line, h("small", {}, t("interval", { low: percent(low), high: percent(high) }))];
}

function comparison({ versions, served }, chosen, choose) {
  const find = (text) => versions.find(({ version }) => String(version) === text);
  const [named, other] = (chosen || "").split("-");
  const first = find(named) ?? find(String(served)) ?? versions[0];
  const second = find(other) ?? find(String(served === first.version ? versions.find(({ version }) => version !== served)?.version : served));
  const select = (label, value, pick) => h("label", { class: "field" }, h("span", {}, label), h("select", { onchange: (event) => pick(event.target.value) },
    versions.map(({ version }) => h("option", { value: version, selected: version === value }, version === served ? t("version.served", { version }) : t("version", { version })))));
  return h(
    "div",
    { class: "pair" },
    column(first, select(t("left"), first.version, (value) => choose(value, (second ?? first).version))),
    second ? column(second, select(t("right"), second.version, (value) => choose(first.version, value)), first) : h("p", { class: "empty" }, t("compare.none")),
  );
}

function column(version, select, other) {
  const { evaluation } = version;
  const against = (key, digits, unit) => {
    if (!other || other === version) return null;
    const change = evaluation[key] - other.evaluation[key];
    const sign = change < 0 ? "−" : "+";
    return h("small", {}, unit ? t("points", { change: `${sign}${number(Math.abs(100 * change), 2)}` }) : `${sign}${number(Math.abs(change), digits)}`);
  };
  const facts = [
    [t("test.accuracy"), percent(evaluation.accuracy), against("accuracy", 2, true)],
    [t("test.right"), t("of", { correct: number(evaluation.correct), total: number(evaluation.total) }), null],
    [t("test.loss"), number(evaluation.loss, 4), against("loss", 4)],
    [t("calibration"), number(evaluation.calibration_error, 4), against("calibration_error", 4)],
    [t("size"), t("kilobytes", { n: number(version.size_bytes / 1000) }), null],
  ];
  const worst = evaluation.digits.reduce((low, score) => (score.recall < low.recall ? score : low));
  return h(
    "div",
    { class: "stack" },
    select,
    h("dl", { class: "facts" }, facts.map(([name, value, change]) => h("div", {}, h("dt", {}, name), h("dd", {}, value, change)))),
    matrix(evaluation.confusion_matrix, t("matrix", { version: version.version })),
    h("p", { class: "note" }, t("worst", { digit: worst.digit, recall: percent(worst.recall, 1) })),
  );
}
