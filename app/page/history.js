// The past of the service while this page was open: the differences between polls of its metrics.

import { bucketsOf, quantileOf, sum } from "./exposition.js";

const KEPT = 150; // points: five minutes of a poll every two seconds
const LATENCIES = "inkling_request_seconds";
const CONFIDENCES = "inkling_confidence_ratio";

/** The routes that this page, and those who watch the service, call by themselves. */
const WATCHED = new Set([
  "/", "/app.webmanifest", "/docs", "/errors", "/livez", "/metrics", "/openapi.json", "/page/{digest}/{name}",
  "/promotions", "/readyz", "/service-worker.js", "/train/{run_id}/events", "/train/{run_id}/weights", "/versions/current",
  "/versions/{version}/misread", "/versions/{version}/units/{layer}/{unit}",
]);
const READ = new Set(["/feedback", "/train", "/train/{run_id}", "/versions", "/versions/{version}", "/versions/{version}/checkpoint"]); // of which the page calls GET

/** Return whether the labels of a sample are of calls that the page makes by itself. */
export function isOwnCall({ route, method }) {
  return WATCHED.has(route) || (READ.has(route) && method === "GET");
}

export class History {
  #last = null; // the last poll's counters
  points = []; // {seconds, rate, p99, digits, confidences}; `p99` is null where nothing was predicted

  /** Add a poll; `at`: its time in milliseconds. Counters that went back are those of a server that was started again. */
  add(samples, at) {
    const now = { at, ...read(samples) };
    const last = this.#last;
    this.#last = now;
    if (last === null || now.requests < last.requests || now.answers < last.answers) {
      this.points = [];
      return;
    }
    const seconds = (now.at - last.at) / 1000;
    const latencies = new Map([...now.latencies].map(([bound, count]) => [bound, count - (last.latencies.get(bound) ?? 0)]));
    this.points.push({
      seconds,
      rate: (now.requests - last.requests) / seconds,
      p99: quantileOf(latencies, 0.99),
      digits: minus(now.digits, last.digits),
      confidences: minus(now.confidences, last.confidences),
    });
    this.points.splice(0, this.points.length - KEPT);
  }

  /** Forget the past: the next poll begins another one. */
  pause() {
    this.#last = null;
  }
}

/** Return the answers of each class, 0 to 9, since the start of the server. */
export function answeredDigits(samples) {
  return Array.from({ length: 10 }, (_, digit) => sum(samples, "inkling_answered_digits_total", (labels) => labels.digit === String(digit)));
}

/** Return the answers in each bucket of confidence: [{from, to, count}, ...]. */
export function answeredConfidences(samples) {
  const buckets = [...bucketsOf(samples, CONFIDENCES, () => true)].sort(([a], [b]) => a - b);
  return buckets.map(([bound, count], i) => ({ from: i ? buckets[i - 1][0] : 0, to: Math.min(1, bound), count: count - (i ? buckets[i - 1][1] : 0) }));
}

function read(samples) {
  const digits = answeredDigits(samples);
  return {
    requests: sum(samples, "inkling_requests_total", (labels) => !isOwnCall(labels)),
    answers: digits.reduce((total, count) => total + count, 0),
    latencies: bucketsOf(samples, LATENCIES, ({ route }) => route === "/predict"),
    digits,
    confidences: answeredConfidences(samples).map(({ count }) => count),
  };
}

function minus(now, last) {
  return now.map((count, i) => count - (last[i] ?? 0));
}
