// Calls to the service. An error answer becomes a Problem, whose text the page shows; on a 401 the page asks for the key.

import { has, t } from "./language.js";
import { askForKey } from "./key.js";
import { noteAnswer } from "./server.js";

const KEY = "inkling-key"; // in sessionStorage, so it lasts as long as the tab

/** An error answer of the server (RFC 9457); status 0: the server could not be reached. */
export class Problem extends Error {
  constructor({ status = 0, type = "", title = t("unreachable"), detail = t("unreachable.detail") }) {
    super(detail);
    this.status = status;
    this.slug = type.split("/").at(-1);
    this.title = has(`problem.${this.slug}`) ? t(`problem.${this.slug}`) : title;
    this.detail = detail;
  }
}

/** Call the service and return the Response. Throws Problem; an aborted call throws fetch's AbortError.
 *
 * Every call that changes something sends the key, and asks for it where it is needed. Of one that only reads, the
 * option `access` does this: "ask", or "quiet", which never asks. */
export async function call(path, options = {}) {
  for (let isWrong = false; ; isWrong = true) {
    const response = await send(path, options);
    if (response.ok || response.status === 304) return response;
    const problem = await toProblem(response);
    if (problem.status !== 401 || options.access === "quiet") throw problem;
    const key = await askForKey(isWrong || sessionStorage.getItem(KEY) !== null ? problem.detail : null);
    if (key === null) throw problem;
    sessionStorage.setItem(KEY, key);
  }
}

export async function json(path, options) {
  return (await call(path, options)).json();
}

/** Send a JSON body and return the parsed JSON answer. */
export function sendJson(method, path, body, headers = {}) {
  return json(path, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } });
}

async function send(path, options) {
  const key = sessionStorage.getItem(KEY);
  const isUnsafe = (options.method ?? "GET") !== "GET";
  // not in Authorization, which holds the password where a proxy asks for one
  const headers = { ...(key && (isUnsafe || options.access) ? { "X-API-Key": key } : {}), ...options.headers };
  try {
    const response = await fetch(path, { ...options, headers });
    if (!isOfGateway(response)) {
      noteAnswer(true);
      return response;
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  noteAnswer(false);
  throw new Problem({});
}

/** Return whether a proxy answers in place of the server, whose own errors are problems. */
function isOfGateway({ status, headers }) {
  return [502, 503, 504].includes(status) && !headers.get("Content-Type")?.includes("problem+json");
}

async function toProblem(response) {
  try {
    return new Problem(await response.json());
  } catch {
    return new Problem({ status: response.status, title: response.statusText, detail: `HTTP ${response.status}` });
  }
}
