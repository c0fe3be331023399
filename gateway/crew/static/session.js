// The member's session on this tablet: reports each use of the page, and locks it when the page is not used.
//
// Locking ends the member's session and leaves the live values. What a page must forget, it drops in a handler of
// "crew-lock" on the window, which adds the requests that are still under way to `detail.sending`; then a page of the
// report is replaced by the live page, so that "back" does not return.
// A timer may stand still while a tablet sleeps: the time without use is checked again when it wakes.
import { ElapsedClock } from "./elapsed.js";

const REPORT_EVERY_MS = 15_000; // below the gateway's grace after which it locks by itself
const TICK_MS = 1000;
const SEND_MS = 1000; // what a page still has to send goes before the lock, after which the gateway refuses it
const USES = ["pointerdown", "keydown", "wheel", "touchstart"];

const page = document.body.dataset;
const clock = new ElapsedClock();
const lockAfterMs = Number(page.lockAfterS) * 1000;
let usedAt = clock.now(), reportedAt = usedAt, locked = page.member === undefined;

export async function lock() {
  if (locked) return;
  locked = true;
  const sending = [];
  dispatchEvent(new CustomEvent("crew-lock", { detail: { sending } }));
  if (sending.length) await Promise.race([Promise.allSettled(sending), new Promise((done) => { setTimeout(done, SEND_MS); })]);
  // Without a contact the gateway locks the session by itself; the page must not wait for it.
  fetch("/lock", { method: "POST", redirect: "manual", keepalive: true }).catch(() => {});
  if (page.live === undefined) { location.replace("/"); return; }
  for (const each of document.querySelectorAll("[data-of-member]")) each.remove();
  for (const each of document.querySelectorAll("[data-of-nobody]")) each.hidden = false;
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
  if (usedAt - reportedAt >= REPORT_EVERY_MS) reportUse();
}

function check() {
  if (!locked && clock.now() - usedAt >= lockAfterMs) lock();
}

if (!locked) {
  for (const name of USES) addEventListener(name, use, { capture: true, passive: true });
  document.addEventListener("visibilitychange", check);
  setInterval(check, TICK_MS);
}
addEventListener("submit", (submitted) => { if (submitted.target.matches("[data-lock]")) { submitted.preventDefault(); lock(); } });
// A page from the browser's memory shows what was on it before: it is loaded again, with the session of now.
addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });
