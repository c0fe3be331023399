// The alarms that devices raise, repeated in words. This page is no alarm system: it makes no sound, offers no silence, and
// states which device raises the alarm. A screen reader reads an alarm of a vital sign at once, any other one when it has
// time; the numbers are left out, so that it is read when it begins and not with each new value.
import { texts } from "./texts.js";
import { deviceName } from "./words.js";

const text = await texts("live");
const HIGH = ["heart-rate", "spo2", "respiration", "etco2", "nibp"]; // what kills within minutes

export function alarmWords(values, devices, isStale) {
  const found = { high: new Set(), low: new Set() };
  for (const value of values) {
    if (!value.alarm || isStale(value)) continue;
    found[HIGH.includes(value.tile) ? "high" : "low"].add(`${value.label} (${deviceName(value.device, devices)})`);
  }
  const words = (level) => (found[level].size ? text(`alarms.${level}`, { values: [...found[level]].sort().join(", ") }) : "");
  return { high: words("high"), low: words("low") };
}
