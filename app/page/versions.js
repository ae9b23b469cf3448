// The view Versions: all versions with their scores and decisions, promotion and rollback, and two versions side by side.

import { json, sendJson } from "./api.js";
import { ask } from "./dialog.js";
import { h, style } from "./dom.js";
import { moment, number, percent, t } from "./language.js";
import { matrix } from "./matrix.js";
import { refusal } from "./notice.js";
import { noteVersion } from "./served.js";

const RELOAD_MS = 5000;

/** Fill the view; return {go, hide}: called when the address changes, and when the reader leaves the view. */
export function mount(root, pair) {
  return new VersionsView(root, pair);
}

class VersionsView {
  #list = h("div", {});
  #comparison = h("div", {});
  #notice = h("div", { "aria-live": "polite" });
  #pair; // the versions to compare, as in the address: "3-1"
  #state = null; // the server's last answers
  #shown = ""; // state and pair that are shown: the view is drawn again only when they change
  #isHidden = false;
  #timer = 0;

  constructor(root, pair) {
    this.#pair = pair;
    root.replaceChildren(
      h("h1", {}, t("versions")),
      h("p", { class: "lead" }, t("versions.lead")),
      this.#notice,
      this.#list,
      h("section", {}, h("h2", {}, t("compare")), this.#comparison),
    );
    this.#load();
  }

  go(pair) {
    this.#pair = pair;
    if (this.#state) this.#show();
    this.#load();
  }

  hide() {
    this.#isHidden = true;
    clearTimeout(this.#timer);
  }

  async #load() {
    clearTimeout(this.#timer);
    try {
      const [{ items }, { items: promotions }, current] = await Promise.all([
        json("versions?limit=100"), json("promotions?limit=100"), json("versions/current"),
      ]);
      this.#state = { versions: items, promotions, served: current.version, promotion: current.promotion };
      noteVersion(current.version);
      if (!this.#isHidden) this.#show();
    } catch (problem) {
      if (!this.#isHidden) this.#notice.replaceChildren(refusal(problem));
    }
    if (!this.#isHidden) this.#timer = setTimeout(() => this.#load(), RELOAD_MS);
  }

  #show() {
    const now = JSON.stringify([this.#state, this.#pair]);
    if (now === this.#shown) return;
    this.#shown = now;
    this.#list.replaceChildren(table(this.#state, (version, state) => this.#promote(version, state)));
    this.#comparison.replaceChildren(comparison(this.#state, this.#pair, (first, second) => this.#choose(first, second)));
  }

  #choose(first, second) {
    this.#pair = `${first}-${second}`;
    this.#show(); // at once, because the next choice starts from this one
    location.hash = `#versions/${this.#pair}`;
  }

  async #promote({ version, evaluation }, { served, versions, promotion }) {
    const isRollback = version < served;
    const from = versions.find((item) => item.version === served);
    const before = from ? accuracyOf(from.evaluation) : "–";
    const values = { version, served, accuracy: accuracyOf(evaluation), before };
    const [title, agree] = isRollback ? ["rollback.title", "rollback"] : ["promote.title", "serve"];
    if (!(await ask(t(title, values), h("p", {}, t("promote.what", values)), t(agree)))) return;
    try {
      await sendJson("PUT", "versions/current", { version, if_promotion: promotion });
      this.#notice.replaceChildren(h("p", { class: "outcome" }, t("promoted", values)));
    } catch (problem) {
      this.#notice.replaceChildren(refusal(problem));
    }
    this.#load();
  }
}

function table(state, promote) {
  const { versions, promotions, served } = state;
  const lowest = Math.min(...versions.map(({ evaluation }) => evaluation?.interval_95[0] ?? 1));
  const heads = ["version.number", "test.accuracy", "calibration", "origin", "promoted.why", "actions"];
  const rows = versions.map((version) => {
    const { evaluation } = version;
    const isServed = version.version === served;
    const decision = promotions.find((item) => item.version === version.version && item.is_promoted) ?? promotions.find((item) => item.version === version.version);
    const isOwn = version.classes.join() !== "0,1,2,3,4,5,6,7,8,9";
    return h(
      "tr",
      { class: isServed ? "served" : null },
      h("th", { scope: "row" }, h("a", { href: `#versions/${version.version}` }, version.version), isServed && h("span", { class: "chip served" }, t("served"))),
      h("td", { "data-label": t("test.accuracy") }, h("b", {}, accuracyOf(evaluation)), evaluation && interval(evaluation, lowest)),
      h("td", { "data-label": t("calibration") }, evaluation ? number(evaluation.calibration_error, 4) : "–"),
      h("td", { "data-label": t("origin") }, version.run_id ? h("a", { href: `#train/${version.run_id}` }, t("run", { id: version.run_id })) : t(`origin.${version.origin}`), h("small", { class: "moment" }, moment(version.created_at)), isOwn && h("small", {}, version.dataset)),
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

/** Return the accuracy of an evaluation in words, also of one that nobody has measured: null. */
function accuracyOf(evaluation) {
  return evaluation ? percent(evaluation.accuracy) : t("unmeasured");
}

/** Return the 95 % interval, drawn on a scale from the lowest bound in the table to 100 %. */
function interval({ accuracy, interval_95: [low, high] }, lowest) {
  const position = (value) => `${(100 * (value - lowest)) / (1 - lowest)}%`;
  const line = style(h("span", { class: "interval", "aria-hidden": "true" }), { "--low": position(low), "--high": position(high), "--at": position(accuracy) });
  return [line, h("small", {}, t("interval", { low: percent(low), high: percent(high) }))];
}

function comparison({ versions, served }, pair, choose) {
  const find = (text) => versions.find(({ version }) => String(version) === text);
  const [named, other] = (pair || "").split("-");
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
  if (!evaluation) return h("div", { class: "stack" }, select, h("p", { class: "empty" }, t("unmeasured")));
  const against = (key, digits, unit) => {
    if (!other?.evaluation || other === version) return null;
    const change = evaluation[key] - other.evaluation[key];
    const sign = change < 0 ? "−" : "+";
    return h("small", {}, unit ? t("points", { change: `${sign}${number(Math.abs(100 * change), 2)}` }) : `${sign}${number(Math.abs(change), digits)}`);
  };
  const facts = [
    [t("test.accuracy"), percent(evaluation.accuracy), against("accuracy", 2, true)],
    [t("test.right"), t("of", { correct: number(evaluation.correct), total: number(evaluation.total) }), null],
    [t("test.loss"), number(evaluation.loss, 4), against("loss", 4)],
    [t("calibration"), number(evaluation.calibration_error, 4), against("calibration_error", 4)],
    [t("dataset"), version.dataset ?? "mnist", null],
    [t("size"), t("kilobytes", { n: number(version.size_bytes / 1000) }), null],
  ];
  const worst = evaluation.digits.reduce((low, score) => (score.recall < low.recall ? score : low));
  return h(
    "div",
    { class: "stack" },
    select,
    h("dl", { class: "facts" }, facts.map(([name, value, change]) => h("div", {}, h("dt", {}, name), h("dd", {}, value, change)))),
    matrix(evaluation.confusion_matrix, version.classes, t("matrix", { version: version.version })),
    h("p", { class: "note" }, t("worst", { digit: version.classes[worst.digit], recall: percent(worst.recall, 1) })),
  );
}
