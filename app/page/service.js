// The view Service: load, latency and memory of the server, and links to the API.

import { call, json } from "./api.js";
import { copyable } from "./copyable.js";
import { h } from "./dom.js";
import { parse, quantile, sum } from "./exposition.js";
import { duration, number, percent, t } from "./language.js";
import { refusal } from "./notice.js";

const POLL_MS = 2000;
const OWN = ["/metrics", "/readyz"]; // the calls that this view makes itself

/** Fill the view; return {hide}: called when the reader leaves it. */
export function mount(root) {
  return new ServiceView(root);
}

class ServiceView {
  #cards = h("dl", { class: "cards" });
  #routes = h("div", {});
  #notice = h("div", { "aria-live": "polite" });
  #last = null; // the last poll: {at, count}
  #isHidden = false;
  #timer = 0;

  constructor(root) {
    root.replaceChildren(
      h("h1", {}, t("service")),
      h("p", { class: "lead" }, t("service.lead")),
      this.#notice,
      this.#cards,
      h("section", {}, h("h2", {}, t("routes")), this.#routes),
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
      this.#notice.replaceChildren(...(ready.refused ? [refusal({ title: t("refused"), detail: ready.refused })] : []));
      this.#show(parse(text), ready, metrics);
    } catch (problem) {
      if (this.#isHidden) return;
      this.#last = null;
      this.#notice.replaceChildren(refusal(problem));
    }
    this.#timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  #show(samples, ready, metrics) {
    const isOthers = ({ route }) => !OWN.includes(route);
    const isPredict = ({ route }) => route === "/predict";
    const now = { at: performance.now(), count: sum(samples, "inkling_requests_total", isOthers) };
    const rate = this.#last && (1000 * (now.count - this.#last.count)) / (now.at - this.#last.at);
    this.#last = now;
    const memory = sum(samples, "process_resident_memory_bytes");
    const start = sum(samples, "process_start_time_seconds");
    const [median, p95] = [0.5, 0.95].map((share) => quantile(samples, "inkling_request_seconds", share, isPredict));
    this.#cards.replaceChildren(
      card(t("serving"), t("version", { version: ready.version }), metrics.accuracy === null ? t("unmeasured") : percent(metrics.accuracy)),
      card(t("rate"), rate === null ? "–" : number(rate, 1), t("rate.unit")),
      card(t("latency"), median === null ? "–" : milliseconds(median), p95 === null ? t("latency.none") : t("latency.p95", { value: milliseconds(p95) })),
      card(t("memory"), memory ? `${number(memory / 2 ** 20)} MB` : "–", t("memory.note")),
      card(t("images"), number(sum(samples, "inkling_images_total")), t("since")),
      card(t("uptime"), start ? duration(Date.now() / 1000 - start) : "–", ""),
    );
    this.#routes.replaceChildren(byRoute(samples));
  }
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

function card(name, value, note) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value, h("small", {}, note)));
}

function milliseconds(seconds) {
  return `${number(1000 * seconds, seconds < 0.01 ? 1 : 0)} ms`;
}

function byRoute(samples) {
  const counted = samples.filter(({ name }) => name === "inkling_request_seconds_count").sort((a, b) => b.value - a.value);
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
