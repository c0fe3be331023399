// Keeps the shell of the crew's pages, and shows it when a page cannot be loaded (gateway/crew/shell.py, which puts the
// constant SHELL before this script: its version, its page, and the hash of each file).
//
// It stores the shell only, never a response with data: with contact everything comes from the gateway. For a moment it has
// the key that one page of a report hands over to the next (static/key_hand_over.js), in its memory. It handles loads of
// pages by GET. A form must not pass through it, since a request of a worker counts as one of the gateway's own page.
"use strict";
const CACHE_START = "argus-shell-";
const CACHE = `${CACHE_START}${SHELL.version}`;
const OWED_LOCK = "argus-owed-lock"; // a cache that exists while the gateway does not know of a lock (static/session.js)
const CONTACT_MS = 10_000; // a page that has not begun by then is not loaded any more: the tablet is out of range
const HOLD_MS = 20_000; // a page that replaces another one begins within CONTACT_MS
const HAND_OVER_MS = 2000; // a page may end a moment after the one that replaces it has begun
const withoutContact = new Set(); // ids of the clients that show the shell

let held = null; // {key, owner}, from the end of a page until the next page takes it
let arrive = () => {};

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

async function hold({ key, owner }) {
  const mine = held = { key, owner };
  arrive();
  await new Promise((resolve) => { setTimeout(resolve, HOLD_MS); });
  if (held === mine) held = null;
}

// Give the key to one page, and to none while the gateway does not know of a lock.
async function give(port) {
  if (held === null) await new Promise((resolve) => { arrive = resolve; setTimeout(resolve, HAND_OVER_MS); });
  const given = (await caches.has(OWED_LOCK)) ? null : held;
  held = null;
  port.postMessage(given);
}

addEventListener("message", (event) => {
  if (event.data.act === "hold") event.waitUntil(hold(event.data));
  if (event.data.act === "take") event.waitUntil(give(event.ports[0]));
  if (event.data.act === "drop") held = null;
});
addEventListener("install", (event) => event.waitUntil(store()));
addEventListener("activate", (event) => event.waitUntil(replaceOthers()));
addEventListener("fetch", (event) => {
  const { request } = event, { pathname } = new URL(request.url);
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(load(event));
  else if (withoutContact.has(event.clientId) && pathname in SHELL.files) event.respondWith(stored(pathname));
});
