"use strict";
// A page without this script still shows its values; the buttons appear only where they work.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // No permission, or a page over http: the value is selected, so Ctrl+C copies it.
      return;
    }
    button.textContent = button.dataset.done;
  });
}
