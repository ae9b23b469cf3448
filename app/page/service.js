// The view Service: load, latency and memory of the server, and links to the API.

import { call, json } from "./api.js";
import { copyable } from "./copyable.js";
import { h } from "./dom.js";
import { chiSquare, LEAST_ANSWERS } from "./drift.js";
import { parse, quantile, sum } from "./exposition.js";
import { answeredConfidences, answeredDigits, History, isOwnCall } from "./history.js";
import { duration, number, percent, t } from "./language.js";
import { refusal } from "./notice.js";
import { serverText } from "./server_texts.js";
import { RecentErrors } from "./errors.js";
import { histogram, sparkline, strip } from "./trends.js";

const POLL_MS = 2000;
const SIGNIFICANCE = 0.01;
const history = new History(); // stays when the reader looks at another view

/** Fill the view; return {hide}: called when the reader leaves it. */
export function mount(root) {
  return new ServiceView(root);
}

class ServiceView {
  #cards = h("dl", { class: "cards" });
  #answers = h("div", { class: "answers" });
  #drift = h("p", { class: "note" });
  #routes = h("div", {});
  #notice = h("div", { "aria-live": "polite" });
  #isHidden = false;
  #timer = 0;

  constructor(root) {
    root.replaceChildren(
      h("h1", {}, t("service")),
      h("p", { class: "lead" }, t("service.lead")),
      this.#notice,
      this.#cards,
      h("section", {}, h("h2", {}, t("answers")), this.#drift, this.#answers),
      h("section", {}, h("h2", {}, t("routes")), h("p", { class: "note" }, t("routes.note")), this.#routes),
      h("section", {}, h("h2", {}, t("errors")), h("p", { class: "note" }, t("errors.note")), new RecentErrors().element),
      examples(),
    );
    this.#poll();
  }

  hide() {
    this.#isHidden = true;
    clearTimeout(this.#timer);
  }

  async #poll() {
    try {
      const [ready, metrics, text] = await Promise.all([
        json("readyz"), json("metrics"), call("metrics?format=prometheus").then((response) => response.text()),
      ]);
      if (this.#isHidden) return;
      this.#notice.replaceChildren(...(ready.refused ? [refusal({ title: t("refused"), detail: serverText(ready.refused) })] : []));
      this.#show(parse(text), ready, metrics);
    } catch (problem) {
      if (this.#isHidden) return;
      history.pause();
      this.#notice.replaceChildren(refusal(problem));
    }
    this.#timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  #show(samples, ready, metrics) {
    const isPredict = ({ route }) => route === "/predict";
    history.add(samples, performance.now());
    const { points } = history;
    const [rate, p99] = [points.at(-1)?.rate ?? null, points.findLast((point) => point.p99 !== null)?.p99 ?? null];
    const past = duration(points.reduce((total, { seconds }) => total + seconds, 0));
    const memory = sum(samples, "process_resident_memory_bytes");
    const start = sum(samples, "process_start_time_seconds");
    const [median, p95] = [0.5, 0.95].map((share) => quantile(samples, "inkling_request_seconds", share, isPredict));
    this.#cards.replaceChildren(
      card(t("serving"), t("version", { version: ready.version }), metrics.accuracy === null ? t("unmeasured") : percent(metrics.accuracy)),
      card(t("rate"), rate === null ? "–" : number(rate, 1), t("rate.unit"), sparkline(points.map((point) => point.rate), t("rate.line", { past }))),
      card(t("latency"), median === null ? "–" : milliseconds(median), latencies(p95, p99), sparkline(points.map((point) => point.p99), t("p99.line", { past }))),
      card(t("memory"), memory ? `${number(memory / 2 ** 20)} MB` : "–", t("memory.note")),
      card(t("images"), number(sum(samples, "inkling_images_total")), t("since")),
      card(t("uptime"), start ? duration(Date.now() / 1000 - start) : "–", ""),
    );
    this.#routes.replaceChildren(byRoute(samples));
    this.#showAnswers(samples, metrics, past);
  }

  #showAnswers(samples, { classes, confusion_matrix: confusion }, past) {
    const digits = answeredDigits(samples);
    const tested = confusion ? classes.map((_, read) => confusion.reduce((total, row) => total + row[read], 0)) : null;
    const images = tested?.reduce((total, count) => total + count, 0);
    const rows = digits.map((count, digit) => ({ name: classes[digit], count, expected: tested ? tested[digit] / images : null }));
    const confidences = answeredConfidences(samples).filter(({ to, from }) => to > from).map(({ from, to, count }) => ({ name: `${percent(from, 1)} – ${percent(to, 1)}`, below: percent(to, 1), count, expected: null }));
    const share = (value) => percent(value, 1);
    const { points } = history;
    this.#drift.textContent = drift(digits, tested);
    this.#answers.replaceChildren(
      figure(t("answers.digits"), t("answers.digits.note"), histogram(rows, t("answers.digits"), share)),
      figure(t("answers.confidences"), t("since"), histogram(confidences, t("answers.confidences"), share)),
      figure(t("answers.digits.time"), t("answers.time.note", { past }), strip(classes, points.map((point) => point.digits), t("answers.digits.time"))),
      figure(t("answers.confidences.time"), t("answers.time.note", { past }), strip(confidences.map(({ below }) => below), points.map((point) => point.confidences), t("answers.confidences.time"))),
    );
  }
}

/** Return a figure: a title, pictures, and a note below them. */
function figure(title, note, ...pictures) {
  return h("figure", { class: "stack tight" }, h("h3", {}, title), pictures, h("figcaption", { class: "note" }, note));
}

/** Return the sentence about the drift of the answers (10) from those on the test set. */
function drift(answers, tested) {
  if (!tested) return t("drift.unmeasured");
  const n = answers.reduce((total, count) => total + count, 0);
  const found = chiSquare(answers, tested);
  if (found === null) return t("drift.few", { n: number(n), least: LEAST_ANSWERS });
  const p = found.p < 0.001 ? `< ${number(0.001, 3)}` : `= ${number(found.p, 3)}`;
  const values = { statistic: number(found.statistic, 1), freedom: found.freedom, p, n: number(n) };
  return t(found.p < SIGNIFICANCE ? "drift.seen" : "drift.none", { test: t("drift.test", values) });
}

/** Return the section of links and command lines. */
function examples() {
  const base = new URL(".", document.baseURI).href.replace(/\/$/, "");
  return h(
    "section",
    { class: "stack" },
    h("h2", {}, t("calls")),
    h("p", { class: "row links" }, h("a", { href: "docs" }, t("docs")), h("a", { href: "metrics" }, t("metrics")), h("a", { href: "openapi.json" }, "OpenAPI"), h("a", { href: "problems" }, t("problems"))),
    [`curl -F file=@digit.png '${base}/predict?fit=mnist'`, `curl -X POST ${base}/train`, `curl ${base}/metrics`].map((line) => copyable(line)),
  );
}

function card(name, value, note, line) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value, h("small", {}, note), line));
}

function latencies(p95, p99) {
  if (p95 === null) return t("latency.none");
  return t("latency.p95", { value: milliseconds(p95) }) + (p99 === null ? "" : t("latency.p99", { value: milliseconds(p99) }));
}

function milliseconds(seconds) {
  return `${number(1000 * seconds, seconds < 0.01 ? 1 : 0)} ms`;
}

function byRoute(samples) {
  const counted = samples.filter(({ name, labels }) => name === "inkling_request_seconds_count" && !isOwnCall(labels)).sort((a, b) => b.value - a.value);
  const rows = counted.map(({ labels: { route }, value }) => {
    const isSame = (labels) => labels.route === route;
    const failed = sum(samples, "inkling_requests_total", ({ route: other, status }) => other === route && Number(status) >= 400);
    const p95 = quantile(samples, "inkling_request_seconds", 0.95, isSame);
    return h("tr", {}, h("th", { scope: "row" }, h("code", {}, route)), h("td", {}, number(value)), h("td", {}, number(failed)),
      h("td", {}, milliseconds(sum(samples, "inkling_request_seconds_sum", isSame) / value)), h("td", {}, p95 === null ? "–" : milliseconds(p95)));
  });
  const heads = ["route", "requests", "refusals", "mean", "p95"];
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("routes") }, h("table", { class: "numbers" }, h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, rows)));
}
