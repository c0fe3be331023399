// Keeps an open hand-over new: every 15 s it takes the facts of the page that the gateway makes now.
//
// Forms and buttons stay as they are. A page that is out of contact states since when: an age that was true when the page
// was made is wrong a minute later. A reader whose access has ended sees the page of codes instead.
import { ElapsedClock } from "./elapsed.js";

const RENEW_EVERY_MS = 15_000;
const LOST_AFTER_MS = 40_000;
const PARTS = ["[data-renewed=state]", "[data-renewed=facts]"];

const clock = new ElapsedClock();
let renewedAt = clock.now();

// The reader's address is the same for each patient: a code that was opened in another tab must not turn this page into
// that of another patient.
function replace(fresh) {
  const encounterOf = (page) => page.querySelector("main.handover")?.dataset.encounter;
  if (encounterOf(fresh) !== encounterOf(document)) throw new Error("another patient");
  for (const part of PARTS) {
    const old = document.querySelector(part), found = fresh.querySelector(part);
    // Unchanged facts stay in place, so that a reader's place and a screen reader's cursor do not move.
    if (old !== null && found !== null && old.innerHTML !== found.innerHTML) old.replaceChildren(...found.childNodes);
  }
}

async function renew() {
  try {
    const response = await fetch(location.href, { redirect: "manual" });
    if (response.type === "opaqueredirect") { location.reload(); return; }
    if (!response.ok) throw new Error(String(response.status));
    replace(new DOMParser().parseFromString(await response.text(), "text/html"));
    renewedAt = clock.now();
  } catch { /* no contact: shown below when it lasts */ }
  document.getElementById("lost").hidden = clock.now() - renewedAt < LOST_AFTER_MS;
}

setInterval(renew, RENEW_EVERY_MS);
