// The version that answers: its number, its accuracy, its classes, and whether the server takes corrections.

import { json } from "./api.js";
import { watchServer } from "./server.js";

const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit)).join();

const PAUSE_MS = 500; // between two questions for a version that was just promoted
const TRIES = 20;
const KEY = "inkling-served"; // in localStorage: the last answer, for a page that opens when the server is away

let served = JSON.parse(localStorage.getItem(KEY)); // null until the first answer
let asking = null;
let isAsked = false;
const listeners = new Set();

watchServer((isAway) => isAway || loadServed());

/** Call `listener({version, accuracy, classes, areDigits, fit, takesFeedback})` now and at every change; return a function that stops this.
 *
 * `accuracy` is null if nobody has measured it. `fit`: "mnist", or "plain" if it learned pictures
 * that were scaled as a whole. */
export function watchServed(listener) {
  listeners.add(listener);
  if (served) listener(served);
  if (!isAsked) loadServed();
  return () => listeners.delete(listener);
}

/** Return how the version that answers takes pictures, "mnist" or "plain". */
export function servedFit() {
  return served?.fit ?? "mnist";
}

/** Ask the server again if it answers with another version than the one known. */
export function noteVersion(version) {
  if (served?.version !== version) loadServed();
}

/** Ask the server. Without an answer everything stays as it is: the next reading asks again. */
export function loadServed() {
  isAsked = true;
  asking ??= load().catch(() => {}).finally(() => (asking = null));
  return asking;
}

/** Ask the server until it answers with a version that a trainer has promoted, which it follows within a second. */
export async function followServed(version) {
  for (let i = 0; i < TRIES && served?.version !== version; i++) {
    await loadServed();
    if (served?.version !== version) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function load() {
  const { version, accuracy, classes, fit, feedback } = await json("metrics?format=json");
  served = { version, accuracy, classes, areDigits: classes.join() === DIGITS, fit, takesFeedback: feedback !== null };
  localStorage.setItem(KEY, JSON.stringify(served));
  for (const listener of listeners) listener(served);
}
