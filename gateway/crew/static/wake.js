// Keep the tablet's screen on while the page is shown, and say so where the tablet refuses (W3C Screen Wake Lock). The
// lock ends whenever the page is hidden, and is requested again when it is shown.
import { texts } from "./texts.js";

const text = await texts("live");
let lock = null;

// `inform(words)`: why the screen may go dark, or "" while it stays on.
export function keepScreenOn(inform) {
  const request = async () => {
    if (document.visibilityState !== "visible" || (lock && !lock.released)) return;
    if (!("wakeLock" in navigator)) { inform(text("wake.unsupported")); return; } // not in this browser, or not over HTTP
    try {
      lock = await navigator.wakeLock.request("screen");
      inform("");
      lock.addEventListener("release", () => { if (document.visibilityState === "visible") request(); });
    } catch {
      inform(text("wake.refused")); // low battery, or the tablet's own setting
    }
  };
  document.addEventListener("visibilitychange", request);
  addEventListener("click", () => { if (lock === null || lock.released) request(); }); // some tablets want a touch first
  request();
}
