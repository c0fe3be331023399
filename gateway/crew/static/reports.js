// The list of reports: open ones with their age, and a new one with one tap. A report of a call from the dispatch system
// has its words; a report that the crew opened before is joined to its call with one tap.
import { openReport } from "./change_requests.js";
import { joinMission, loadMissions, missionState, missionWords } from "./missions.js";
import { button, element } from "./report_parts.js";
import { newId } from "./report_store.js";
import { texts } from "./texts.js";

const LOOK_MS = 5000;
const text = await texts("report");
const NO_CONTACT = text("saved.no_contact");
const list = document.getElementById("drafts"), problem = document.getElementById("problem");

function ageWords(seconds) {
  if (seconds === null) return text("list.age_unknown");
  if (seconds < 3600) return text("list.minutes", { count: Math.floor(seconds / 60) });
  if (seconds < 172_800) return text("list.hours", { count: Math.floor(seconds / 3600) });
  return text("list.days", { count: Math.floor(seconds / 86_400) });
}

function line(draft, missions, candidates) {
  const mission = missions.find((each) => each.encounter === draft.encounter || each.report === draft.encounter);
  const made = element("li", "draft"), link = element("a", "entry-head");
  link.href = `/reports/${draft.encounter}`;
  link.append(
    element("strong", "", draft.complaint ?? (mission ? missionWords(mission) : text("list.no_complaint"))),
    element("span", "", [draft.patient_age && text("list.patient_age", { age: draft.patient_age }), ageWords(draft.age_s)].filter(Boolean).join(" · ")),
    ...(draft.holds_devices ? [element("span", "chip", text("list.devices"))] : []),
    element("span", draft.sealed ? "chip good" : "chip", draft.sealed ? text("list.signed") : draft.closed ? text("closed") : text("list.gaps", { count: draft.gaps })),
  );
  if (mission && !draft.sealed) {
    const { text: words, tone } = missionState(mission);
    if (draft.complaint) link.append(element("span", "", missionWords(mission)));
    link.append(element("span", `chip ${tone}`, words));
  }
  made.append(link);
  for (const id of candidates[draft.encounter] ?? []) {
    const offered = missions.find((each) => each.encounter === id);
    made.append(button(text(offered.has_entries ? "mission.join_with_entries" : "mission.join", { call: missionWords(offered) }), async () => {
      try {
        await joinMission(id, draft.encounter);
        problem.textContent = "";
      } catch { problem.textContent = text("mission.not_joined"); }
      load();
    }, "answer critical join"));
  }
  return made;
}

async function load() {
  try {
    const reply = await fetch("/drafts");
    if (reply.status === 401) { location.assign("/sign-in"); return; }
    const { drafts } = await reply.json(), { missions, candidates } = await loadMissions();
    const continued = new Set(missions.filter((each) => each.continued).map((each) => each.encounter));
    const shown = drafts.filter((each) => !continued.has(each.encounter));
    const lines = shown.map((each) => line(each, missions, candidates));
    // Unchanged lines stay in place, so that neither a tap nor the focus is lost.
    if (lines.map((each) => each.outerHTML).join("") !== list.innerHTML) list.replaceChildren(...lines);
    document.getElementById("none").hidden = shown.length > 0;
    if (problem.textContent === NO_CONTACT) problem.textContent = ""; // what became of a tap stays
  } catch { problem.textContent = NO_CONTACT; }
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
