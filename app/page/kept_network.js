// The network of the served version, kept in this browser under the digest of its checkpoint.

import { call } from "./api.js";
import { parseNetwork } from "./network.js";
import { NETWORK, get, put } from "./store.js";

const SERVED = "served"; // the one key
const NAME = "inkling-network"; // in localStorage: the version and the digest of what is kept, which all tabs see at once

let parsed = null; // {name, network}: reading it from the store for every stroke would delay the bars

/** Keep the network of a version, unless the one kept has the digest that the server has for it. */
export async function keepNetwork(version) {
  const kept = await get(NETWORK, SERVED);
  const headers = kept ? { "If-None-Match": `"${kept.digest}"` } : {};
  const answer = await call(`versions/${version}/checkpoint`, { headers, cache: "no-store" });
  const content = answer.status === 304 ? kept.content : await answer.arrayBuffer();
  const digest = answer.headers.get("ETag").replace(/^W\/|"/g, "");
  if (kept?.digest !== digest || kept.version !== version) await put(NETWORK, SERVED, { version, digest, content });
  localStorage.setItem(NAME, nameOf({ version, digest }));
}

/** Return the network that is kept, as `parseNetwork` does; null if none is. */
export async function keptNetwork() {
  const name = localStorage.getItem(NAME);
  if (parsed && parsed.name === name) return parsed.network;
  const kept = await get(NETWORK, SERVED).catch(() => null);
  if (!kept) return null;
  parsed = { name: nameOf(kept), network: parseNetwork(kept.content, kept.version) };
  return parsed.network;
}

function nameOf({ version, digest }) {
  return `${version} ${digest}`;
}
