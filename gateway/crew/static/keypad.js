// Keys large enough for gloves. Without this script the field works with the tablet's own keyboard.
"use strict";
const MEMBER_DIGITS = 6; // every member's PIN has them; the vehicle's PIN may be longer
const field = document.getElementById("pin");
const pad = document.getElementById("keypad");
pad.hidden = false;
// The tablet's own keyboard would cover half of the keypad.
if (matchMedia("(pointer: coarse)").matches) field.inputMode = "none";
pad.addEventListener("click", (press) => {
  const key = press.target.closest("button");
  if (!key || key.type === "submit") return;
  if (key.dataset.digit !== undefined && field.value.length < field.maxLength) field.value += key.dataset.digit;
  if (key.dataset.erase !== undefined) field.value = field.value.slice(0, -1);
  submitWhenComplete();
});
field.addEventListener("input", submitWhenComplete);
// Digits that were entered for one person must not be sent as another's.
field.form.addEventListener("change", (change) => { if (change.target.name === "member") field.value = ""; });

function submitWhenComplete() {
  const member = field.form.querySelector("[name=member]:checked")?.value;
  if (member && field.value.length === MEMBER_DIGITS) field.form.requestSubmit();
}
submitWhenComplete(); // digits may have been typed before this script was loaded
