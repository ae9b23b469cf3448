// The place Service: how the server is doing, and where else to go.

import { call, json } from "./api.js";
import { copyable } from "./copyable.js";
import { h } from "./dom.js";
import { parse, quantile, sum } from "./exposition.js";
import { duration, number, percent, t } from "./language.js";
import { refusal } from "./notice.js";

const LOOK_MS = 2000;
const OWN = ["/metrics", "/readyz"]; // what this place asks for itself

export function mount(root) {
  const cards = h("dl", { class: "cards" });
  const routes = h("div", {});
  const notice = h("div", { "aria-live": "polite" });
  let before = null; // the last look: {at, count}
  let isGone = false;
  let timer = 0;

  async function look() {
    try {
      const [ready, metrics, text] = await Promise.all([
        json("readyz"), json("metrics"), call("metrics?format=prometheus").then((response) => response.text()),
      ]);
      if (isGone) return;
      notice.replaceChildren(...(ready.refused ? [refusal({ title: t("refused"), detail: ready.refused })] : []));
      show(parse(text), ready, metrics);
    } catch (problem) {
      if (isGone) return;
      before = null;
      notice.replaceChildren(refusal(problem));
    }
    timer = setTimeout(look, LOOK_MS);
  }

  function show(samples, ready, metrics) {
    const isOthers = ({ route }) => !OWN.includes(route);
    const isPredict = ({ route }) => route === "/predict";
    const now = { at: performance.now(), count: sum(samples, "inkling_requests_total", isOthers) };
    const rate = before && (1000 * (now.count - before.count)) / (now.at - before.at);
    before = now;
    const memory = sum(samples, "process_resident_memory_bytes");
    const start = sum(samples, "process_start_time_seconds");
    const latency = [0.5, 0.95].map((share) => quantile(samples, "inkling_request_seconds", share, isPredict));
    cards.replaceChildren(
      card(t("serving"), t("version", { version: ready.version }), percent(metrics.accuracy)),
      card(t("rate"), rate === null ? "–" : number(rate, 1), t("rate.unit")),
      card(t("latency"), latency[0] === null ? "–" : milliseconds(latency[0]), latency[1] === null ? t("latency.none") : t("latency.p95", { value: milliseconds(latency[1]) })),
      card(t("memory"), memory ? `${number(memory / 2 ** 20)} MB` : "–", t("memory.note")),
      card(t("images"), number(sum(samples, "inkling_images_total")), t("since")),
      card(t("uptime"), start ? duration(Date.now() / 1000 - start) : "–", ""),
    );
    routes.replaceChildren(byRoute(samples));
  }

  const base = new URL(".", document.baseURI).href.replace(/\/$/, "");
  root.replaceChildren(
    h("h1", {}, t("service")),
    h("p", { class: "lead" }, t("service.lead")),
    notice,
    cards,
    h("section", {}, h("h2", {}, t("routes")), routes),
    h(
      "section",
      { class: "stack" },
      h("h2", {}, t("calls")),
      h("p", { class: "row links" }, h("a", { href: "docs" }, t("docs")), h("a", { href: "metrics" }, t("metrics")), h("a", { href: "openapi.json" }, "OpenAPI"), h("a", { href: "problems" }, t("problems"))),
      [`curl -F file=@digit.png '${base}/predict?fit=mnist'`, `curl -X POST ${base}/train`, `curl ${base}/metrics`].map((line) => copyable(line)),
    ),
  );
  look();
  return {
    hide() {
      isGone = true;
      clearTimeout(timer);
    },
  };
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
    const isIt = (labels) => labels.route === route;
    const failed = sum(samples, "inkling_requests_total", ({ route: other, status }) => other === route && Number(status) >= 400);
    const p95 = quantile(samples, "inkling_request_seconds", 0.95, isIt);
    return h("tr", {}, h("th", { scope: "row" }, h("code", {}, route)), h("td", {}, number(value)), h("td", {}, number(failed)),
      h("td", {}, milliseconds(sum(samples, "inkling_request_seconds_sum", isIt) / value)), h("td", {}, p95 === null ? "–" : milliseconds(p95)));
  });
  const heads = ["route", "requests", "refusals", "mean", "p95"];
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("routes") }, h("table", { class: "numbers" }, h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, rows)));
}
