// The page without its server: a service worker keeps its files, and this browser the network that was served last.

import { keepNetwork } from "./kept_network.js";
import { sendKept } from "./outbox.js";
import { watchServed } from "./served.js";
import { watchServer } from "./server.js";

const WORKER = "service-worker.js";

/** Prepare for a server that goes away, and for its return, once the page is shown. */
export function startOffline() {
  const start = () => (globalThis.requestIdleCallback ?? setTimeout)(() => {
    installWorker();
    watchServed(({ version }) => keepNetwork(version).catch(() => {})); // the server, or this browser's store, is away
    sendKept().catch(() => {});
  });
  if (document.readyState === "complete") start();
  else addEventListener("load", start, { once: true });
  watchServer((isAway) => isAway || sendKept().catch(() => {}));
}

/** Install the worker, where the browser has such: over HTTPS, and on this machine. */
function installWorker() {
  if (!navigator.serviceWorker) return;
  const policy = globalThis.trustedTypes?.createPolicy("inkling-worker", { createScriptURL: () => WORKER });
  navigator.serviceWorker.register(policy ? policy.createScriptURL(WORKER) : WORKER).catch(() => {}); // the page works without
}
