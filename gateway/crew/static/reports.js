// The list of reports: open ones with their age, and a new one with one tap.
import { openReport } from "./change_requests.js";
import { button, element } from "./report_fields.js";
import { newId } from "./report_store.js";
import { texts } from "./texts.js";

const LOOK_MS = 5000;
const text = await texts("report");
const list = document.getElementById("drafts"), problem = document.getElementById("problem");

function ageWords(seconds) {
  if (seconds === null) return text("list.age_unknown");
  if (seconds < 3600) return text("list.minutes", { count: Math.floor(seconds / 60) });
  if (seconds < 172_800) return text("list.hours", { count: Math.floor(seconds / 3600) });
  return text("list.days", { count: Math.floor(seconds / 86_400) });
}

function line(draft) {
  const made = element("li", "draft"), link = element("a", "entry-head");
  link.href = `/reports/${draft.encounter}`;
  link.append(
    element("strong", "", draft.complaint ?? text("list.no_complaint")),
    element("span", "", [draft.patient_age && text("list.patient_age", { age: draft.patient_age }), ageWords(draft.age_s)].filter(Boolean).join(" · ")),
    ...(draft.holds_devices ? [element("span", "chip", text("list.devices"))] : []),
    element("span", draft.sealed ? "chip good" : "chip", draft.sealed ? text("list.signed") : draft.closed ? text("closed") : text("list.gaps", { count: draft.gaps })),
  );
  made.append(link);
  return made;
}

async function load() {
  try {
    const reply = await fetch("/drafts");
    if (reply.status === 401) { location.assign("/sign-in"); return; }
    const { drafts } = await reply.json();
    list.replaceChildren(...drafts.map(line));
    document.getElementById("none").hidden = drafts.length > 0;
    problem.textContent = "";
  } catch { problem.textContent = text("saved.no_contact"); }
}

document.getElementById("begin").replaceWith(button(text("list.begin"), async () => {
  const encounter = `enc_${newId()}`;
  try {
    if (!(await openReport(encounter))) throw new Error();
    location.assign(`/reports/${encounter}`);
  } catch { problem.textContent = text("list.not_opened"); }
}, "go critical"));
load();
setInterval(load, LOOK_MS);
