// The look of the page, set before anything is drawn, and the tablet's own choice of it. Not a module: it must not wait.
// "auto" follows the tablet: high contrast where it requests more contrast, otherwise day or night as its colour scheme.
"use strict";
(() => {
  const KEY = "argus-look";
  const LOOKS = ["auto", "day", "night", "contrast"];
  const dark = matchMedia("(prefers-color-scheme: dark)"), more = matchMedia("(prefers-contrast: more)");

  function chosen() {
    const kept = localStorage.getItem(KEY);
    return LOOKS.includes(kept) ? kept : "auto";
  }

  function apply() {
    const look = chosen();
    document.documentElement.dataset.look = look !== "auto" ? look : more.matches ? "contrast" : dark.matches ? "night" : "day";
    dispatchEvent(new Event("lookchange")); // pictures take the new colours
  }

  apply();
  for (const query of [dark, more]) query.addEventListener("change", apply);
  addEventListener("storage", (change) => { if (change.key === KEY) apply(); });
  addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("look-choice");
    if (choice === null) return;
    choice.value = chosen();
    choice.addEventListener("change", () => { localStorage.setItem(KEY, choice.value); apply(); });
    // The gateway writes the page, so it has to know the language: a cookie, for as long as browsers allow.
    const language = document.getElementById("language-choice");
    language.addEventListener("change", () => {
      document.cookie = `argus_language=${language.value}; Path=/; Max-Age=34560000; SameSite=Strict`;
      location.reload();
    });
  });
})();
