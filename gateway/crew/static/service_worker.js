// Keeps the shell of the crew's pages, and shows it when a page cannot be loaded (gateway/crew/shell.py, which puts the
// constant SHELL before this script: its version, its page, and the hash of each file).
//
// It stores the shell only, never a response with data: with contact everything comes from the gateway. It handles loads
// of pages by GET. A form must not pass through it, since a request of a worker counts as one of the gateway's own page.
"use strict";
const CACHE_START = "argus-shell-";
const CACHE = `${CACHE_START}${SHELL.version}`;
const OWED_LOCK = "argus-owed-lock"; // a cache that exists while the gateway does not know of a lock (static/session.js)
const CONTACT_MS = 10_000; // a page that has not begun by then is not loaded any more: the tablet is out of range
const withoutContact = new Set(); // ids of the clients that show the shell

async function store() {
  const cache = await caches.open(CACHE);
  await Promise.all(Object.entries(SHELL.files).map(async ([path, integrity]) => {
    const response = await fetch(path, { integrity, cache: "no-store" });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    await cache.put(path, response);
  }));
  await skipWaiting();
}

async function replaceOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(CACHE_START) && name !== CACHE).map((name) => caches.delete(name)));
  await clients.claim();
}

async function stored(path) {
  return (await (await caches.open(CACHE)).match(path)) ?? Response.error();
}

// A tablet that was locked without contact must not load a page with the session of before.
async function lockFirst() {
  if (!(await caches.has(OWED_LOCK))) return;
  const response = await fetch("/lock", { method: "POST", redirect: "manual" });
  if (response.type !== "opaqueredirect") throw new Error("not locked");
  await caches.delete(OWED_LOCK);
}

async function load(event) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("no contact")), CONTACT_MS); });
  try {
    return await Promise.race([late, lockFirst().then(() => fetch(event.request))]);
  } catch {
    withoutContact.add(event.resultingClientId);
    return stored(SHELL.page);
  } finally {
    clearTimeout(timer);
  }
}

addEventListener("install", (event) => event.waitUntil(store()));
addEventListener("activate", (event) => event.waitUntil(replaceOthers()));
addEventListener("fetch", (event) => {
  const { request } = event, { pathname } = new URL(request.url);
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(load(event));
  else if (withoutContact.has(event.clientId) && pathname in SHELL.files) event.respondWith(stored(pathname));
});
