// Keeps the page's files, so that it opens when its server is away. Everything else is asked of the server as ever.

const FILES = ["page/style.css", "page/main.js", "page/inter.woff2", "page/icon.svg"];
const PAGE = "./";
const CACHE = FILES[0]; // its folder is the digest of the page's files
const PATIENCE_MS = 4000; // until a server that does not answer counts as away

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const folder = new URL(FILES[0], location).href.replace(/[^/]+$/, "");
  if (request.method !== "GET") return;
  if (request.mode === "navigate" && isPage(request.url)) event.respondWith(pageFrom(request));
  else if (request.url.startsWith(folder)) event.respondWith(fileFrom(request));
});

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll([PAGE, ...FILES].map((path) => new Request(path, { cache: path === PAGE ? "reload" : "default" })));
  await skipWaiting();
}

async function forgetOthers() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await clients.claim();
}

function isPage(url) {
  const { origin, pathname } = new URL(url);
  return origin + pathname === new URL(PAGE, location).href;
}

/** Return the page from the server, so that a new release is seen at once; from here if it is away. */
async function pageFrom(request) {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status < 500) return answer;
  } catch {
    // it is away
  }
  return (await (await caches.open(CACHE)).match(PAGE)) ?? Response.error();
}

async function fileFrom(request) {
  return (await (await caches.open(CACHE)).match(request)) ?? fetch(request);
}
