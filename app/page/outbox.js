// Corrections on their way: each is kept in this browser until the server has it, and arrives once, also after a lost
// answer, a reload, or from two tabs.

import { Problem, json } from "./api.js";
import { servedFit } from "./served.js";
import { OUTBOX, all, put, remove } from "./store.js";

const AWAY = [0, 503]; // 0 is no number of HTTP: no answer
const UNREADABLE = 422;

const listeners = new Set();

let number = 0; // of this page's corrections, so that those of one millisecond keep their order

/** Keep a correction, and send it with all that wait.
 *
 * Returns what the server answers to it; null if that did not answer: then it is sent when the server is back. Throws
 * Problem if the server does not take it. */
export async function sendCorrection(picture, label, source) {
  const id = `${Date.now()}-${String(number++).padStart(6, "0")}-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  await put(OUTBOX, id, { id, picture: await picture.arrayBuffer(), type: picture.type, label, source, predictionId: null });
  const own = (await sendKept(id)).find((outcome) => outcome.id === id);
  if (own?.problem) throw own.problem;
  return own?.correction ?? null;
}

/** Send the corrections that wait, oldest first, until one is not taken: it waits on, and those behind it.
 *
 * A picture that is refused for itself never arrives, and `own`, the id of one just made, is its maker's to repeat: these
 * wait no longer. Returns {id, correction} or {id, problem} of each that does not. */
export function sendKept(own = null) {
  const send = async () => {
    const outcomes = [];
    for (const entry of await all(OUTBOX)) {
      const outcome = await deliver(entry);
      const status = outcome.problem?.status;
      if (AWAY.includes(status) || (status !== undefined && status !== UNREADABLE && entry.id !== own)) break;
      await remove(OUTBOX, entry.id);
      if (outcome.correction && entry.id !== own) for (const listener of listeners) listener(outcome.correction);
      outcomes.push({ id: entry.id, ...outcome });
    }
    return outcomes;
  };
  return navigator.locks ? navigator.locks.request("inkling-outbox", send) : send(); // one tab at a time
}

/** Call `listener(correction)` for each that waited and has arrived; return a function that stops this. */
export function watchArrivals(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Return {correction} or {problem}. */
async function deliver(entry) {
  try {
    return { correction: await correct(entry) };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { problem };
  }
}

/** Correct a remembered prediction: its id is what makes a second arrival change nothing. */
async function correct(entry) {
  if (entry.predictionId === null) await remember(entry);
  try {
    return await label(entry);
  } catch (problem) {
    if (problem.slug !== "unknown-prediction") throw problem;
    await remember(entry); // forgotten after an hour, uncorrected
    return label(entry);
  }
}

async function remember(entry) {
  const body = new Blob([entry.picture], { type: entry.type });
  const fit = servedFit() === "plain" ? "strict" : "mnist";
  const { predictions } = await json(`predict?fit=${fit}&remember=true`, { method: "POST", body });
  entry.predictionId = predictions[0].prediction_id;
  await put(OUTBOX, entry.id, entry);
}

async function label({ predictionId, label, source }) {
  const query = new URLSearchParams({ prediction_id: predictionId, label, source });
  return (await json(`feedback?${query}`, { method: "POST" })).items[0];
}
