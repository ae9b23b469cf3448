// The view Versions: all versions with their scores and decisions, promotion and rollback, and two versions side by side.

import { accuracyAxes, cost, isSameDataset } from "./accuracy.js";
import { json, sendJson } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { number, percent, t } from "./language.js";
import { matrix } from "./matrix.js";
import { showMisread } from "./misread.js";
import { refusal } from "./notice.js";
import { noteVersion } from "./served.js";
import { timeline } from "./timeline.js";
import { accuracyOf, foldTwins, versionList } from "./versionlist.js";

const RELOAD_MS = 5000;

/** Fill the view; return {go, hide}: called when the address changes, and when the reader leaves the view. */
export function mount(root, pair) {
  return new VersionsView(root, pair);
}

class VersionsView {
  #axes = h("div", { class: "axes" });
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
      this.#axes,
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
    const { versions, promotions, served } = this.#state;
    this.#axes.replaceChildren(...accuracyAxes(foldTwins(versions, served), served), h("div", {}, h("h2", {}, t("timeline")), timeline(promotions, served)));
    this.#list.replaceChildren(versionList(this.#state, (version) => this.#promote(version, this.#state)));
    this.#comparison.replaceChildren(comparison(this.#state, this.#pair, (first, second) => this.#choose(first, second)));
  }

  #choose(first, second) {
    this.#pair = `${first}-${second}`;
    this.#show(); // at once, because the next choice starts from this one
    location.hash = `#versions/${this.#pair}`;
  }

  async #promote(candidate, { served, versions, promotion }) {
    const { version } = candidate;
    const from = versions.find((item) => item.version === served);
    const isOther = from !== undefined && !isSameDataset(candidate, from);
    const values = { version, served, accuracy: accuracyOf(candidate.evaluation), before: from ? accuracyOf(from.evaluation) : "–" };
    const [title, agree] = version < served ? ["rollback.title", "rollback"] : ["promote.title", "serve"];
    const warnings = isOther ? [t("promote.other", { classes: candidate.classes.join(", ") })] : costInWords(cost(candidate, from), candidate);
    const content = [h("p", {}, t(isOther ? "promote.replaces" : "promote.what", values)), ...warnings.map((text) => h("p", { class: "refusal" }, text))];
    if (!(await ask(t(title, values), content, t(agree), { isDangerous: warnings.length > 0 }))) return;
    try {
      await sendJson("PUT", "versions/current", { version, if_promotion: promotion, across_datasets: isOther });
      this.#notice.replaceChildren(h("p", { class: "outcome" }, t("promoted", values)));
    } catch (problem) {
      this.#notice.replaceChildren(refusal(problem));
    }
    this.#load();
  }
}

/** Return what a demotion costs: the points of accuracy, and the class that loses most. */
function costInWords(costs, { classes }) {
  if (costs === null) return [];
  return [t("demotion", { ...costs, digit: classes[costs.digit], from: percent(costs.from, 1), to: percent(costs.to, 1) })];
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
  const misread = h("div", { class: "stack tight", hidden: true, "aria-live": "polite" });
  const worst = evaluation.digits.reduce((low, score) => (score.recall < low.recall ? score : low));
  return h(
    "div",
    { class: "stack" },
    select,
    h("dl", { class: "facts" }, facts.map(([name, value, change]) => h("div", {}, h("dt", {}, name), h("dd", {}, value, change)))),
    matrix(evaluation.confusion_matrix, version.classes, t("matrix", { version: version.version }), (actual, read) => showMisread(misread, version, actual, read)),
    misread,
    h("p", { class: "note" }, t("worst", { digit: version.classes[worst.digit], recall: percent(worst.recall, 1) })),
  );
}
