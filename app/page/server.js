// The server's presence. After a call without an answer the page asks again by itself, until one comes.

const PAUSES_MS = [1000, 1000, 2000, 2000, 4000, 8000]; // then the last one again and again

let isAway = false;
let asked = 0; // times since the server went away
let timer = 0;
const listeners = new Set();

export function isServerAway() {
  return isAway;
}

/** Call `listener(isAway)` whenever the server goes away or is back; return a function that stops this. */
export function watchServer(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Note that a call was answered, or (false) that none came. */
export function noteAnswer(isAnswered) {
  if (isAway === !isAnswered) return;
  isAway = !isAnswered;
  asked = 0;
  clearTimeout(timer);
  if (isAway) wait();
  for (const listener of listeners) listener(isAway);
}

function wait() {
  timer = setTimeout(ask, PAUSES_MS[Math.min(asked++, PAUSES_MS.length - 1)]);
}

async function ask() {
  clearTimeout(timer);
  try {
    if ((await fetch("livez", { cache: "no-store" })).ok) return noteAnswer(true);
  } catch {
    // it is still away
  }
  if (isAway) wait();
}

addEventListener("online", () => isAway && ask());
document.addEventListener("visibilitychange", () => isAway && !document.hidden && ask());
