// Parts that every page of the report is made of: elements, buttons, and times of the day.

export function element(tag, className = "", words = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (words) made.textContent = words;
  return made;
}

export function button(words, act, className = "") {
  const made = element("button", className, words);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

export function clock(moment) {
  const at = new Date(moment);
  return Number.isNaN(at.getTime()) ? String(moment) : at.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
