// The network of the served version, kept in this browser under the digest of its checkpoint.

import { call } from "./api.js";
import { parseNetwork } from "./network.js";
import { NETWORK, get, put } from "./store.js";

const SERVED = "served"; // the one key

let parsed = null; // {digest, network}

/** Keep the network of a version, unless the one kept has the digest that the server has for it. */
export async function keepNetwork(version) {
  const kept = await get(NETWORK, SERVED);
  const headers = kept ? { "If-None-Match": `"${kept.digest}"` } : {};
  const answer = await call(`versions/${version}/checkpoint`, { headers, cache: "no-store" });
  if (answer.status === 304 && kept.version === version) return;
  const content = answer.status === 304 ? kept.content : await answer.arrayBuffer();
  const digest = answer.headers.get("ETag").replace(/^W\/|"/g, "");
  await put(NETWORK, SERVED, { version, digest, content });
}

/** Return the network that is kept, as `parseNetwork` does; null if none is. */
export async function keptNetwork() {
  const kept = await get(NETWORK, SERVED).catch(() => null);
  if (!kept) return null;
  if (parsed?.digest !== kept.digest || parsed.network.version !== kept.version) {
    parsed = { digest: kept.digest, network: parseNetwork(kept.content, kept.version) };
  }
  return parsed.network;
}
