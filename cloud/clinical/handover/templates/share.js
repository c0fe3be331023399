// Shows the hand-over of a share link, and renews it every ten seconds until the arrival.
//
// The token is the fragment of the address, which browsers send to no server. It is removed from the address bar, so that
// neither the history of a shared computer nor a copied address has it; the tab keeps it until it is closed.
"use strict";
(() => {
  const KEY = "argus-share", RENEW_MS = 10000, LOST_MS = 40000;
  const share = document.querySelector(".share"), state = document.getElementById("state");
  const content = document.getElementById("content"), orders = share.querySelector(".orders");
  const words = (name) => share.querySelector(`[data-text=${name}]`).content.textContent;
  let order = orders.querySelector("[aria-pressed=true]").dataset.order;
  let token = takeToken(), renewedAt = performance.now(), timer = null, asked = 0;

  function takeToken() {
    const given = location.hash.slice(1);
    if (given) {
      history.replaceState(null, "", location.pathname);
      sessionStorage.setItem(KEY, given);
      return given;
    }
    return sessionStorage.getItem(KEY);
  }

  function say(name, kind) {
    if (state.textContent !== words(name)) state.textContent = words(name);
    state.className = kind ? `state ${kind}` : "state";
  }

  // Unchanged parts stay in place, so that a reader's place and a screen reader's cursor do not move.
  function show(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const parts = content.querySelectorAll("[data-renewed]");
    if (!parts.length) { content.replaceChildren(...fresh.body.childNodes); return; }
    for (const old of parts) {
      const found = fresh.querySelector(`[data-renewed="${old.dataset.renewed}"]`);
      if (found && found.innerHTML !== old.innerHTML) old.replaceChildren(...found.childNodes);
    }
  }

  function end(name) {
    content.replaceChildren();
    orders.hidden = true;
    sessionStorage.removeItem(KEY);
    token = null;
    say(name, "bad");
  }

  async function renew() {
    clearTimeout(timer);
    if (!token) { say("no_token", "bad"); return; }
    const number = ++asked;
    let again = true;
    try {
      const response = await fetch(share.dataset.view, {
        method: "POST", cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token, order, language: document.documentElement.lang }),
      });
      if (number !== asked) return; // the reader has changed the order meanwhile
      if (response.ok) {
        const found = await response.json();
        if (number !== asked) return;
        show(found.html);
        orders.hidden = false;
        renewedAt = performance.now();
        say(found.arrived ? "frozen" : "live", found.arrived ? "frozen" : "");
        again = !document.hidden;
      } else if (response.status === 410) { end("ended"); return; }
      else if (response.status === 404) { content.replaceChildren(); say("unknown", "bad"); }
      else say(content.childNodes.length ? "lost" : "busy", "bad");
    } catch {
      if (performance.now() - renewedAt > LOST_MS || !content.childNodes.length) say("lost", "bad");
    }
    if (again) timer = setTimeout(renew, RENEW_MS);
  }

  orders.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-order]");
    if (!chosen || !token) return;
    order = chosen.dataset.order;
    for (const each of orders.children) each.setAttribute("aria-pressed", String(each === chosen));
    renew();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
  addEventListener("hashchange", () => { token = takeToken(); content.replaceChildren(); renew(); });
  renew();
})();
