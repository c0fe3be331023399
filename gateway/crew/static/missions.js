// The call of a report in the words of the dispatch system: where it is, its state, and the report that continues it.
import { texts } from "./texts.js";

const text = await texts("report");
const reasons = await texts("call_reasons");

export function missionWords(mission) {
  const street = [mission.street, mission.apartment].filter(Boolean).join(" / ");
  const city = [mission.postcode, mission.city].filter(Boolean).join(" ");
  const place = [street, city, mission.directions].filter(Boolean).join(", ") || mission.position;
  const number = mission.number ?? mission.response, reason = reasons(mission.reason ?? "");
  // A code without words is left out: no crew reads it.
  return [number && text("mission.number", { number }), reason !== mission.reason && reason, place].filter(Boolean).join(" · ") || text("mission.no_data");
}

export function missionState({ status }) {
  return { text: text(`mission.${status}`), tone: status === "in_progress" ? "good" : "warn" };
}

export async function loadMissions() {
  const reply = await fetch("/missions");
  if (!reply.ok) throw new Error();
  return reply.json();
}

export async function joinMission(mission, report) {
  const reply = await fetch(`/missions/${mission}/report`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ report }),
  });
  if (!reply.ok) throw new Error();
}

// The call at the top of one report, which is that of the call or the one that continues it.
export function followMission(node, encounter, everyMs) {
  async function load() {
    try {
      const { missions } = await loadMissions();
      const mine = missions.find((each) => each.encounter === encounter || each.report === encounter);
      const words = mine ? `${missionWords(mine)} · ${missionState(mine).text}` : "";
      node.hidden = !mine;
      node.className = `chip ${mine ? missionState(mine).tone : ""}`.trim();
      if (node.textContent !== words) node.textContent = words; // a screen reader would read it again
    } catch { /* without contact the words stay; the state of saving says so */ }
  }
  load();
  return setInterval(() => { if (!document.hidden) load(); }, everyMs);
}
