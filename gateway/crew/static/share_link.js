// Checks every few seconds whether the cloud has received the share link of this page, and then states it.
const LOOK_EVERY_MS = 5000;
const state = document.querySelector("main .state");

async function look() {
  try {
    const response = await fetch(location.href, { redirect: "manual" });
    if (response.type === "opaqueredirect") { location.reload(); return; } // the link was revoked, or the session ended
    if (response.ok) {
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      const found = fresh.querySelector("main .state");
      if (found !== null && found.textContent !== state.textContent) state.textContent = found.textContent;
    }
  } catch { /* no contact: the next look may find the gateway */ }
}

setInterval(look, LOOK_EVERY_MS);
