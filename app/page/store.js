// This browser's own store, in IndexedDB: corrections until they are sent, and the network that was served last.

const NAME = "inkling";
const VERSION = 1;

export const OUTBOX = "outbox";
export const NETWORK = "network";

let opening = null;

export function get(store, key) {
  return request(store, "readonly", (objects) => objects.get(key));
}

/** Return all values of a store, in the order of their keys. */
export function all(store) {
  return request(store, "readonly", (objects) => objects.getAll());
}

export function put(store, key, value) {
  return request(store, "readwrite", (objects) => objects.put(value, key));
}

export function remove(store, key) {
  return request(store, "readwrite", (objects) => objects.delete(key));
}

async function request(store, mode, act) {
  opening ??= open();
  const database = await opening;
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode, { durability: "strict" });
    const asked = act(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

function open() {
  return new Promise((resolve, reject) => {
    const opened = indexedDB.open(NAME, VERSION);
    opened.onupgradeneeded = () => [OUTBOX, NETWORK].forEach((store) => opened.result.createObjectStore(store));
    opened.onsuccess = () => resolve(opened.result);
    opened.onerror = () => reject(opened.error);
  });
}
