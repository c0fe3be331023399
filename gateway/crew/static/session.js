// The member's session on this tablet: reports each use of the page, and locks it when the page is not used.
//
// Locking ends the member's session and leaves the live values. What a page must forget, it drops in a handler of
// "crew-lock" on the window, which adds the requests that are still under way to `detail.sending`, and what is still
// written to the tablet's disk to `detail.keeping`; then a page of the report is replaced by the live page, so that
// "back" does not return. Without contact the gateway does not learn of the lock: a note on the tablet makes the next
// page, or the service worker before it loads that page, lock the session first.
// The tablet's pages belong together: a lock of one locks the others, and a use of one is a use of the others.
// A timer may stand still while a tablet sleeps: the time without use is checked again when it wakes.
import { ElapsedClock } from "./elapsed.js";
import { dropKey } from "./key_hand_over.js";
import { deleteCopy } from "./queue.js";

const REPORT_EVERY_MS = 15_000; // below the gateway's grace after which it locks by itself
const TICK_MS = 1000;
const SEND_MS = 1000; // what a page still has to send goes before the lock, after which the gateway refuses it
const KEEP_MS = 5000; // a disk that takes longer does not respond
const OWED_LOCK = "argus-owed-lock"; // the note, a cache without entries: service_worker.js can read it too
const USES = ["pointerdown", "keydown", "wheel", "touchstart"];

const page = document.body.dataset;
const clock = new ElapsedClock();
const lockAfterMs = Number(page.lockAfterS) * 1000;
const others = globalThis.BroadcastChannel && new BroadcastChannel("argus-session"); // pages of older browsers lock alone
let usedAt = clock.now(), reportedAt = usedAt, sharedAt = usedAt, locked = page.member === undefined;

// `isFirst`: no other page of this tablet was locked just before. Only the first one sends the lock to the gateway, so that
// a late second request does not end the session of the next member.
export async function lock(isFirst = true) {
  if (locked) return;
  locked = true;
  const sending = [], keeping = [deleteCopy()];
  dispatchEvent(new CustomEvent("crew-lock", { detail: { sending, keeping } }));
  dropKey(); // that of a page which ended after this one had begun
  for (const each of document.querySelectorAll("[data-of-member]")) each.remove();
  for (const each of document.querySelectorAll("[data-of-nobody]")) each.hidden = false;
  if (isFirst) {
    await settled([noteLock()], SEND_MS);
    others?.postMessage({ act: "lock" }); // after the note: with it, none of them is replaced by a page of this session
  }
  await settled(sending, SEND_MS);
  await settled(keeping, KEEP_MS);
  if (isFirst) sendLock(); // the page must not wait for it
  if (page.live === undefined) location.replace("/");
}

function settled(promises, limitMs) {
  if (!promises.length) return undefined;
  return Promise.race([Promise.allSettled(promises), new Promise((done) => { setTimeout(done, limitMs); })]);
}

// A browser without caches locks as before: the gateway ends the session when it was not used for a while.
async function noteLock() { await globalThis.caches?.open(OWED_LOCK); }

async function sendLock() {
  try {
    const response = await fetch("/lock", { method: "POST", redirect: "manual", keepalive: true });
    if (response.type === "opaqueredirect") await globalThis.caches?.delete(OWED_LOCK);
  } catch { /* no contact: the note stays */ }
}

async function lockIfOwed() {
  if (!(await globalThis.caches?.has(OWED_LOCK))) return;
  if (page.member === undefined) sendLock(); else lock();
}

async function reportUse() {
  reportedAt = clock.now();
  try {
    const response = await fetch("/activity", { method: "POST" });
    if (response.status === 401) lock();
  } catch { /* no contact: the gateway is asked again with the next use */ }
}

function use() {
  check();
  if (locked) return;
  usedAt = clock.now();
  if (usedAt - sharedAt >= TICK_MS) {
    sharedAt = usedAt;
    others?.postMessage({ act: "use", member: page.member });
  }
  if (usedAt - reportedAt >= REPORT_EVERY_MS) reportUse();
}

// A use by another member, who has signed in on another page meanwhile, does not keep this page open.
function follow({ act, member }) {
  if (act === "lock") lock(false);
  if (act !== "use" || member !== page.member) return;
  check();
  usedAt = clock.now();
}

function check() {
  if (!locked && clock.now() - usedAt >= lockAfterMs) lock();
}

if (!locked) {
  for (const name of USES) addEventListener(name, use, { capture: true, passive: true });
  document.addEventListener("visibilitychange", check);
  setInterval(check, TICK_MS);
  others?.addEventListener("message", ({ data }) => follow(data));
}
addEventListener("submit", (submitted) => { if (submitted.target.matches("[data-lock]")) { submitted.preventDefault(); lock(); } });
// A page from the browser's memory shows what was on it before: it is loaded again, with the session of now.
// First it is locked if it is due: the page that replaces it starts its time without use, and would get the key.
addEventListener("pageshow", (shown) => {
  if (!shown.persisted) return;
  const wasLocked = locked;
  check();
  if (wasLocked || !locked) location.reload();
});
lockIfOwed();
if (page.kept === undefined) dropKey();
// Without the key of its page no copy of a report can be read, and the report may be signed on another tablet.
if (page.shell !== undefined && page.encounter === undefined) deleteCopy();
// The shell of the pages for when there is no contact. The page without TLS that offers the authority has no worker.
if (page.shell !== undefined) navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
