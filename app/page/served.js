// The version that answers: its number, its accuracy, its classes, and whether the server takes corrections.

import { json } from "./api.js";

const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit)).join();

let served = null; // null until the first answer
let asking = null;
const listeners = new Set();

/** Call `listener({version, accuracy, classes, areDigits, takesFeedback})` now and at every change; return a function that stops this.
 *
 * `accuracy` is null if nobody has measured it. */
export function watchServed(listener) {
  listeners.add(listener);
  if (served) listener(served);
  else loadServed();
  return () => listeners.delete(listener);
}

/** Ask the server again if it answers with another version than the one known. */
export function noteVersion(version) {
  if (served?.version !== version) loadServed();
}

/** Ask the server. Without an answer everything stays as it is: the next reading asks again. */
export function loadServed() {
  asking ??= load().catch(() => {}).finally(() => (asking = null));
  return asking;
}

async function load() {
  const { version, accuracy, classes, feedback } = await json("metrics?format=json");
  served = { version, accuracy, classes, areDigits: classes.join() === DIGITS, takesFeedback: feedback !== null };
  for (const listener of listeners) listener(served);
}
